// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.reader.deserializer;

import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import javax.annotation.Nullable;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;

/**
 * A change with what the feed says about it; made by {@link
 * CosmosDBDeserializationSchema#changes(CosmosDBDeserializationSchema)}. A POJO to Flink, so its
 * state may evolve.
 *
 * @param <T> what is made of a document
 */
@PublicEvolving
public final class CosmosDBChange<T> {

    private ChangeOperation operation = ChangeOperation.UNKNOWN;
    @Nullable private String id;
    @Nullable private String partitionKey;
    @Nullable private T after;
    @Nullable private T before;
    @Nullable private Long lsn;
    @Nullable private Long timestampMillis;
    private boolean timeToLiveExpired;

    /** Without values; for Flink. */
    public CosmosDBChange() {}

    /** The type as Flink handles it, {@code documents} being that of {@code after}. */
    static <T> TypeInformation<CosmosDBChange<T>> typeOf(TypeInformation<T> documents) {
        Map<String, TypeInformation<?>> fields = new HashMap<>();
        fields.put("operation", Types.ENUM(ChangeOperation.class));
        fields.put("id", Types.STRING);
        fields.put("partitionKey", Types.STRING);
        fields.put("after", documents);
        fields.put("before", documents);
        fields.put("lsn", Types.LONG);
        fields.put("timestampMillis", Types.LONG);
        fields.put("timeToLiveExpired", Types.BOOLEAN);
        @SuppressWarnings("unchecked")
        Class<CosmosDBChange<T>> type = (Class<CosmosDBChange<T>>) (Class<?>) CosmosDBChange.class;
        return Types.POJO(type, fields);
    }

    public ChangeOperation getOperation() {
        return operation;
    }

    public void setOperation(ChangeOperation operation) {
        this.operation = operation;
    }

    /** The item's id; null when the service did not say it. */
    @Nullable
    public String getId() {
        return id;
    }

    public void setId(@Nullable String id) {
        this.id = id;
    }

    /**
     * The partition key as the service sent it, JSON text: with a delete. Null elsewhere, the
     * document has it.
     */
    @Nullable
    public String getPartitionKey() {
        return partitionKey;
    }

    public void setPartitionKey(@Nullable String partitionKey) {
        this.partitionKey = partitionKey;
    }

    /** What was made of the document; null for a delete. */
    @Nullable
    public T getAfter() {
        return after;
    }

    public void setAfter(@Nullable T after) {
        this.after = after;
    }

    /** What was made of the document before the change; null when the service did not send it. */
    @Nullable
    public T getBefore() {
        return before;
    }

    public void setBefore(@Nullable T before) {
        this.before = before;
    }

    /** See {@link CosmosDBRecordMetadata#lsn}; null when there is none. */
    @Nullable
    public Long getLsn() {
        return lsn;
    }

    public void setLsn(@Nullable Long lsn) {
        this.lsn = lsn;
    }

    /** See {@link CosmosDBRecordMetadata#timestampMillis}; null when there is none. */
    @Nullable
    public Long getTimestampMillis() {
        return timestampMillis;
    }

    public void setTimestampMillis(@Nullable Long timestampMillis) {
        this.timestampMillis = timestampMillis;
    }

    /** Whether this is a delete by time to live. */
    public boolean isTimeToLiveExpired() {
        return timeToLiveExpired;
    }

    public void setTimeToLiveExpired(boolean timeToLiveExpired) {
        this.timeToLiveExpired = timeToLiveExpired;
    }

    @Override
    public boolean equals(Object other) {
        if (!(other instanceof CosmosDBChange)) {
            return false;
        }
        CosmosDBChange<?> that = (CosmosDBChange<?>) other;
        return operation == that.operation
                && Objects.equals(id, that.id)
                && Objects.equals(partitionKey, that.partitionKey)
                && Objects.equals(after, that.after)
                && Objects.equals(before, that.before)
                && Objects.equals(lsn, that.lsn)
                && Objects.equals(timestampMillis, that.timestampMillis)
                && timeToLiveExpired == that.timeToLiveExpired;
    }

    /** Without the operation: an enum's hash differs from one JVM to the next. */
    @Override
    public int hashCode() {
        return Objects.hash(
                id, partitionKey, after, before, lsn, timestampMillis, timeToLiveExpired);
    }

    @Override
    public String toString() {
        return operation
                + (timeToLiveExpired ? " by time to live" : "")
                + " of "
                + id
                + (partitionKey == null ? "" : " in " + partitionKey)
                + " at LSN "
                + lsn
                + ": "
                + before
                + " -> "
                + after;
    }
}
