// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.integration;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.cosmosflink.connector.cosmosdb.integration.harness.Await;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.CancelJobs;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.CapturedLog;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.Change;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.Mappers;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.ReadJob;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.RunningJob;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.TestAccount;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.TestCluster;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.TestContainer;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.Writer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.locks.LockSupport;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.PipelineOptions;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.runtime.minicluster.MiniCluster;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.ProcessFunction;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;
import org.apache.flink.test.junit5.InjectMiniCluster;
import org.apache.flink.test.junit5.MiniClusterExtension;
import org.apache.flink.util.Collector;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/** Feed ranges that change readers while the job runs. */
@ExtendWith(CancelJobs.class)
class RebalancingITCase {

    private static final String PARKED = "reports PARKED";
    private static final String BEGINS = "begins at the enumerator";
    private static final String SENT = "To reader ";
    private static final String DROPPED = ": DROP_PARKED";

    @RegisterExtension static final TestAccount ACCOUNT = new TestAccount();
    @RegisterExtension static final MiniClusterExtension CLUSTER = TestCluster.create();

    @TempDir private Path directory;

    @BeforeEach
    void needsPartitionsInItsHand() {
        ACCOUNT.local();
        EMITTED.clear();
    }

    @Test
    void childrenOfASplitMoveToTheReadersThatHaveNothing() throws Exception {
        TestContainer container = ACCOUNT.createContainer(1);
        container.fill(500, 40);
        Path output = directory.resolve("output");

        RunningJob job =
                new ReadJob(container.source().pageSize(50).rebalancing(true).build(), output)
                        .parallelism(2)
                        .submit();
        job.awaitCommitted(100);
        assertThat(job.splitsOfReaders()).as("one range, one reader").hasSize(1);
        try (Writer writer = Writer.start(container, 40)) {
            container.split(0);
            Await.until("both readers to read", () -> job.splitsOfReaders().size() == 2);
            container.split(0);
            container.split(0);
            // Of four ranges each has two; one that was split stays among what was read.
            Await.until(
                    "the moves",
                    () -> job.splitsOfReaders().values().stream().allMatch(splits -> splits >= 2));
            writer.awaitRounds(20);
        }
        job.awaitAllOf(container);
        job.stop(directory);

        RunningJob.assertExactlyOnce(output, container);
        assertThat(container.partitions()).hasSize(4);
    }

    @Test
    void aTaskManagerThatGoesInTheMiddleOfAMove(@InjectMiniCluster MiniCluster cluster)
            throws Exception {
        TestContainer container = ACCOUNT.createContainer(1);
        container.fill(500, 40);
        Path output = directory.resolve("output");

        try (CapturedLog log = new CapturedLog()) {
            RunningJob job =
                    new ReadJob(container.source().pageSize(50).rebalancing(true).build(), output)
                            .parallelism(3)
                            .submit();
            job.awaitCommitted(100);
            try (Writer writer = Writer.start(container, 40)) {
                for (int round = 1; round <= 3; round++) {
                    int parked = log.with(PARKED).size();
                    divideOneOf(container);
                    Await.until("a parked split", () -> log.with(PARKED).size() > parked);
                    cluster.terminateTaskManager(round % 2).get();
                    cluster.startTaskManager();
                    job.awaitCheckpoint();
                    writer.awaitRounds(20);
                }
                int moved = log.with(DROPPED).size();
                divideOneOf(container);
                Await.until("a move after all", () -> log.with(DROPPED).size() > moved);
            }
            job.awaitAllOf(container);
            job.stop(directory);
        }

        RunningJob.assertExactlyOnce(output, container);
    }

    /**
     * The partition with the most items becomes four, so that one reader has three ranges more.
     * They are written to: what is idle does not move.
     */
    private static void divideOneOf(TestContainer container) throws Exception {
        List<String> before = container.partitions();
        container.split(0);
        List<String> halves = container.partitions();
        halves.removeAll(before);
        for (String half : halves) {
            container.split(half, 0);
        }
    }

