// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.reader.deserializer;

import java.io.IOException;
import java.io.Serializable;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.api.common.serialization.DeserializationSchema;
import org.apache.flink.api.java.typeutils.ResultTypeQueryable;
import org.apache.flink.api.java.typeutils.RowTypeInfo;
import org.apache.flink.types.Row;
import org.apache.flink.util.Collector;

/**
 * Makes records of documents. Called by one thread at a time.
 *
 * <p>The adapters for POJOs, rows and trees ({@link JsonTreeDeserializationSchema}) need Jackson's
 * {@code jackson-databind} among the job's own libraries; the others need nothing.
 *
 * @param <T> what is made of a document
 */
@PublicEvolving
public interface CosmosDBDeserializationSchema<T> extends Serializable, ResultTypeQueryable<T> {

    /** Called once in each reader, before the first document. */
    default void open(DeserializationSchema.InitializationContext context) throws Exception {}

    /**
     * Makes no, one or many records of a document. Their timestamp is the document's.
     *
     * @param document the item's JSON as UTF-8, system properties included; empty for a delete; not
     *     used again by the caller
     * @param metadata valid during this call only
     * @throws IOException when the document is not what is expected; fails the job
     */
    void deserialize(byte[] document, CosmosDBRecordMetadata metadata, Collector<T> out)
            throws IOException;

    /**
     * Whether {@link #deserialize} knows what to do with a delete, for which there is no document.
     * Without that, all versions and deletes can be read only with the deletes ignored.
     */
    default boolean handlesDeletes() {
        return false;
    }

    /** The document's JSON text, as it is. */
    static CosmosDBDeserializationSchema<String> json() {
        return new JsonTextDeserializationSchema();
    }

    /** Passes the document's bytes to any of Flink's schemas. */
    static <T> CosmosDBDeserializationSchema<T> of(DeserializationSchema<T> schema) {
        return new DeserializationSchemaAdapter<>(schema);
    }

    /**
     * An object for each document, by Jackson. Fields that the class does not have are ignored,
     * fields that the document does not have keep the value that the class gives them.
     */
    static <T> CosmosDBDeserializationSchema<T> pojo(Class<T> type) {
        return new PojoDeserializationSchema<>(type);
    }

    /**
     * A row for each document, by Jackson: columns are taken by name, what the type does not have
     * is ignored, what the document does not have is null.
     *
     * @param type names and types of the columns
     */
    static CosmosDBDeserializationSchema<Row> row(RowTypeInfo type) {
        return new RowDeserializationSchema(type);
    }

    /**
     * A {@link CosmosDBChange} for each change, deletes among them: operation, id, the document and
     * the one before, LSN and time. In both modes; latest version knows no operation, no delete and
     * no document before.
     *
     * @param documents makes one record of a document or none; of a document that it makes none of,
     *     there is no change, but its delete comes. It is called for the document and for the one
     *     before, both with the metadata of the change: for the one before a delete with the
     *     delete's, but never for the empty document of a delete
     */
    static <T> CosmosDBDeserializationSchema<CosmosDBChange<T>> changes(
            CosmosDBDeserializationSchema<T> documents) {
        return new ChangesDeserializationSchema<>(documents);
    }
}
