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
 * Makes a {@link Change} of a change in a {@link TestContainer}, in either mode, and checks that
 * the metadata says the same as the document.
 */
public class ChangeDeserializer implements CosmosDBDeserializationSchema<Change> {

    private static final long serialVersionUID = 1L;

    private transient ObjectMapper json;

    @Override
    public void open(DeserializationSchema.InitializationContext context) {
        json = new ObjectMapper();
    }

    @Override
    public boolean handlesDeletes() {
        return true;
    }

    @Override
    public void deserialize(byte[] document, CosmosDBRecordMetadata metadata, Collector<Change> out)
            throws IOException {
        boolean delete = metadata.operation() == ChangeOperation.DELETE;
        Change change = new Change();
        change.id = metadata.id();
        change.operation = metadata.operation().name();
        change.timeToLiveExpired = metadata.isTimeToLiveExpired();
        change.lsn = metadata.lsn().orElseThrow();
        change.timestamp = metadata.timestampMillis().orElseThrow();
        change.splitId = metadata.splitId();
        change.emitted = System.nanoTime();
        byte[] previous = metadata.previousDocument();
        change.previousEtag = previous == null ? "" : etag(json.readTree(previous));
        if (delete) {
            require(document.length, 0, "document's length");
            change.etag = "";
            change.partitionKey = onlyValue(json.readTree(metadata.partitionKey()));
        } else {
            JsonNode item = json.readTree(document);
            change.etag = unquoted(metadata.etag());
            change.partitionKey = item.get("pk").asText();
            require(change.id, item.get("id").asText(), "id");
            require(change.etag, etag(item), "etag");
            require(change.timestamp, item.get("_ts").asLong() * 1000, "timestamp");
        }
        out.collect(change);
    }

    private static String etag(JsonNode item) {
        return unquoted(item.get("_etag").asText());
    }

    /** The value of a partition key with one path. */
    private static String onlyValue(JsonNode partitionKey) throws IOException {
        require(partitionKey.size(), 1, "number of values in the partition key");
        return partitionKey.elements().next().asText();
    }

    private static void require(Object found, Object expected, String what) throws IOException {
        if (!expected.equals(found)) {
            throw new IOException(
                    "the metadata's " + what + " is " + found + ", expected " + expected);
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
