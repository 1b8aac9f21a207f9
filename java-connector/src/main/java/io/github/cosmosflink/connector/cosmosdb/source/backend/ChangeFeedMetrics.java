// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.backend;

/** The session's counters, in the order of {@code change_feed::metrics} in the core. */
public final class ChangeFeedMetrics {

    /** Names and order of the values; the index is the contract with the core. */
    public enum Metric {
        /** Bytes of pages fetched and not yet recycled, gauge. */
        BYTES_IN_FLIGHT,
        /** Requests sent for pages, counter. */
        REQUESTS,
        /** Pages with documents, counter. */
        PAGES,
        /** Documents handed to Java, counter. */
        DOCUMENTS,
        /** Answers "304 Not Modified", counter. */
        NOT_MODIFIED,
        /** Answers "429 Too Many Requests", counter. */
        THROTTLED,
        /** Failed requests that were tried again, 429 not counted, counter. */
        RETRIES,
        /** Request charge, thousandths of an RU, counter. */
        REQUEST_CHARGE_MILLIS,
        /**
         * Documents dropped because a re-read page held them again at or below the mark, counter.
         */
        ALREADY_EMITTED,
        /**
         * Documents read again after a merge voided a mark or the end of the present state,
         * counter, an upper bound.
         */
        REPEATED_AFTER_MERGE,
        /** Feed ranges being read, gauge. */
        SPLITS,
        /** Feed ranges that ended because their partition was split, counter. */
        RANGES_SPLIT,
        /** Feed ranges that ended because their release was asked for, counter. */
        RANGES_RELEASED,
        /** Feed ranges found to stand before what the service keeps, counter. */
        RETENTION_EXPIRED
    }

    private final long[] values;

    public ChangeFeedMetrics(long[] values) {
        if (values.length != Metric.values().length) {
            throw new IllegalArgumentException(
                    "expected "
                            + Metric.values().length
                            + " metrics from the core, found "
                            + values.length);
        }
        this.values = values.clone();
    }

    public long get(Metric metric) {
        return values[metric.ordinal()];
    }
}
