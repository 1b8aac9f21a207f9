// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.metrics;

import io.github.cosmosflink.connector.cosmosdb.source.backend.ChangeFeedException;
import io.github.cosmosflink.connector.cosmosdb.source.backend.ChangeFeedMetrics.Metric;
import io.github.cosmosflink.connector.cosmosdb.source.backend.ChangeFeedSession;
import java.util.Locale;
import org.apache.flink.annotation.Internal;
import org.apache.flink.metrics.Counter;
import org.apache.flink.metrics.Gauge;
import org.apache.flink.metrics.MetricGroup;

/**
 * Shows a session's counters, and what the reader itself counts, in the group {@code cosmosdb} of
 * its reader.
 */
@Internal
public final class ChangeFeedGauges {

    private static final String GROUP = "cosmosdb";

    private ChangeFeedGauges() {}

    public static void register(MetricGroup readerGroup, ChangeFeedSession session) {
        MetricGroup group = readerGroup.addGroup(GROUP);
        for (Metric metric : Metric.values()) {
            LastKnown value = new LastKnown(session, metric);
            if (metric == Metric.REQUEST_CHARGE_MILLIS) {
                group.gauge(name(metric), (Gauge<Double>) () -> value.getValue() / 1000.0);
            } else {
                group.gauge(name(metric), value);
            }
        }
    }

    /** Counts, for a reader, the deletes that its source ignores. */
    public static Counter deletesIgnored(MetricGroup readerGroup) {
        return readerGroup.addGroup(GROUP).counter("deletesIgnored");
    }

    /** {@code BYTES_IN_FLIGHT} is shown as {@code bytesInFlight}; what is in thousandths, whole. */
    public static String name(Metric metric) {
        if (metric == Metric.REQUEST_CHARGE_MILLIS) {
            return "requestCharge";
        }
        String[] words = metric.name().toLowerCase(Locale.ROOT).split("_");
        StringBuilder name = new StringBuilder(words[0]);
        for (int i = 1; i < words.length; i++) {
            name.append(Character.toUpperCase(words[i].charAt(0))).append(words[i].substring(1));
        }
        return name.toString();
    }

    /** Reports its last value when the session is closed, as reporters outlive readers. */
    private static final class LastKnown implements Gauge<Long> {

        private final ChangeFeedSession session;
        private final Metric metric;
        private volatile long last;

        LastKnown(ChangeFeedSession session, Metric metric) {
            this.session = session;
            this.metric = metric;
        }

        @Override
        public Long getValue() {
            try {
                last = session.metrics().get(metric);
            } catch (ChangeFeedException e) {
                // Closed: the last value stays.
            }
            return last;
        }
    }
}
