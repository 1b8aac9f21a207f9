// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.reader.deserializer;

import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import org.apache.flink.api.common.serialization.DeserializationSchema;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.java.typeutils.RowTypeInfo;
import org.apache.flink.types.Row;
import org.apache.flink.util.Collector;

/** A row for each document. */
final class RowDeserializationSchema implements CosmosDBDeserializationSchema<Row> {

    private static final long serialVersionUID = 1L;

    private final RowTypeInfo type;

    private transient ObjectMapper mapper;
    private transient JsonColumns.Converter converter;

    RowDeserializationSchema(RowTypeInfo type) {
        Jackson.require(RowDeserializationSchema.class);
        this.type = type;
        // Refuses a type that no column can have while the job is being built.
        JsonColumns.row(type);
    }

    @Override
    public void open(DeserializationSchema.InitializationContext context) {
        // Decimal columns keep all digits.
        mapper =
                Jackson.mapper(context)
                        .configure(DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS, true);
        converter = JsonColumns.row(type);
    }

    @Override
    public void deserialize(byte[] document, CosmosDBRecordMetadata metadata, Collector<Row> out)
            throws IOException {
        JsonNode tree = mapper.readTree(document);
        out.collect((Row) converter.convert(tree, "$"));
    }

    @Override
    public TypeInformation<Row> getProducedType() {
        return type;
    }
}
