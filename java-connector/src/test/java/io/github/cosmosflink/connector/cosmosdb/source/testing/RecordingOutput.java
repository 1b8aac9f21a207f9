// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.testing;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.flink.api.common.eventtime.Watermark;
import org.apache.flink.api.connector.source.ReaderOutput;
import org.apache.flink.api.connector.source.SourceOutput;

/** Keeps what was emitted and which splits have an output. */
public final class RecordingOutput<T> implements ReaderOutput<T> {

    private final List<T> records = new ArrayList<>();
    private final List<Long> timestamps = new ArrayList<>();
    private final Map<String, SourceOutput<T>> outputs = new LinkedHashMap<>();

    public List<T> records() {
        return records;
    }

    /** Of each record, null when it was emitted without. */
    public List<Long> timestamps() {
        return timestamps;
    }

    public Set<String> splitsWithOutput() {
        return outputs.keySet();
    }

    @Override
    public SourceOutput<T> createOutputForSplit(String splitId) {
        return outputs.computeIfAbsent(splitId, id -> new SplitOutput());
    }

    /** As Flink: a split that ends must have had an output. */
    @Override
    public void releaseOutputForSplit(String splitId) {
        if (outputs.remove(splitId) == null) {
            throw new AssertionError("split " + splitId + " ends without ever having an output");
        }
    }

    @Override
    public void collect(T record) {
        records.add(record);
        timestamps.add(null);
    }

    @Override
    public void collect(T record, long timestamp) {
        records.add(record);
        timestamps.add(timestamp);
    }

    @Override
    public void emitWatermark(Watermark watermark) {
        throw new AssertionError("the source makes no watermarks");
    }

    @Override
    public void markIdle() {
        throw new AssertionError("the source does not mark itself idle");
    }

    @Override
    public void markActive() {
        throw new AssertionError("the source does not mark itself active");
    }

    private final class SplitOutput implements SourceOutput<T> {

        @Override
        public void collect(T record) {
            RecordingOutput.this.collect(record);
        }

        @Override
        public void collect(T record, long timestamp) {
            RecordingOutput.this.collect(record, timestamp);
        }

        @Override
        public void emitWatermark(Watermark watermark) {
            RecordingOutput.this.emitWatermark(watermark);
        }

        @Override
        public void markIdle() {
            RecordingOutput.this.markIdle();
        }

        @Override
        public void markActive() {
            RecordingOutput.this.markActive();
        }
    }
}
