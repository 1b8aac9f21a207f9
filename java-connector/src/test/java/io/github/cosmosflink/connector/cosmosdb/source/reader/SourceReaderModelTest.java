// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.reader;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.cosmosflink.connector.cosmosdb.source.StopPosition;
import io.github.cosmosflink.connector.cosmosdb.source.TestSources;
import io.github.cosmosflink.connector.cosmosdb.source.reader.deserializer.CosmosDBDeserializationSchema;
import io.github.cosmosflink.connector.cosmosdb.source.split.CosmosDBSplit;
import io.github.cosmosflink.connector.cosmosdb.source.split.CosmosDBSplitSerializer;
import io.github.cosmosflink.connector.cosmosdb.source.testing.FeedModel;
import io.github.cosmosflink.connector.cosmosdb.source.testing.RecordingOutput;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.apache.flink.connector.testutils.source.reader.TestingReaderContext;
import org.apache.flink.core.io.InputStatus;
import org.junit.jupiter.api.Test;

/**
 * Reads generated feeds to their end through failures: readers are polled in any order, checkpoints
 * fall between any two turns, and a failure goes back to the last one at any parallelism, with what
 * was emitted since taken back, as an exactly-once sink does. In the end each document is there
 * once and in its range's order.
 *
 * <p>To see one history again, put the seed that the failure names into {@link #histories}.
 */
class SourceReaderModelTest {

    private static final int HISTORIES = 150;

    @Test
    void histories() throws Exception {
        for (long seed = 0; seed < HISTORIES; seed++) {
            try (Job job = new Job(new Random(seed), "seed " + seed)) {
                job.run();
            }
        }
    }

    private static final class Reader {

        final CosmosDBSourceReader<String> reader;
        final RecordingOutput<String> output = new RecordingOutput<>();
        boolean ended;

        Reader(CosmosDBSourceReader<String> reader) {
            this.reader = reader;
        }
    }

    private static final class Job implements AutoCloseable {

        private final Random random;
        private final String name;
        private final FeedModel model = new FeedModel();
        private final List<Reader> readers = new ArrayList<>();

        /** What a sink has committed or will commit with the next checkpoint. */
        private List<String> emitted = new ArrayList<>();

        private List<byte[]> checkpointedSplits = new ArrayList<>();
        private List<String> checkpointedRecords = new ArrayList<>();

        Job(Random random, String name) throws Exception {
            this.random = random;
            this.name = name;
            for (int i = 1 + random.nextInt(3); i > 0; i--) {
                FeedModel.Range root = model.root("r" + i);
                fill(root);
                divide(root, 0);
                checkpointedSplits.add(serialize(CosmosDBSplit.of(model.split(root))));
            }
        }

        private void fill(FeedModel.Range range) {
            int groups = random.nextInt(6);
            for (int group = 0; group < groups; group++) {
                String[] documents = new String[random.nextInt(4)];
                for (int i = 0; i < documents.length; i++) {
                    documents[i] = range.name() + "-" + group + "-" + i;
                }
                range.group(documents);
            }
        }

        private void divide(FeedModel.Range range, int depth) {
            if (depth < 2 && random.nextInt(3) > 0) {
                for (int i = 0; i < 2; i++) {
                    FeedModel.Range child = model.child(range, range.name() + "." + i);
                    fill(child);
                    divide(child, depth + 1);
                }
            }
        }

        void run() throws Exception {
            restore();
            int failures = random.nextInt(4);
            while (!readers.stream().allMatch(reader -> reader.ended)) {
                int dice = random.nextInt(12);
                if (dice == 0) {
                    checkpoint();
                } else if (dice == 1 && failures > 0) {
                    failures--;
                    restore();
                } else {
                    poll();
                }
            }
            for (FeedModel.Range root : model.roots()) {
                assertRead(root);
            }
            assertThat(emitted).as(name).doesNotHaveDuplicates().hasSize(total(model.roots()));
        }

