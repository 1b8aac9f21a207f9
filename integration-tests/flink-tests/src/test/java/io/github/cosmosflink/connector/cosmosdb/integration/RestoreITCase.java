// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.integration;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.cosmosflink.connector.cosmosdb.integration.harness.Await;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.CancelJobs;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.Mappers;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.ReadJob;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.RunningJob;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.TestAccount;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.TestCluster;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.TestContainer;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.Writer;
import java.nio.file.Path;
import org.apache.flink.runtime.minicluster.MiniCluster;
import org.apache.flink.test.junit5.InjectMiniCluster;
import org.apache.flink.test.junit5.MiniClusterExtension;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/**
 * One job after the other goes on from what the last one left, at parallelism 1, 3, 1 and 4, while
 * the container is written. Together they emit everything once, and the ranges are spread evenly
 * over the readers each time.
 */
@ExtendWith(CancelJobs.class)
class RestoreITCase {

    private static final int[] PARALLELISMS = {1, 3, 1, 4};

    /** More than readers, and no multiple of three. */
    private static final int PARTITIONS = 8;

    private static final int PARTITION_KEYS = 120;

    @RegisterExtension static final TestAccount ACCOUNT = new TestAccount();
    @RegisterExtension static final MiniClusterExtension CLUSTER = TestCluster.create();

    @TempDir private Path directory;

    private TestContainer container;
    private String restorePoint;

    @BeforeEach
    void fill() throws Exception {
        // The number of its partitions must be known.
        ACCOUNT.local();
        container = ACCOUNT.createContainer(PARTITIONS);
        container.fill(6_000, PARTITION_KEYS);
    }

    @Test
    void fromSavepoints() throws Exception {
        for (int parallelism : PARALLELISMS) {
            RunningJob job = next(parallelism).submit();
            writeWhile(writer -> readSome(job, parallelism));
            restorePoint = job.stop(directory);
            writeALittle();
        }
        assertAllOnce();
    }

    @Test
    void fromCheckpointsThatCrashedJobsLeft() throws Exception {
        Path checkpoints = directory.resolve("checkpoints");
        for (int parallelism : PARALLELISMS) {
            RunningJob job =
                    next(parallelism).retainingCheckpoints(checkpoints).withoutRestarts().submit();
            writeWhile(
                    writer -> {
                        readSome(job, parallelism);
                        job.awaitCheckpoint();
                        Mappers.failNext();
                        job.awaitFailure();
                    });
            restorePoint = job.lastRetainedCheckpoint(checkpoints);
            writeALittle();
        }
        assertAllOnce();
    }

    /** Each restored job fails before it has a checkpoint of its own, and loses a TaskManager. */
    @Test
    void killedWhileTheyAreRestored(@InjectMiniCluster MiniCluster cluster) throws Exception {
        for (int parallelism : PARALLELISMS) {
            RunningJob job = next(parallelism).submit();
            Mappers.failNext();
            writeWhile(
                    writer -> {
                        Await.until("the failure", Mappers::hasFailed);
                        cluster.terminateTaskManager(0).get();
                        cluster.startTaskManager();
                        readSome(job, parallelism);
                    });
            restorePoint = job.stop(directory);
            writeALittle();
        }
        assertAllOnce();
    }

    @Test
    void withPartitionsThatWereSplitWhileNoJobRan() throws Exception {
        int ranges = PARTITIONS;
        for (int parallelism : PARALLELISMS) {
            RunningJob job = next(parallelism).submit();
            int expected = ranges;
            writeWhile(writer -> awaitChangesOf(job, expected));
            restorePoint = job.stop(directory);
            writeALittle();
            // The second is often a child of the first.
            container.split(0);
            container.split(0);
            writeALittle();
            ranges += 2;
        }
        assertThat(container.partitions()).hasSize(ranges);
        assertAllOnce();
    }

    private interface Step {
        void run(Writer writer) throws Exception;
    }

    /** Checkpoints fall into pages, whose items are updated meanwhile. */
    private ReadJob next(int parallelism) {
        ReadJob job =
                new ReadJob(container.source().pageSize(200).build(), output())
                        .through(Mappers.slowAndFailing(100_000))
                        .parallelism(parallelism);
        return restorePoint == null ? job : job.restoredFrom(restorePoint);
    }

    private Path output() {
        return directory.resolve("output");
    }

    private void writeWhile(Step step) throws Exception {
        try (Writer writer = Writer.start(container, PARTITION_KEYS)) {
            step.run(writer);
        }
    }

    private void writeALittle() throws Exception {
        writeWhile(writer -> writer.awaitRounds(20));
    }

    /** Goes on until every range has emitted, and sees that no reader has two more than another. */
    private static void readSome(RunningJob job, int parallelism) throws Exception {
        awaitChangesOf(job, PARTITIONS);
        assertThat(job.splitsOfReaders()).hasSize(parallelism);
        assertThat(job.splitsOfReaders().values())
                .allSatisfy(
                        splits ->
                                assertThat(splits)
                                        .isBetween(
                                                (long) PARTITIONS / parallelism,
                                                (PARTITIONS + parallelism - 1L) / parallelism));
    }

    private static void awaitChangesOf(RunningJob job, int ranges) throws Exception {
        Await.until(
                "changes of every range",
                () ->
                        job.splitsOfReaders().values().stream().mapToLong(Long::longValue).sum()
                                >= ranges);
    }

    private void assertAllOnce() throws Exception {
        RunningJob last = next(2).submit();
        last.awaitAllOf(container);
        last.stop(directory);
        RunningJob.assertExactlyOnce(output(), container);
    }
}
