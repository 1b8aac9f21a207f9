// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.reader.deserializer;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.api.common.serialization.SerializerConfigImpl;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.common.typeutils.TypeSerializer;
import org.apache.flink.api.java.typeutils.PojoTypeInfo;
import org.apache.flink.api.java.typeutils.RowTypeInfo;
import org.apache.flink.connector.testutils.formats.DummyInitializationContext;
import org.apache.flink.types.Row;
import org.apache.flink.util.Collector;
import org.apache.flink.util.InstantiationUtil;
import org.junit.jupiter.api.Test;

/** {@link CosmosDBDeserializationSchema#changes}. */
class ChangesTest {

    private static final String BEFORE = "{\"n\":1}";
    private static final String AFTER = "{\"n\":2}";

    private final TestMetadata metadata = new TestMetadata();

    /** As in a job, through a serializer that would rather fail than fall back to Kryo. */
    private <T> List<CosmosDBChange<T>> changes(
            CosmosDBDeserializationSchema<T> documents, String document) throws Exception {
        CosmosDBDeserializationSchema<CosmosDBChange<T>> schema =
                InstantiationUtil.clone(CosmosDBDeserializationSchema.changes(documents));
        schema.open(new DummyInitializationContext());
        SerializerConfigImpl withoutKryo = new SerializerConfigImpl();
        withoutKryo.setGenericTypes(false);
        TypeSerializer<CosmosDBChange<T>> serializer =
                schema.getProducedType().createSerializer(withoutKryo);
        List<CosmosDBChange<T>> changes = new ArrayList<>();
        schema.deserialize(
                document.getBytes(UTF_8),
                metadata,
                new Collector<>() {
                    @Override
                    public void collect(CosmosDBChange<T> change) {
                        try {
                            changes.add(TestMetadata.copy(serializer, change));
                        } catch (IOException e) {
                            throw new AssertionError(e);
                        }
                    }

                    @Override
                    public void close() {}
                });
        return changes;
    }

    @Test
    void aReplaceHasBothDocuments() throws Exception {
        metadata.operation = ChangeOperation.REPLACE;
        metadata.id = "a";
        metadata.lsn = 7L;
        metadata.timestampMillis = 9_000L;
        metadata.previousDocument = BEFORE.getBytes(UTF_8);

        CosmosDBChange<String> change = changes(CosmosDBDeserializationSchema.json(), AFTER).get(0);

        assertThat(change.getOperation()).isEqualTo(ChangeOperation.REPLACE);
        assertThat(change.getId()).isEqualTo("a");
        assertThat(change.getPartitionKey()).isNull();
        assertThat(change.getBefore()).isEqualTo(BEFORE);
        assertThat(change.getAfter()).isEqualTo(AFTER);
        assertThat(change.getLsn()).isEqualTo(7);
        assertThat(change.getTimestampMillis()).isEqualTo(9_000);
        assertThat(change.isTimeToLiveExpired()).isFalse();
    }

    @Test
    void aDeleteHasNoDocumentAfterIt() throws Exception {
        metadata.operation = ChangeOperation.DELETE;
        metadata.timeToLiveExpired = true;
        metadata.id = "a";
        metadata.partitionKey = "[\"k\"]";
        metadata.previousDocument = BEFORE.getBytes(UTF_8);

        CosmosDBChange<String> change = changes(CosmosDBDeserializationSchema.json(), "").get(0);

        assertThat(change.getOperation()).isEqualTo(ChangeOperation.DELETE);
        assertThat(change.isTimeToLiveExpired()).isTrue();
        assertThat(change.getPartitionKey()).isEqualTo("[\"k\"]");
        assertThat(change.getBefore()).isEqualTo(BEFORE);
        assertThat(change.getAfter()).isNull();
        assertThat(change.getLsn()).isNull();
        assertThat(change.getTimestampMillis()).isNull();
    }

    /** The schema of the documents is not asked about a document that is not there. */
    @Test
    void aDeleteWithoutPreviousImageNeedsNoDocument() throws Exception {
        metadata.operation = ChangeOperation.DELETE;
        metadata.id = "a";

        CosmosDBChange<Row> change = changes(row(), "").get(0);

        assertThat(change.getBefore()).isNull();
        assertThat(change.getAfter()).isNull();
    }

    private static CosmosDBDeserializationSchema<Row> row() {
        return CosmosDBDeserializationSchema.row(
                new RowTypeInfo(new TypeInformation<?>[] {Types.INT}, new String[] {"n"}));
    }

    @Test
    void latestVersionsHaveNoOperation() throws Exception {
        CosmosDBChange<Row> change = changes(row(), AFTER).get(0);

        assertThat(change.getOperation()).isEqualTo(ChangeOperation.UNKNOWN);
        assertThat(change.getAfter().getField("n")).isEqualTo(2);
        assertThat(change.getBefore()).isNull();
    }

    /** A schema that makes a number of records of each document. */
    private static CosmosDBDeserializationSchema<Integer> times(int times) {
        return new CosmosDBDeserializationSchema<>() {
            private static final long serialVersionUID = 1L;

            @Override
            public void deserialize(
                    byte[] document, CosmosDBRecordMetadata metadata, Collector<Integer> out) {
                for (int i = 0; i < times; i++) {
                    out.collect(i);
                }
            }

            @Override
            public TypeInformation<Integer> getProducedType() {
                return Types.INT;
            }
        };
    }

    @Test
    void aDocumentThatIsLeftOutIsNoChange() throws Exception {
        assertThat(changes(times(0), AFTER)).isEmpty();
        // It did exist, though.
        metadata.operation = ChangeOperation.DELETE;
        metadata.previousDocument = BEFORE.getBytes(UTF_8);
        assertThat(changes(times(0), "")).singleElement().matches(c -> c.getBefore() == null);
    }

    @Test
    void severalRecordsOfOneDocumentAreRefused() {
        assertThatThrownBy(() -> changes(times(2), AFTER))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("2 records");
    }

    @Test
    void aChangeIsAPojoOfTheTypeOfItsDocuments() {
        TypeInformation<?> type = CosmosDBDeserializationSchema.changes(row()).getProducedType();

        assertThat(type).isInstanceOf(PojoTypeInfo.class);
        assertThat(
                        ((PojoTypeInfo<?>) type)
                                .getTypeAt(((PojoTypeInfo<?>) type).getFieldIndex("after")))
                .isInstanceOf(RowTypeInfo.class);
    }

    @Test
    void onlyChangesHandleDeletes() {
        assertThat(CosmosDBDeserializationSchema.changes(row()).handlesDeletes()).isTrue();
        assertThat(row().handlesDeletes()).isFalse();
        assertThat(CosmosDBDeserializationSchema.json().handlesDeletes()).isFalse();
    }
}
