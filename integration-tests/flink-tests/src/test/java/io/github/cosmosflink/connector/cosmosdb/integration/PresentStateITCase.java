// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.integration;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.cosmosflink.connector.cosmosdb.integration.harness.Await;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.CancelJobs;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.CapturedLog;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.Change;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.CommittedChanges;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.Mappers;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.Promises;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.ReadJob;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.RunningJob;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.TestAccount;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.TestCluster;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.TestContainer;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.Write;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.Writer;
import io.github.cosmosflink.connector.cosmosdb.source.CosmosDBSource;
import io.github.cosmosflink.connector.cosmosdb.source.StartPosition;
import io.github.cosmosflink.connector.cosmosdb.source.StopPosition;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.apache.flink.test.junit5.MiniClusterExtension;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/** The present state and then the changes: no gap, and no overlap but the one that is promised. */
@ExtendWith(CancelJobs.class)
class PresentStateITCase {

    @RegisterExtension static final TestAccount ACCOUNT = new TestAccount();
    @RegisterExtension static final MiniClusterExtension CLUSTER = TestCluster.create();

    @TempDir private Path directory;

    /**
     * Written all the time. The reading of the present state is slow, is restarted, divided by a
     * split, and taken up again from a savepoint.
     */
    @Test
    void whileTheContainerIsWritten() throws Exception {
        TestContainer container = ACCOUNT.createContainerWithAllVersions(2);
        container.fill(2_000, 20);
        Path output = directory.resolve("output");
        Map<String, Long> earliest = container.lsns();
        Map<String, Long> latest;

        RunningJob second;
        try (Writer writer = Writer.start(container, 20);
                CapturedLog log = new CapturedLog()) {
            writer.awaitRounds(5);
            RunningJob first =
                    new ReadJob(source(container), output)
                            .through(Mappers.slowAndFailing(3_000_000))
                            .parallelism(2)
                            .submit();
            Await.until("discovery", () -> !log.with(" new feed ranges: ").isEmpty());
            latest = container.lsns();
            first.awaitCommitted(200);
            first.failOnce();
            container.split(0);
            first.awaitCheckpoint();
            String savepoint = first.stop(directory);
            assertThat(first.committed().changes())
                    .as("the present state is not read to its end")
                    .allMatch(change -> change.operation.equals("UNKNOWN"));
            writer.awaitRounds(20);
            second =
                    new ReadJob(source(container), output)
                            .parallelism(3)
                            .restoredFrom(savepoint)
                            .submit();
            writer.awaitRounds(20);
        }
        awaitLastOfEachKey(second, container);
        second.stop(directory);

        new Promises(second.committed(), container.writes())
                .presentStateThenEveryChange(earliest, latest);
    }

    private static CosmosDBSource<Change> source(TestContainer container) {
        return source(container, StopPosition.never());
    }

    private static CosmosDBSource<Change> source(TestContainer container, StopPosition stop) {
        return container
                .allVersions()
                .startFrom(StartPosition.presentStateThenChanges())
                .stopAt(stop)
                .pageSize(100)
                .build();
    }

    /** What changes before it is read as state comes as a change: nothing is missing. */
    @Test
    void untilAnEndInTheFuture() throws Exception {
        TestContainer container = ACCOUNT.createContainerWithAllVersions(2);
        container.fill(2_000, 20);
        Path output = directory.resolve("output");
        Instant end = Instant.now().plusSeconds(6);

        Map<String, Long> earliest = container.lsns();
        Map<String, Long> latest;
        try (Writer writer = Writer.start(container, 20)) {
            writer.awaitRounds(5);
            RunningJob job;
            try (CapturedLog log = new CapturedLog()) {
                job =
                        new ReadJob(source(container, StopPosition.at(end)), output)
                                .through(Mappers.slowAndFailing(500_000))
                                .parallelism(2)
                                .submit();
                Await.until("discovery", () -> !log.with(" new feed ranges: ").isEmpty());
            }
            latest = container.lsns();
            job.awaitEnd();
            writer.awaitRounds(1);
        }

        new Promises(CommittedChanges.in(output), container.writes())
                .presentStateThenEveryChange(earliest, latest, end.getEpochSecond());
    }

    /** Ends where it was pinned: state only, and of that what had not changed when it was read. */
    @Test
    void untilTheStart() throws Exception {
        TestContainer container = ACCOUNT.createContainerWithAllVersions(2);
        container.fill(1_000, 20);
        Path output = directory.resolve("output");

        Map<String, Long> earliest = container.lsns();
        Map<String, Long> latest;
        try (Writer writer = Writer.start(container, 20);
                CapturedLog log = new CapturedLog()) {
            RunningJob job =
                    new ReadJob(source(container, StopPosition.latest()), output)
                            .through(Mappers.slowAndFailing(500_000))
                            .parallelism(2)
                            .submit();
            Await.until("discovery", () -> !log.with(" new feed ranges: ").isEmpty());
            latest = container.lsns();
            job.awaitEnd();
            writer.awaitRounds(1);
        }

        CommittedChanges committed = CommittedChanges.in(output);
        new Promises(committed, container.writes()).latestVersionsUpTo(earliest, latest);
        assertThat(committed.changes())
                .isNotEmpty()
                .allMatch(change -> change.operation.equals("UNKNOWN"));
    }

    /** Waits for the last change of each partition key, behind which nothing comes. */
    private static void awaitLastOfEachKey(RunningJob job, TestContainer container)
            throws Exception {
        Map<String, Long> last =
                container.writes().stream()
                        .collect(Collectors.toMap(Write::partitionKey, Write::lsn, Math::max));
        Await.until(
                "the last changes",
                () -> {
                    Map<String, Long> seen =
                            job.committed().changes().stream()
                                    .collect(
                                            Collectors.toMap(
                                                    change -> change.partitionKey,
                                                    change -> change.lsn,
                                                    Math::max));
                    return seen.equals(last);
                });
    }

    /** Of a container at rest, the state is all there is, once; then come changes. */
    @Test
    void ofAContainerAtRest() throws Exception {
        TestContainer container = ACCOUNT.createContainerWithAllVersions(3);
        container.fill(300, 30);
        container.delete(container.filled(0), "pk-0");
        Path output = directory.resolve("output");

        RunningJob job = new ReadJob(source(container), output).parallelism(2).submit();
        job.awaitCommitted(299);
        container.upsert(container.filled(1), "pk-1");
        container.delete(container.filled(2), "pk-2");
        container.upsert(container.filled(0), "pk-0");
        job.awaitCommitted(302);
        job.stop(directory);

        List<Change> changes = job.committed().changes();
        assertThat(changes)
                .filteredOn(change -> change.operation.equals("UNKNOWN"))
                .hasSize(299)
                .doesNotHaveDuplicates();
        assertThat(changes)
                .filteredOn(change -> !change.operation.equals("UNKNOWN"))
                .extracting(change -> change.id + " " + change.operation)
                .containsExactlyInAnyOrder(
                        container.filled(1) + " REPLACE",
                        container.filled(2) + " DELETE",
                        container.filled(0) + " CREATE");
    }
}
