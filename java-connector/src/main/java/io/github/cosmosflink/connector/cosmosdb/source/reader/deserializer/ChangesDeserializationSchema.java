// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.reader.deserializer;

import java.io.IOException;
import java.util.Objects;
import java.util.OptionalLong;
import javax.annotation.Nullable;
import org.apache.flink.api.common.serialization.DeserializationSchema;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.util.Collector;

/** A {@link CosmosDBChange} for each change; another schema makes something of the documents. */
final class ChangesDeserializationSchema<T>
        implements CosmosDBDeserializationSchema<CosmosDBChange<T>> {

    private static final long serialVersionUID = 1L;

    private final CosmosDBDeserializationSchema<T> documents;

    ChangesDeserializationSchema(CosmosDBDeserializationSchema<T> documents) {
        this.documents = Objects.requireNonNull(documents, "documents");
    }

    @Override
    public void open(DeserializationSchema.InitializationContext context) throws Exception {
        documents.open(context);
    }

    @Override
    public boolean handlesDeletes() {
        return true;
    }

    @Override
    public void deserialize(
            byte[] document, CosmosDBRecordMetadata metadata, Collector<CosmosDBChange<T>> out)
            throws IOException {
        boolean delete = metadata.operation() == ChangeOperation.DELETE;
        T after = delete ? null : one(document, metadata);
        if (after == null && !delete) {
            // The schema of the documents leaves this one out.
            return;
        }
        byte[] previous = metadata.previousDocument();
        CosmosDBChange<T> change = new CosmosDBChange<>();
        change.setOperation(metadata.operation());
        change.setId(metadata.id());
        change.setPartitionKey(metadata.partitionKey());
        change.setAfter(after);
        change.setBefore(previous == null ? null : one(previous, metadata));
        change.setLsn(boxed(metadata.lsn()));
        change.setTimestampMillis(boxed(metadata.timestampMillis()));
        change.setTimeToLiveExpired(metadata.isTimeToLiveExpired());
        out.collect(change);
    }

    @Nullable
    private T one(byte[] document, CosmosDBRecordMetadata metadata) throws IOException {
        AtMostOne<T> made = new AtMostOne<>();
        documents.deserialize(document, metadata, made);
        if (made.count > 1) {
            throw new IOException(
                    "a change has one document, and the schema around which changes(…) is made "
                            + made.count
                            + " records of it");
        }
        return made.record;
    }

    @Nullable
    private static Long boxed(OptionalLong value) {
        return value.isPresent() ? value.getAsLong() : null;
    }

    @Override
    public TypeInformation<CosmosDBChange<T>> getProducedType() {
        return CosmosDBChange.typeOf(documents.getProducedType());
    }

    private static final class AtMostOne<T> implements Collector<T> {

        @Nullable private T record;
        private int count;

        @Override
        public void collect(T record) {
            this.record = record;
            count++;
        }

        @Override
        public void close() {}
    }
}
