// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.reader.deserializer;

import java.io.IOException;
import java.util.OptionalLong;
import javax.annotation.Nullable;
import org.apache.flink.api.common.typeutils.TypeSerializer;
import org.apache.flink.core.memory.DataInputDeserializer;
import org.apache.flink.core.memory.DataOutputSerializer;

/** What a test says of a document. */
final class TestMetadata implements CosmosDBRecordMetadata {

    ChangeOperation operation = ChangeOperation.UNKNOWN;
    boolean timeToLiveExpired;
    @Nullable String id;
    @Nullable String partitionKey;
    @Nullable byte[] previousDocument;
    @Nullable Long lsn;
    @Nullable Long timestampMillis;

    /** As on the way from one task to another. */
    static <T> T copy(TypeSerializer<T> serializer, T record) throws IOException {
        DataOutputSerializer out = new DataOutputSerializer(64);
        serializer.serialize(record, out);
        return serializer.deserialize(new DataInputDeserializer(out.getCopyOfBuffer()));
    }

    private static OptionalLong optional(@Nullable Long value) {
        return value == null ? OptionalLong.empty() : OptionalLong.of(value);
    }

    @Override
    public String splitId() {
        return "split";
    }

    @Override
    public String feedRange() {
        return "[,FF)";
    }

    @Override
    public OptionalLong lsn() {
        return optional(lsn);
    }

    @Override
    public OptionalLong timestampMillis() {
        return optional(timestampMillis);
    }

    @Override
    public ChangeOperation operation() {
        return operation;
    }

    @Override
    public boolean isTimeToLiveExpired() {
        return timeToLiveExpired;
    }

    @Nullable
    @Override
    public String id() {
        return id;
    }

    @Nullable
    @Override
    public String partitionKey() {
        return partitionKey;
    }

    @Nullable
    @Override
    public byte[] previousDocument() {
        return previousDocument;
    }

    @Nullable
    @Override
    public String etag() {
        return null;
    }
}
