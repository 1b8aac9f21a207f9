// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.reader.deserializer;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.api.common.serialization.DeserializationSchema;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.util.Collector;

/**
 * A Jackson tree for each document. Apart from the other adapters' factory, so that a job without
 * Jackson never meets one of its types.
 */
@PublicEvolving
public final class JsonTreeDeserializationSchema
        implements CosmosDBDeserializationSchema<JsonNode> {

    private static final long serialVersionUID = 1L;

    private transient ObjectMapper mapper;

    public JsonTreeDeserializationSchema() {
        Jackson.require(JsonTreeDeserializationSchema.class);
    }

    @Override
    public void open(DeserializationSchema.InitializationContext context) {
        mapper = Jackson.mapper(context);
    }

    @Override
    public void deserialize(
            byte[] document, CosmosDBRecordMetadata metadata, Collector<JsonNode> out)
            throws IOException {
        out.collect(mapper.readTree(document));
    }

    @Override
    public TypeInformation<JsonNode> getProducedType() {
        return TypeInformation.of(JsonNode.class);
    }
}
