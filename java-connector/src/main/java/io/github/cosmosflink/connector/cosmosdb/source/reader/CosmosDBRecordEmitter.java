// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.reader;

import io.github.cosmosflink.connector.cosmosdb.source.backend.ChangeFeedPage;
import io.github.cosmosflink.connector.cosmosdb.source.reader.deserializer.CosmosDBDeserializationSchema;
import java.io.IOException;
import javax.annotation.Nullable;
import org.apache.flink.api.connector.source.SourceOutput;
import org.apache.flink.connector.base.source.reader.RecordEmitter;
import org.apache.flink.metrics.Counter;
import org.apache.flink.metrics.groups.OperatorIOMetricGroup;
import org.apache.flink.util.Collector;

/** Emits a commit group whole, then moves the split's state past it. For the task's thread. */
final class CosmosDBRecordEmitter<T> implements RecordEmitter<CommitGroup, T, CosmosDBSplitState> {

    private final CosmosDBDeserializationSchema<T> deserializer;
    private final Counter numRecordsIn;
    private final Counter numBytesIn;

    /** Null when deletes are for the deserializer. */
    @Nullable private final Counter deletesIgnored;

    private final PageRecordMetadata metadata = new PageRecordMetadata();
    private final OutputCollector<T> collector = new OutputCollector<>();

    CosmosDBRecordEmitter(
            CosmosDBDeserializationSchema<T> deserializer,
            OperatorIOMetricGroup metrics,
            @Nullable Counter deletesIgnored) {
        this.deserializer = deserializer;
        this.deletesIgnored = deletesIgnored;
        this.numRecordsIn = metrics.getNumRecordsInCounter();
        this.numBytesIn = metrics.getNumBytesInCounter();
    }

    @Override
    public void emitRecord(CommitGroup group, SourceOutput<T> output, CosmosDBSplitState state)
            throws IOException {
        ChangeFeedPage page = group.page();
        collector.output = output;
        try {
            for (int i = group.firstDocument(); i < group.endDocument(); i++) {
                if (deletesIgnored != null && page.operation(i) == ChangeFeedPage.DELETE) {
                    deletesIgnored.inc();
                    continue;
                }
                byte[] document = page.document(i);
                numBytesIn.inc(document.length);
                collector.timestamp = page.timestampMillis(i);
                metadata.show(page, i, state.feedRange());
                emit(document);
            }
        } finally {
            metadata.hide();
            collector.output = null;
        }
        // Flink has counted the group as one record.
        numRecordsIn.inc(group.endDocument() - group.firstDocument() - 1L);
        state.emitted(group);
    }

    private void emit(byte[] document) throws IOException {
        try {
            deserializer.deserialize(document, metadata, collector);
        } catch (IOException e) {
            throw new IOException(
                    "cannot deserialize a document of " + document.length + " bytes, " + metadata,
                    e);
        }
    }

    /** Gives each record its document's time. */
    private static final class OutputCollector<T> implements Collector<T> {

        private SourceOutput<T> output;
        private long timestamp;

        @Override
        public void collect(T record) {
            if (timestamp == ChangeFeedPage.ABSENT) {
                output.collect(record);
            } else {
                output.collect(record, timestamp);
            }
        }

        @Override
        public void close() {}
    }
}