    /** One reader's task fails alone, the others run on. */
    @Test
    void aReaderThatFailsInTheMiddleOfAMove() throws Exception {
        TestContainer container = ACCOUNT.createContainer(1);
        container.fill(500, 40);
        Path output = directory.resolve("output");

        try (CapturedLog log = new CapturedLog()) {
            RunningJob job =
                    new ReadJob(container.source().pageSize(50).rebalancing(true).build(), output)
                            .through(Mappers.slowAndFailing(10_000))
                            .parallelism(3)
                            .submit();
            job.awaitCommitted(100);
            try (Writer writer = Writer.start(container, 40)) {
                for (int round = 1; round <= 5; round++) {
                    String step = round % 2 == 0 ? PARKED : DROPPED;
                    int before = log.with(step).size();
                    divideOneOf(container);
                    Await.until(step, () -> log.with(step).size() > before);
                    job.failOnce();
                    writer.awaitRounds(20);
                }
            }
            job.awaitAllOf(container);
            job.stop(directory);
        }

        RunningJob.assertExactlyOnce(output, container);
    }

    /** The savepoint's completion would commit the move while the readers end. */
    @Test
    void aJobThatStopsInTheMiddleOfAMove() throws Exception {
        TestContainer container = ACCOUNT.createContainer(1);
        container.fill(500, 40);
        Path output = directory.resolve("output");
        String savepoint = null;

        try (CapturedLog log = new CapturedLog()) {
            for (int round = 1; round <= 4; round++) {
                ReadJob readJob =
                        new ReadJob(
                                        container.source().pageSize(50).rebalancing(true).build(),
                                        output)
                                .parallelism(3)
                                .withoutRestarts();
                RunningJob job =
                        (savepoint == null ? readJob : readJob.restoredFrom(savepoint)).submit();
                try (Writer writer = Writer.start(container, 40)) {
                    // What is divided before the job has found it does not make it uneven.
                    job.awaitCheckpoint();
                    writer.awaitRounds(20);
                    int parked = log.with(PARKED).size();
                    divideOneOf(container);
                    Await.until("a parked split", () -> log.with(PARKED).size() > parked);
                    savepoint = job.stop(directory);
                }
                assertThat(log.with(BEGINS)).isNotEmpty();
                assertThat(log.withBehindLast(SENT, BEGINS))
                        .as("to readers that end; Flink fails the job when it notices")
                        .isEmpty();
            }
        }
        RunningJob last =
                new ReadJob(container.source().pageSize(50).build(), output)
                        .parallelism(2)
                        .restoredFrom(savepoint)
                        .submit();
        last.awaitAllOf(container);
        last.stop(directory);

        RunningJob.assertExactlyOnce(output, container);
    }

    @Test
    void aSlowReaderGivesToOneThatHasNothingToDo() throws Exception {
        // Three for reader 0, two for reader 1.
        TestContainer container = ACCOUNT.createContainer(5);
        // All of one second: what is behind in time as well cannot move without being late.
        Await.until("a second to begin", () -> System.currentTimeMillis() % 1000 < 300);
        container.fill(4_000, 400);
        Path output = directory.resolve("output");

        try (CapturedLog log = new CapturedLog()) {
            RunningJob job =
                    new ReadJob(container.source().pageSize(50).build(), output)
                            .through(Mappers.slowIn(0, 5_000_000))
                            .parallelism(2)
                            .submit();
            Await.until(
                    "a range of reader 0 to move",
                    () -> !log.with("To reader 0: DROP_PARKED").isEmpty());
            assertThat(log.with("To reader 1: DROP_PARKED")).as("it stays there").isEmpty();
            job.awaitAllOf(container);
            assertThat(job.splitsOfReaders()).containsEntry(1, 3L);
            job.stop(directory);
        }

        RunningJob.assertExactlyOnce(output, container);
    }

