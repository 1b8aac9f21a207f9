// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.reader;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.cosmosflink.connector.cosmosdb.source.TestSources;
import io.github.cosmosflink.connector.cosmosdb.source.backend.ChangeFeedSession;
import io.github.cosmosflink.connector.cosmosdb.source.backend.SplitSnapshot;
import io.github.cosmosflink.connector.cosmosdb.source.reader.deserializer.ChangeOperation;
import io.github.cosmosflink.connector.cosmosdb.source.reader.deserializer.CosmosDBChange;
import io.github.cosmosflink.connector.cosmosdb.source.reader.deserializer.CosmosDBDeserializationSchema;
import io.github.cosmosflink.connector.cosmosdb.source.split.CosmosDBSplit;
import io.github.cosmosflink.connector.cosmosdb.source.testing.FeedModel;
import io.github.cosmosflink.connector.cosmosdb.source.testing.RecordingOutput;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.connector.testutils.source.reader.TestingReaderContext;
import org.apache.flink.metrics.Counter;
import org.apache.flink.metrics.MetricGroup;
import org.apache.flink.metrics.SimpleCounter;
import org.apache.flink.metrics.groups.OperatorIOMetricGroup;
import org.apache.flink.metrics.groups.UnregisteredMetricsGroup;
import org.apache.flink.runtime.metrics.groups.InternalSourceReaderMetricGroup;
import org.apache.flink.runtime.metrics.groups.UnregisteredMetricGroups;
import org.junit.jupiter.api.Test;

/** What becomes of deletes on their way out of the reader. */
class DeletesTest {

    private final OperatorIOMetricGroup metrics =
            UnregisteredMetricGroups.createUnregisteredOperatorMetricGroup().getIOMetricGroup();
    private final Counter deletesIgnored = new SimpleCounter();
    private CosmosDBSplitState state;

    /** Emits one group through an emitter. */
    private <T> RecordingOutput<T> emit(CosmosDBRecordEmitter<T> emitter, String... documents)
            throws Exception {
        FeedModel model = new FeedModel();
        SplitSnapshot split = model.split(model.root("a").group(documents));
        RecordingOutput<T> output = new RecordingOutput<>();
        state = new CosmosDBSplitState(CosmosDBSplit.of(split));
        try (ChangeFeedSession session = model.backend().open(new byte[0])) {
            session.addSplits(List.of(split));
            emitter.emitRecord(new CommitGroup(session.poll(1_000), 0), output, state);
            assertThat(FeedModel.text(state.toSplit().position())).isEqualTo("a:1");
        }
        return output;
    }

    @Test
    void ignoredDeletesAreCountedAndTheRestOfTheGroupIsEmitted() throws Exception {
        RecordingOutput<String> output =
                emit(
                        new CosmosDBRecordEmitter<>(
                                CosmosDBDeserializationSchema.json(), metrics, deletesIgnored),
                        "a1",
                        "deleted a2",
                        "expired a3",
                        "a4");

        assertThat(output.records()).containsExactly("a1", "a4");
        assertThat(deletesIgnored.getCount()).isEqualTo(2);
        assertThat(metrics.getNumRecordsInCounter().getCount())
                .as("beside the one that Flink counts")
                .isEqualTo(3);
    }

    @Test
    void aGroupOfIgnoredDeletesStillMovesThePosition() throws Exception {
        RecordingOutput<String> output =
                emit(
                        new CosmosDBRecordEmitter<>(
                                CosmosDBDeserializationSchema.json(), metrics, deletesIgnored),
                        "deleted a1");

        assertThat(output.records()).isEmpty();
        assertThat(deletesIgnored.getCount()).isEqualTo(1);
    }

    @Test
    void deletesGoThroughADeserializerThatHandlesThem() throws Exception {
        List<CosmosDBChange<String>> changes =
                emit(
                                new CosmosDBRecordEmitter<>(
                                        CosmosDBDeserializationSchema.changes(
                                                CosmosDBDeserializationSchema.json()),
                                        metrics,
                                        null),
                                "a1",
                                "deleted a2",
                                "expired a3")
                        .records();

        assertThat(changes)
                .extracting(CosmosDBChange::getOperation)
                .containsExactly(
                        ChangeOperation.UNKNOWN, ChangeOperation.DELETE, ChangeOperation.DELETE);
        assertThat(changes)
                .extracting(CosmosDBChange::isTimeToLiveExpired)
                .containsExactly(false, false, true);
        CosmosDBChange<String> delete = changes.get(1);
        assertThat(delete.getId()).isEqualTo("id of deleted a2");
        assertThat(delete.getPartitionKey()).isEqualTo("[\"key\"]");
        assertThat(delete.getBefore()).isEqualTo("deleted a2");
        assertThat(delete.getAfter()).isNull();
        assertThat(delete.getLsn()).isEqualTo(1);
        assertThat(delete.getTimestampMillis()).isEqualTo(1_000);
    }

    /** The switch reaches the reader, and its counter the group that the README names. */
    @Test
    void theOptionReachesTheReader() throws Exception {
        FeedModel model = new FeedModel();
        Map<String, Counter> counters = new HashMap<>();
        TestingReaderContext context =
                new TestingReaderContext(
                        new Configuration(),
                        InternalSourceReaderMetricGroup.mock(new Noting("", counters)));
        RecordingOutput<String> output = new RecordingOutput<>();
        CosmosDBSourceReader<String> reader =
                CosmosDBSourceReader.open(
                        model.backend(),
                        TestSources.ignoringDeletes(),
                        CosmosDBDeserializationSchema.json(),
                        context);
        try {
            CosmosDBSplit split =
                    CosmosDBSplit.of(model.split(model.root("a").group("deleted a1").group("a2")));
            reader.start();
            output.createOutputForSplit(split.splitId());
            reader.addSplits(List.of(split));
            while (output.records().isEmpty()) {
                reader.pollNext(output);
            }
        } finally {
            reader.close();
        }

        assertThat(output.records()).containsExactly("a2");
        assertThat(counters.get("cosmosdb.deletesIgnored").getCount()).isEqualTo(1);
    }

    /** Keeps counters by group and name. */
    private static final class Noting extends UnregisteredMetricsGroup {

        private final String name;
        private final Map<String, Counter> counters;

        Noting(String name, Map<String, Counter> counters) {
            this.name = name;
            this.counters = counters;
        }

        @Override
        public MetricGroup addGroup(String child) {
            return new Noting(name + child + ".", counters);
        }

        @Override
        public Counter counter(String counter) {
            return counters.computeIfAbsent(name + counter, key -> new SimpleCounter());
        }
    }
}
