// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.simulation;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import org.apache.flink.api.common.eventtime.Watermark;
import org.apache.flink.api.connector.source.ReaderOutput;
import org.apache.flink.api.connector.source.SourceOutput;

/**
 * A reader's output with a watermark per split, combined as Flink does it: an output without a
 * watermark holds the reader's, and without any output it stays where it is. The watermark of a
 * split is right behind its last timestamp. A record that is not above its reader's watermark is
 * late.
 */
final class ModelOutput implements ReaderOutput<byte[]> {

    private static final class Split {

        long highest = Long.MIN_VALUE;
        long watermark = Long.MIN_VALUE;
        SourceOutput<byte[]> output;
    }

    private final Map<String, Split> splits = new LinkedHashMap<>();
    private final Consumer<byte[]> records;
    private long watermark = Long.MIN_VALUE;

    ModelOutput(Consumer<byte[]> records) {
        this.records = records;
    }

    /** What Flink does every few hundred milliseconds. */
    void emitWatermark() {
        long lowest = Long.MAX_VALUE;
        for (Split split : splits.values()) {
            if (split.highest != Long.MIN_VALUE) {
                split.watermark = split.highest - 1;
            }
            lowest = Math.min(lowest, split.watermark);
        }
        if (!splits.isEmpty()) {
            watermark = Math.max(watermark, lowest);
        }
    }

    Set<String> splits() {
        return splits.keySet();
    }

    @Override
    public SourceOutput<byte[]> createOutputForSplit(String splitId) {
        return splits.computeIfAbsent(
                        splitId,
                        id -> {
                            Split split = new Split();
                            split.output = new SplitOutput(id, split);
                            return split;
                        })
                .output;
    }

    @Override
    public void releaseOutputForSplit(String splitId) {
        if (splits.remove(splitId) == null) {
            throw new IllegalStateException("no output of " + splitId);
        }
    }

    @Override
    public void collect(byte[] record) {
        throw new UnsupportedOperationException();
    }

    @Override
    public void collect(byte[] record, long timestamp) {
        throw new UnsupportedOperationException();
    }

    @Override
    public void emitWatermark(Watermark given) {
        throw new UnsupportedOperationException();
    }

    @Override
    public void markIdle() {
        throw new UnsupportedOperationException();
    }

    @Override
    public void markActive() {
        throw new UnsupportedOperationException();
    }

    private final class SplitOutput implements SourceOutput<byte[]> {

        private final String splitId;
        private final Split split;

        SplitOutput(String splitId, Split split) {
            this.splitId = splitId;
            this.split = split;
        }

        @Override
        public void collect(byte[] record) {
            throw new UnsupportedOperationException();
        }

        @Override
        public void collect(byte[] record, long timestamp) {
            if (timestamp <= watermark) {
                throw new IllegalStateException(
                        "late by the split or move of a range: a record of "
                                + splitId
                                + " at "
                                + timestamp
                                + ", the watermark is "
                                + watermark);
            }
            split.highest = Math.max(split.highest, timestamp);
            records.accept(record);
        }

        @Override
        public void emitWatermark(Watermark given) {
            throw new UnsupportedOperationException();
        }

        @Override
        public void markIdle() {
            throw new UnsupportedOperationException();
        }

        @Override
        public void markActive() {
            throw new UnsupportedOperationException();
        }
    }
}
