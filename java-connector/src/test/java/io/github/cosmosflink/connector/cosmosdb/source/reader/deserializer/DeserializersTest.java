// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.reader.deserializer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.api.common.serialization.DeserializationSchema;
import org.apache.flink.api.common.serialization.SerializerConfigImpl;
import org.apache.flink.api.common.serialization.SimpleStringSchema;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.typeutils.PojoTypeInfo;
import org.apache.flink.api.java.typeutils.RowTypeInfo;
import org.apache.flink.connector.testutils.formats.DummyInitializationContext;
import org.apache.flink.types.Row;
import org.apache.flink.util.Collector;
import org.apache.flink.util.InstantiationUtil;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class DeserializersTest {

    /**
     * As in a job: the schema travels, is opened, and what it makes goes through its type's
     * serializer.
     */
    private static <T> T deserialize(CosmosDBDeserializationSchema<T> schema, String document)
            throws Exception {
        CosmosDBDeserializationSchema<T> copy = InstantiationUtil.clone(schema);
        copy.open(new DummyInitializationContext());
        List<T> records = new ArrayList<>();
        copy.deserialize(
                document.getBytes(StandardCharsets.UTF_8),
                new TestMetadata(),
                new Collector<T>() {
                    @Override
                    public void collect(T record) {
                        records.add(record);
                    }

                    @Override
                    public void close() {}
                });
        assertThat(records).hasSize(1);
        return throughSerializer(copy.getProducedType(), records.get(0));
    }

    private static <T> T throughSerializer(TypeInformation<T> type, T record) throws IOException {
        return TestMetadata.copy(type.createSerializer(new SerializerConfigImpl()), record);
    }

    @Test
    void jsonIsTheText() throws Exception {
        String document = "{\"id\" : \"é\uD83D\uDE00\"}";

        assertThat(deserialize(CosmosDBDeserializationSchema.json(), document)).isEqualTo(document);
    }

    /** Tells whether it was opened. */
    private static final class Opened extends SimpleStringSchema {

        private transient boolean opened;

        @Override
        public void open(DeserializationSchema.InitializationContext context) {
            opened = true;
        }

        @Override
        public String deserialize(byte[] message) {
            return opened + " " + super.deserialize(message);
        }
    }

    @Test
    void anyOfFlinksSchemasIsAdapted() throws Exception {
        DeserializationSchema<String> schema = new Opened();

        assertThat(deserialize(CosmosDBDeserializationSchema.of(schema), "{}"))
                .isEqualTo("true {}");
        assertThat(CosmosDBDeserializationSchema.of(schema).getProducedType())
                .isEqualTo(Types.STRING);
    }

    @Test
    void aTreeIsJacksons() throws Exception {
        String document = "{\"id\":\"a\",\"n\":1.5,\"list\":[1,true,null],\"o\":{\"x\":\"y\"}}";

        JsonNode tree = deserialize(new JsonTreeDeserializationSchema(), document);

        assertThat(tree).isEqualTo(new ObjectMapper().readTree(document));
        assertThat(tree.get("o").get("x").textValue()).isEqualTo("y");
    }

    /** An order as a user would write it. */
    public static class Order {

        public String id;
        public int quantity = 1;
        public double price;
        public String note = "none";
    }

    @Test
    void aPojoIsReadTolerantly() throws Exception {
        CosmosDBDeserializationSchema<Order> schema =
                CosmosDBDeserializationSchema.pojo(Order.class);
        assertThat(schema.getProducedType()).isInstanceOf(PojoTypeInfo.class);

        Order order =
                deserialize(
                        schema, "{\"id\":\"a\",\"_etag\":\"e\",\"price\":2,\"more\":{\"x\":1}}");

        assertThat(order.id).isEqualTo("a");
        assertThat(order.price).isEqualTo(2.0);
        assertThat(order.quantity).as("missing").isEqualTo(1);
        assertThat(order.note).as("missing").isEqualTo("none");
    }

    @Test
    void aPojosFieldOfAnotherTypeFails() {
        assertThatThrownBy(
                        () ->
                                deserialize(
                                        CosmosDBDeserializationSchema.pojo(Order.class),
                                        "{\"quantity\":\"many\"}"))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("quantity");
    }

    private static RowTypeInfo columns(TypeInformation<?>... types) {
        String[] names = new String[types.length];
        for (int i = 0; i < names.length; i++) {
            names[i] = "c" + i;
        }
        return new RowTypeInfo(types, names);
    }

    @Test
    void aRowHasEveryTypeOfColumn() throws Exception {
        RowTypeInfo type =
                columns(
                        Types.STRING,
                        Types.BOOLEAN,
                        Types.BYTE,
                        Types.SHORT,
                        Types.INT,
                        Types.LONG,
                        Types.FLOAT,
                        Types.DOUBLE,
                        Types.BIG_DEC,
                        Types.BIG_INT,
                        Types.INSTANT,
                        Types.LOCAL_DATE,
                        Types.PRIMITIVE_ARRAY(Types.BYTE),
                        Types.LIST(Types.INT),
                        Types.MAP(Types.STRING, Types.LONG),
                        Types.OBJECT_ARRAY(Types.STRING),
                        columns(Types.STRING));
        String document =
                "{\"c0\":\"x\",\"c1\":true,\"c2\":-1,\"c3\":2,\"c4\":3.0,\"c5\":9007199254740993,"
                        + "\"c6\":0.5,\"c7\":1e3,\"c8\":0.1234567890123456789,\"c9\":1e20,"
                        + "\"c10\":\"2024-01-02T03:04:05Z\",\"c11\":\"2024-01-02\",\"c12\":\"AQI=\","
                        + "\"c13\":[1,2],\"c14\":{\"k\":5,\"none\":null},\"c15\":[\"p\",null],"
                        + "\"c16\":{\"c0\":{\"deep\":1},\"more\":2},\"unknown\":[]}";

        Row row = deserialize(CosmosDBDeserializationSchema.row(type), document);

        Map<String, Long> map = new HashMap<>();
        map.put("k", 5L);
        map.put("none", null);
        assertThat(row.getField(0)).isEqualTo("x");
        assertThat(row.getField("c1")).isEqualTo(true);
        assertThat(row.getField("c2")).isEqualTo((byte) -1);
        assertThat(row.getField("c3")).isEqualTo((short) 2);
        assertThat(row.getField("c4")).isEqualTo(3);
        assertThat(row.getField("c5")).isEqualTo(9007199254740993L);
        assertThat(row.getField("c6")).isEqualTo(0.5f);
        assertThat(row.getField("c7")).isEqualTo(1000.0);
        assertThat(row.getField("c8")).isEqualTo(new BigDecimal("0.1234567890123456789"));
        assertThat(row.getField("c9")).isEqualTo(BigInteger.TEN.pow(20));
        assertThat(row.getField("c10")).isEqualTo(Instant.parse("2024-01-02T03:04:05Z"));
        assertThat(row.getField("c11")).isEqualTo(LocalDate.of(2024, 1, 2));
        assertThat((byte[]) row.getField("c12")).containsExactly(1, 2);
        assertThat(row.getField("c13")).isEqualTo(List.of(1, 2));
        assertThat(row.getField("c14")).isEqualTo(map);
        assertThat((String[]) row.getField("c15")).containsExactly("p", null);
        assertThat(((Row) row.getField("c16")).getField("c0")).isEqualTo("{\"deep\":1}");
    }

    @Test
    void whatARowMissesIsNull() throws Exception {
        RowTypeInfo type = columns(Types.STRING, Types.INT, columns(Types.INT));

        Row row = deserialize(CosmosDBDeserializationSchema.row(type), "{\"c1\":null,\"other\":1}");

        assertThat(row).isEqualTo(Row.of(null, null, null));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "INT     | 1.5          | number",
                "INT     | 3000000000   | number",
                "BYTE    | 200          | number",
                "LONG    | 1e400000000  | number",
                "BIG_INT | 1e400000000  | number",
                "BIG_INT | 1e-400000000 | number",
                "FLOAT   | 1e39         | number",
                "DOUBLE  | -1e400       | number",
                "INT     | \"1\"        | string",
                "BOOLEAN | 1            | number",
                "INSTANT | \"today\"    | string",
                "INSTANT | 5            | number",
                "LIST    | {}           | object",
                "TEXTS   | [\"a\",null] | null",
                "ROW     | []           | array"
            })
    void aColumnThatAValueDoesNotFitFailsAndIsNamed(String column, String value, String kind) {
        Map<String, TypeInformation<?>> types =
                Map.ofEntries(
                        Map.entry("INT", Types.INT),
                        Map.entry("BYTE", Types.BYTE),
                        Map.entry("LONG", Types.LONG),
                        Map.entry("BIG_INT", Types.BIG_INT),
                        Map.entry("FLOAT", Types.FLOAT),
                        Map.entry("DOUBLE", Types.DOUBLE),
                        Map.entry("BOOLEAN", Types.BOOLEAN),
                        Map.entry("INSTANT", Types.INSTANT),
                        Map.entry("LIST", Types.LIST(Types.INT)),
                        Map.entry("TEXTS", Types.LIST(Types.STRING)),
                        Map.entry("ROW", columns(Types.INT)));
        RowTypeInfo type = columns(columns(types.get(column)));

        assertThatThrownBy(
                        () ->
                                deserialize(
                                        CosmosDBDeserializationSchema.row(type),
                                        "{\"c0\":{\"c0\":" + value + "}}"))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("the value at $.c0.c0")
                .hasMessageContaining("is a JSON " + kind);
    }

    @Test
    void aDocumentThatIsNoObjectIsNoRow() {
        CosmosDBDeserializationSchema<Row> schema =
                CosmosDBDeserializationSchema.row(columns(Types.INT));

        for (String document : List.of("null", "[]", "")) {
            assertThatThrownBy(() -> deserialize(schema, document))
                    .as(document)
                    .isInstanceOf(IOException.class);
        }
    }

    @Test
    void aTypeThatNoColumnCanHaveIsRefusedWhileTheJobIsBuilt() {
        assertThatThrownBy(
                        () ->
                                CosmosDBDeserializationSchema.row(
                                        columns(Types.GENERIC(Thread.class))))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("Thread");
    }
}