        private void poll() throws Exception {
            List<Reader> running =
                    readers.stream().filter(reader -> !reader.ended).collect(Collectors.toList());
            Reader next = running.get(random.nextInt(running.size()));
            int before = next.output.records().size();
            InputStatus status = next.reader.pollNext(next.output);
            emitted.addAll(next.output.records().subList(before, next.output.records().size()));
            if (status == InputStatus.END_OF_INPUT) {
                next.ended = true;
            } else if (status == InputStatus.NOTHING_AVAILABLE) {
                CompletableFuture.anyOf(
                                running.stream()
                                        .map(reader -> reader.reader.isAvailable())
                                        .toArray(CompletableFuture[]::new))
                        .get(20, TimeUnit.SECONDS);
            }
        }

        private void checkpoint() throws Exception {
            checkpointedSplits = new ArrayList<>();
            for (Reader reader : readers) {
                for (CosmosDBSplit split : reader.reader.snapshotState(1)) {
                    checkpointedSplits.add(serialize(split));
                }
            }
            checkpointedRecords = new ArrayList<>(emitted);
        }

        private void restore() throws Exception {
            close();
            readers.clear();
            emitted = new ArrayList<>(checkpointedRecords);
            int parallelism = 1 + random.nextInt(3);
            List<List<CosmosDBSplit>> assignment = new ArrayList<>();
            for (int i = 0; i < parallelism; i++) {
                assignment.add(new ArrayList<>());
            }
            List<byte[]> again = new ArrayList<>();
            for (byte[] bytes : checkpointedSplits) {
                CosmosDBSplit split = CosmosDBSplitSerializer.INSTANCE.deserialize(1, bytes);
                assignment.get(random.nextInt(parallelism)).add(split);
                again.add(bytes);
            }
            checkpointedSplits = again;
            for (List<CosmosDBSplit> splits : assignment) {
                open(splits);
            }
        }

        private void open(List<CosmosDBSplit> splits) throws Exception {
            Reader reader =
                    new Reader(
                            CosmosDBSourceReader.open(
                                    model.backend(),
                                    TestSources.configuration(StopPosition.latest()),
                                    CosmosDBDeserializationSchema.json(),
                                    new TestingReaderContext()));
            readers.add(reader);
            model.lastSession().groupsPerPage(1 + random.nextInt(4));
            splits.forEach(split -> reader.output.createOutputForSplit(split.splitId()));
            reader.reader.addSplits(splits);
            reader.reader.start();
            reader.reader.notifyNoMoreSplits();
        }

        private static byte[] serialize(CosmosDBSplit split) throws Exception {
            return CosmosDBSplitSerializer.INSTANCE.serialize(split);
        }

        private void assertRead(FeedModel.Range range) {
            List<String> expected =
                    range.groups().stream().flatMap(List::stream).collect(Collectors.toList());
            if (!expected.isEmpty()) {
                assertThat(emitted)
                        .as("%s, range %s", name, range.name())
                        .containsSubsequence(expected);
            }
            for (FeedModel.Range child : range.children()) {
                assertRead(child);
                if (!expected.isEmpty() && !child.groups().isEmpty()) {
                    int parentEnd = emitted.indexOf(expected.get(expected.size() - 1));
                    child.groups().stream()
                            .flatMap(List::stream)
                            .forEach(
                                    document ->
                                            assertThat(emitted.indexOf(document))
                                                    .as("%s, %s", name, document)
                                                    .isGreaterThan(parentEnd));
                }
            }
        }

        private static int total(List<FeedModel.Range> ranges) {
            return ranges.stream()
                    .mapToInt(
                            range ->
                                    range.groups().stream().mapToInt(List::size).sum()
                                            + total(range.children()))
                    .sum();
        }

        @Override
        public void close() throws Exception {
            for (Reader reader : readers) {
                reader.reader.close();
            }
            model.sessions().forEach(session -> assertThat(session.livePages()).as(name).isZero());
        }
    }
}