    @Test
    void switchedOffNothingMoves() throws Exception {
        TestContainer container = ACCOUNT.createContainer(1);
        container.fill(500, 40);
        Path output = directory.resolve("output");

        try (CapturedLog log = new CapturedLog()) {
            RunningJob job =
                    new ReadJob(container.source().pageSize(50).rebalancing(false).build(), output)
                            .parallelism(2)
                            .submit();
            job.awaitCommitted(100);
            try (Writer writer = Writer.start(container, 40)) {
                container.split(0);
                container.split(0);
                writer.awaitRounds(50);
                for (int checkpoint = 0; checkpoint < 4; checkpoint++) {
                    job.awaitCheckpoint();
                }
                writer.awaitRounds(20);
            }
            job.awaitAllOf(container);
            assertThat(job.splitsOfReaders()).hasSize(1);
            job.stop(directory);
            assertThat(log.with("HOLD_WATERMARK")).isEmpty();
        }

        RunningJob.assertExactlyOnce(output, container);
    }

    /** What the job has emitted, by reader, with the watermark that was there before. */
    private static final Queue<Emitted> EMITTED = new ConcurrentLinkedQueue<>();

    private static final class Emitted {

        final Change change;
        final int reader;
        final long timestamp;
        final long watermark;

        Emitted(Change change, int reader, long timestamp, long watermark) {
            this.change = change;
            this.reader = reader;
            this.timestamp = timestamp;
            this.watermark = watermark;
        }

        boolean isLate() {
            return timestamp <= watermark;
        }

        @Override
        public String toString() {
            return change + " by " + reader + " at " + timestamp + ", watermark " + watermark;
        }
    }

    @Test
    void whatMovesIsNotLate() throws Exception {
        TestContainer container = ACCOUNT.createContainer(2);
        container.fill(200, 40);
        Configuration configuration = new Configuration();
        configuration.set(PipelineOptions.AUTO_WATERMARK_INTERVAL, Duration.ofMillis(1));
        configuration.set(CheckpointingOptions.CHECKPOINTING_INTERVAL, Duration.ofMillis(300));
        StreamExecutionEnvironment env =
                StreamExecutionEnvironment.getExecutionEnvironment(configuration);
        env.setParallelism(2);
        env.fromSource(
                        container.source().pageSize(10).rebalancing(true).build(),
                        WatermarkStrategy.forMonotonousTimestamps(),
                        "Changes")
                .process(new Note())
                .sinkTo(new DiscardingSink<>());

        try (CapturedLog log = new CapturedLog();
                Writer writer = Writer.start(container, 40)) {
            JobClient job = env.executeAsync();
            Await.until("the changes", () -> EMITTED.size() > 200);
            // All of the second partition, whose reader then has more than the other.
            container.split("1", 0);
            writer.awaitRounds(300);
            container.split(container.partitions().get(2), 0);
            Await.until("moves", () -> log.with(DROPPED).size() >= 1);
            int moved = EMITTED.size();
            Await.until("changes after them", () -> EMITTED.size() > moved + 500);
            job.cancel().get();
        }

        assertThat(EMITTED).noneMatch(Emitted::isLate);
        Map<String, Set<Integer>> readers = new HashMap<>();
        EMITTED.forEach(
                emitted ->
                        readers.computeIfAbsent(emitted.change.splitId, id -> new HashSet<>())
                                .add(emitted.reader));
        assertThat(readers).as("what moved was read on").containsValue(Set.of(0, 1));
    }

    private static final class Note extends ProcessFunction<Change, Change> {

        private static final long serialVersionUID = 1L;

        @Override
        public void processElement(Change change, Context context, Collector<Change> out) {
            EMITTED.add(
                    new Emitted(
                            change,
                            getRuntimeContext().getTaskInfo().getIndexOfThisSubtask(),
                            context.timestamp(),
                            context.timerService().currentWatermark()));
            LockSupport.parkNanos(10_000);
            out.collect(change);
        }
    }
}
