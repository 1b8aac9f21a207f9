// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.integration.harness;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.github.cosmosflink.connector.cosmosdb.source.reader.deserializer.ChangeOperation;
import io.github.cosmosflink.connector.cosmosdb.source.reader.deserializer.CosmosDBDeserializationSchema;
import io.github.cosmosflink.connector.cosmosdb.source.reader.deserializer.CosmosDBRecordMetadata;
import java.io.IOException;
import org.apache.flink.api.common.serialization.DeserializationSchema;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.util.Collector;

/**
 * Makes a {@link Change} of a document of {@link TestContainer}, and checks that the metadata says
 * the same as the document.
 */
public class ChangeDeserializer implements CosmosDBDeserializationSchema<Change> {

    private static final long serialVersionUID = 1L;

    private transient ObjectMapper json;

    @Override
    public void open(DeserializationSchema.InitializationContext context) {
        json = new ObjectMapper();
    }

    @Override
    public void deserialize(byte[] document, CosmosDBRecordMetadata metadata, Collector<Change> out)
            throws IOException {
        JsonNode item = json.readTree(document);
        Change change = new Change();
        change.id = item.get("id").asText();
        change.partitionKey = item.get("pk").asText();
        change.etag = unquoted(metadata.etag());
        change.lsn = metadata.lsn().orElseThrow();
        change.timestamp = metadata.timestampMillis().orElseThrow();
        change.splitId = metadata.splitId();
        change.emitted = System.nanoTime();
        require(metadata.etag(), item.get("_etag").asText(), "etag");
        require(change.timestamp, item.get("_ts").asLong() * 1000, "timestamp");
        require(metadata.operation(), ChangeOperation.UNKNOWN, "operation");
        out.collect(change);
    }

    private static void require(Object found, Object expected, String what) throws IOException {
        if (!expected.equals(found)) {
            throw new IOException(
                    "metadata's " + what + " is " + found + ", the document's is " + expected);
        }
    }

    static String unquoted(String etag) {
        return etag.replace("\"", "");
    }

    @Override
    public TypeInformation<Change> getProducedType() {
        return TypeInformation.of(Change.class);
    }
}
