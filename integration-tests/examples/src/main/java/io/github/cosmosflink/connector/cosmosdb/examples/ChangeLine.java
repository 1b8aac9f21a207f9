// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.examples;

import io.github.cosmosflink.connector.cosmosdb.source.reader.deserializer.ChangeOperation;
import io.github.cosmosflink.connector.cosmosdb.source.reader.deserializer.CosmosDBDeserializationSchema;
import io.github.cosmosflink.connector.cosmosdb.source.reader.deserializer.CosmosDBRecordMetadata;
import java.io.IOException;
import java.io.StringWriter;
import java.util.Locale;
import javax.annotation.Nullable;
import org.apache.flink.api.common.serialization.DeserializationSchema;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonFactory;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonGenerator;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonParser;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonToken;
import org.apache.flink.util.Collector;

/**
 * A change as one line of JSON with all that {@code verify-changes} wants to know: which document,
 * which version, what was done, where it stands in the feed, which split brought it, and when.
 */
final class ChangeLine implements CosmosDBDeserializationSchema<String> {

    private static final long serialVersionUID = 1L;

    private final String partitionKeyField;
    private transient JsonFactory json;

    /**
     * @param partitionKeyField name of the field at the top of the document that is its partition
     *     key
     */
    ChangeLine(String partitionKeyField) {
        this.partitionKeyField = partitionKeyField;
    }

    @Override
    public void open(DeserializationSchema.InitializationContext context) {
        json = new JsonFactory();
    }

    @Override
    public boolean handlesDeletes() {
        return true;
    }

    @Override
    public void deserialize(byte[] document, CosmosDBRecordMetadata metadata, Collector<String> out)
            throws IOException {
        StringWriter line = new StringWriter(256);
        try (JsonGenerator generator = json.createGenerator(line)) {
            generator.writeStartObject();
            if (metadata.operation() == ChangeOperation.DELETE) {
                generator.writeStringField("id", metadata.id());
                generator.writeFieldName("pk");
                generator.writeRawValue(metadata.partitionKey());
            } else {
                generator.writeStringField("id", field(document, "id"));
                generator.writeStringField("pk", field(document, partitionKeyField));
                generator.writeStringField("etag", metadata.etag());
            }
            byte[] previous = metadata.previousDocument();
            if (previous != null) {
                generator.writeStringField("previous_etag", field(previous, "_etag"));
            }
            generator.writeStringField("op", metadata.operation().name().toLowerCase(Locale.ROOT));
            generator.writeBooleanField("ttl", metadata.isTimeToLiveExpired());
            generator.writeNumberField("lsn", metadata.lsn().orElse(-1));
            generator.writeNumberField("ts", metadata.timestampMillis().orElse(-1));
            generator.writeStringField("split", metadata.splitId());
            generator.writeNumberField("at", System.currentTimeMillis());
            generator.writeEndObject();
        }
        out.collect(line.toString());
    }

    /** A text field at the top of a document; null when it is not there. */
    @Nullable
    private String field(byte[] document, String name) throws IOException {
        try (JsonParser parser = json.createParser(document)) {
            parser.nextToken();
            while (parser.nextToken() == JsonToken.FIELD_NAME) {
                boolean found = parser.getCurrentName().equals(name);
                parser.nextToken();
                if (found) {
                    return parser.getText();
                }
                parser.skipChildren();
            }
        }
        return null;
    }

    @Override
    public TypeInformation<String> getProducedType() {
        return Types.STRING;
    }
}
