// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.integration;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.cosmosflink.connector.cosmosdb.integration.harness.CancelJobs;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.Change;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.Mappers;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.ReadJob;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.RunningJob;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.TestAccount;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.TestCluster;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.TestContainer;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.Writer;
import java.nio.file.Path;
import java.util.Set;
import java.util.stream.Collectors;
import org.apache.flink.test.junit5.MiniClusterExtension;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Partitions that are split and merged under a job, and while none runs. */
@ExtendWith(CancelJobs.class)
class TopologyITCase {

    @RegisterExtension static final TestAccount ACCOUNT = new TestAccount();
    @RegisterExtension static final MiniClusterExtension CLUSTER = TestCluster.create();

    @TempDir private Path directory;

    @BeforeEach
    void needsPartitionsInItsHand() {
        ACCOUNT.local();
    }

    /**
     * @param lockMillis how long the partition answers nothing while it is split; longer than 100
     *     the SDK gives up on a read
     */
    @ParameterizedTest
    @CsvSource({"1, 0", "3, 0", "1, 700", "3, 700"})
    void splitWhileRunning(int parallelism, int lockMillis) throws Exception {
        TestContainer container = ACCOUNT.createContainer(2);
        container.fill(2_000, 40);
        Path output = directory.resolve("output");

        RunningJob job =
                new ReadJob(container.source().pageSize(100).build(), output)
                        .through(Mappers.slowAndFailing(200_000))
                        .parallelism(parallelism)
                        .submit();
        // Far from the feed's end, at its end, and while there are changes.
        job.awaitCommitted(300);
        container.split(lockMillis);
        job.awaitAllOf(container);
        container.split(lockMillis);
        try (Writer writer = Writer.start(container, 40)) {
            container.split(lockMillis);
            writer.awaitRounds(50);
        }
        job.awaitAllOf(container);
        job.stop(directory);

        RunningJob.assertExactlyOnce(output, container);
        assertThat(container.partitions()).hasSize(5);
        assertThat(generations(job)).contains("1");
    }

    @Test
    void splitAndAFailureRightAfter() throws Exception {
        TestContainer container = ACCOUNT.createContainer(1);
        container.fill(2_000, 20);
        Path output = directory.resolve("output");

        RunningJob job =
                new ReadJob(container.source().pageSize(100).build(), output)
                        .through(Mappers.slowAndFailing(200_000))
                        .parallelism(2)
                        .submit();
        try (Writer writer = Writer.start(container, 20)) {
            for (int round = 1; round <= 3; round++) {
                job.awaitCommitted(400 * round);
                container.split(0);
                Mappers.failNext();
                writer.awaitRounds(20);
            }
        }
        job.awaitAllOf(container);
        job.stop(directory);

        RunningJob.assertExactlyOnce(output, container);
        assertThat(container.partitions()).hasSize(4);
    }

    @ParameterizedTest
    @CsvSource({"1, 3", "3, 1"})
    void splitBetweenSavepointAndRestore(int before, int after) throws Exception {
        TestContainer container = ACCOUNT.createContainer(2);
        container.fill(2_000, 40);
        Path output = directory.resolve("output");

        RunningJob first =
                new ReadJob(container.source().pageSize(1_000).build(), output)
                        .through(Mappers.slowAndFailing(500_000))
                        .parallelism(before)
                        .submit();
        first.awaitCommitted(300);
        // In the middle of a page.
        String savepoint = first.stop(directory);
        try (Writer writer = Writer.start(container, 40)) {
            writer.awaitRounds(20);
            container.split("0", 0);
            container.split("1", 0);
            writer.awaitRounds(20);
        }
        // A child as well: the range has three successors then.
        container.split(0);
        RunningJob second =
                new ReadJob(container.source().pageSize(300).build(), output)
                        .parallelism(after)
                        .restoredFrom(savepoint)
                        .submit();
        second.awaitAllOf(container);
        String another = second.stop(directory);
        try (Writer writer = Writer.start(container, 40)) {
            writer.awaitRounds(5);
        }
        // Children are restored and split.
        container.split(0);
        RunningJob third =
                new ReadJob(container.source().build(), output).restoredFrom(another).submit();
        third.awaitAllOf(container);
        third.stop(directory);

        RunningJob.assertExactlyOnce(output, container);
        assertThat(generations(third)).contains("2");
    }

    /** After a merge changes may come again, none may be missing. */
    @Test
    void mergeWhileRunning() throws Exception {
        TestContainer container = ACCOUNT.createContainer(2);
        container.fill(1_000, 40);
        Path output = directory.resolve("output");

        RunningJob job =
                new ReadJob(container.source().pageSize(100).build(), output)
                        .parallelism(2)
                        .submit();
        try (Writer writer = Writer.start(container, 40)) {
            job.awaitCommitted(300);
            container.merge("0", "1");
            writer.awaitRounds(30);
        }
        job.awaitAllOf(container);
        job.stop(directory);

        assertThat(container.partitions()).hasSize(1);
        assertThat(job.committed().lost(container.writes())).isEmpty();
        assertThat(job.committed().unknown(container.writes())).isEmpty();
    }

    /** How often the ranges that were read from had been split. */
    private static Set<String> generations(RunningJob job) throws Exception {
        return job.committed().changes().stream()
                .map((Change change) -> change.splitId.replaceAll(".*@", ""))
                .collect(Collectors.toSet());
    }
}
