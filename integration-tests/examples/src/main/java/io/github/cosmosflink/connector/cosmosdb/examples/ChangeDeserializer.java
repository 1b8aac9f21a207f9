// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.examples;

import io.github.cosmosflink.connector.cosmosdb.source.reader.deserializer.CosmosDBDeserializationSchema;
import io.github.cosmosflink.connector.cosmosdb.source.reader.deserializer.CosmosDBRecordMetadata;
import java.io.IOException;
import org.apache.flink.api.common.serialization.DeserializationSchema;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonFactory;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonParser;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonToken;
import org.apache.flink.util.Collector;

/**
 * Takes two fields of a document and skips the rest. It parses with the Jackson inside of Flink so
 * that the job's JAR needs nothing but the connector; a job of yours would bring its own Jackson,
 * or use {@code CosmosDBDeserializationSchema.pojo(...)}.
 */
public class ChangeDeserializer implements CosmosDBDeserializationSchema<Change> {

    private static final long serialVersionUID = 1L;

    private final String partitionKeyField;
    private transient JsonFactory json;

    /**
     * @param partitionKeyField name of the field at the top of the document that is its partition
     *     key
     */
    public ChangeDeserializer(String partitionKeyField) {
        this.partitionKeyField = partitionKeyField;
    }

    @Override
    public void open(DeserializationSchema.InitializationContext context) {
        json = new JsonFactory();
    }

    @Override
    public void deserialize(byte[] document, CosmosDBRecordMetadata metadata, Collector<Change> out)
            throws IOException {
        Change change = new Change();
        change.etag = metadata.etag();
        change.lsn = metadata.lsn().orElse(-1);
        change.timestamp = metadata.timestampMillis().orElse(-1);
        try (JsonParser parser = json.createParser(document)) {
            parser.nextToken();
            while (parser.nextToken() == JsonToken.FIELD_NAME) {
                String field = parser.getCurrentName();
                parser.nextToken();
                if (field.equals("id")) {
                    change.id = parser.getText();
                } else if (field.equals(partitionKeyField)) {
                    change.partitionKey = parser.getText();
                } else {
                    parser.skipChildren();
                }
            }
        }
        out.collect(change);
    }

    @Override
    public TypeInformation<Change> getProducedType() {
        return TypeInformation.of(Change.class);
    }
}
