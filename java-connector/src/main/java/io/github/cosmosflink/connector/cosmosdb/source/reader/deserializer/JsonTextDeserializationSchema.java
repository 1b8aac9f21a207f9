// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.reader.deserializer;

import java.nio.charset.StandardCharsets;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.util.Collector;

/** The document's text. */
final class JsonTextDeserializationSchema implements CosmosDBDeserializationSchema<String> {

    private static final long serialVersionUID = 1L;

    @Override
    public void deserialize(
            byte[] document, CosmosDBRecordMetadata metadata, Collector<String> out) {
        out.collect(new String(document, StandardCharsets.UTF_8));
    }

    @Override
    public TypeInformation<String> getProducedType() {
        return Types.STRING;
    }
}
