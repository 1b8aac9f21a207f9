// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.metrics;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.cosmosflink.connector.cosmosdb.source.backend.ChangeFeedSession;
import io.github.cosmosflink.connector.cosmosdb.source.testing.FeedModel;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.metrics.Gauge;
import org.apache.flink.metrics.MetricGroup;
import org.apache.flink.metrics.groups.UnregisteredMetricsGroup;
import org.junit.jupiter.api.Test;

class ChangeFeedGaugesTest {

    /** Notes gauges by group and name. */
    private static final class Noting extends UnregisteredMetricsGroup {

        private final String name;
        private final Map<String, Gauge<?>> gauges;

        Noting(String name, Map<String, Gauge<?>> gauges) {
            this.name = name;
            this.gauges = gauges;
        }

        @Override
        public MetricGroup addGroup(String child) {
            return new Noting(name + child + ".", gauges);
        }

        @Override
        public <T, G extends Gauge<T>> G gauge(String gauge, G value) {
            gauges.put(name + gauge, value);
            return value;
        }
    }

    @Test
    void everyCounterIsShownAndKeepsItsLastValueAfterClose() throws Exception {
        FeedModel model = new FeedModel();
        ChangeFeedSession session = model.backend().open(new byte[0]);
        Map<String, Gauge<?>> gauges = new HashMap<>();

        ChangeFeedGauges.register(new Noting("", gauges), session);

        assertThat(gauges)
                .containsOnlyKeys(
                        "cosmosdb.bytesInFlight",
                        "cosmosdb.requests",
                        "cosmosdb.pages",
                        "cosmosdb.documents",
                        "cosmosdb.notModified",
                        "cosmosdb.throttled",
                        "cosmosdb.retries",
                        "cosmosdb.requestCharge",
                        "cosmosdb.alreadyEmitted",
                        "cosmosdb.repeatedAfterMerge",
                        "cosmosdb.splits",
                        "cosmosdb.rangesSplit",
                        "cosmosdb.rangesReleased",
                        "cosmosdb.retentionExpired");
        assertThat(gauges.get("cosmosdb.documents").getValue())
                .as("there before anything was read")
                .isEqualTo(0L);
        assertThat(gauges.get("cosmosdb.requestCharge").getValue()).isEqualTo(2.5);

        session.addSplits(List.of(model.split(model.root("a").group("x", "y"))));
        session.poll(0);
        assertThat(gauges.get("cosmosdb.documents").getValue()).isEqualTo(2L);
        session.close();
        assertThat(gauges.get("cosmosdb.documents").getValue()).isEqualTo(2L);
    }
}
