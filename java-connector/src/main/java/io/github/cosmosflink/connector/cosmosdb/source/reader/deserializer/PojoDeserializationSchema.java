// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.reader.deserializer;

import com.fasterxml.jackson.databind.ObjectReader;
import java.io.IOException;
import java.util.Objects;
import org.apache.flink.api.common.serialization.DeserializationSchema;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.util.Collector;

/** An object of the user's class for each document. */
final class PojoDeserializationSchema<T> implements CosmosDBDeserializationSchema<T> {

    private static final long serialVersionUID = 1L;

    private final Class<T> type;

    private transient ObjectReader reader;

    PojoDeserializationSchema(Class<T> type) {
        Jackson.require(PojoDeserializationSchema.class);
        this.type = Objects.requireNonNull(type, "type");
    }

    @Override
    public void open(DeserializationSchema.InitializationContext context) {
        reader = Jackson.mapper(context).readerFor(type);
    }

    @Override
    public void deserialize(byte[] document, CosmosDBRecordMetadata metadata, Collector<T> out)
            throws IOException {
        out.collect(reader.readValue(document));
    }

    @Override
    public TypeInformation<T> getProducedType() {
        return TypeInformation.of(type);
    }
}
