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
import io.github.cosmosflink.connector.cosmosdb.source.ChangeFeedMode;
import io.github.cosmosflink.connector.cosmosdb.source.CosmosDBSourceBuilder;
import io.github.cosmosflink.connector.cosmosdb.source.StartPosition;
import io.github.cosmosflink.connector.cosmosdb.source.StopPosition;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.apache.flink.test.junit5.MiniClusterExtension;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/**
 * A bounded job over a container that is being written ends, and its output is what docs/reading.md
 * promises: no more and no less.
 */
@ExtendWith(CancelJobs.class)
class BoundedPromisesITCase {

    @RegisterExtension static final TestAccount ACCOUNT = new TestAccount();
    @RegisterExtension static final MiniClusterExtension CLUSTER = TestCluster.create();

    @TempDir private Path directory;

    /** A job that was submitted, and the LSNs before and after its ends were captured. */
    private static final class Bounded {
        private final RunningJob job;
        private final Map<String, Long> earliest;
        private final Map<String, Long> latest;

        Bounded(TestContainer container, CosmosDBSourceBuilder<Change> source, Path output)
                throws Exception {
            earliest = container.lsns();
            try (CapturedLog log = new CapturedLog()) {
                job =
                        new ReadJob(source.pageSize(100).build(), output)
                                .through(Mappers.slowAndFailing(1_000_000))
                                .parallelism(2)
                                .submit();
                Await.until("discovery", () -> !log.with(" new feed ranges: ").isEmpty());
            }
            latest = container.lsns();
        }
    }

    /** With a failure and a split on the way; items that the writer updates leave their places. */
    @Test
    void theLatestVersionsAtTheStart() throws Exception {
        TestContainer container = ACCOUNT.createContainer(3);
        container.fill(3_000, 30);
        Path output = directory.resolve("output");

        Bounded bounded;
        try (Writer writer = Writer.start(container, 30)) {
            writer.awaitRounds(20);
            bounded = new Bounded(container, latestVersions(container), output);
            bounded.job.awaitCommitted(200);
            bounded.job.failOnce();
            container.split(0);
            bounded.job.awaitEnd();
            // It is still being written.
            writer.awaitRounds(1);
        }

        new Promises(CommittedChanges.in(output), container.writes())
                .latestVersionsUpTo(bounded.earliest, bounded.latest);
    }

    private static CosmosDBSourceBuilder<Change> latestVersions(TestContainer container) {
        return container.source().stopAt(StopPosition.latest());
    }

    /** Which items are missing, where it can be told beforehand. */
    @Test
    void anItemThatChangesBeforeItIsReadIsMissing() throws Exception {
        TestContainer container = ACCOUNT.createContainer(1);
        container.fill(2_000, 10);
        Path output = directory.resolve("output");

        Bounded bounded = new Bounded(container, latestVersions(container), output);
        bounded.job.awaitCommitted(100);
        // Read already; not yet read, a reader being one page ahead: changed, deleted, made.
        container.upsert(container.filled(0), "pk-0");
        container.upsert(container.filled(1_990), "pk-0");
        container.delete(container.filled(1_991), "pk-1");
        container.upsert("new", "pk-0");
        List<Write> writes = container.writes();
        bounded.job.awaitEnd();

        CommittedChanges committed = CommittedChanges.in(output);
        new Promises(committed, container.writes())
                .latestVersionsUpTo(bounded.earliest, bounded.latest);
        assertThat(committed.changes())
                .hasSize(1_998)
                .extracting(change -> change.id)
                .contains(container.filled(0))
                .doesNotContain(container.filled(1_990), container.filled(1_991), "new");
        assertThat(committed.changes())
                .filteredOn(change -> change.id.equals(container.filled(0)))
                .extracting(change -> change.etag)
                .as("the version at the end")
                .containsExactly(firstVersion(writes, container.filled(0)));
    }

    private static String firstVersion(List<Write> writes, String id) {
        return writes.stream().filter(write -> write.id().equals(id)).findFirst().get().etag();
    }

    /** All versions are there, whatever changes meanwhile: nothing is missing. */
    @Test
    void everyChangeUpToTheStart() throws Exception {
        TestContainer container = ACCOUNT.createContainerWithAllVersions(2);
        Path output = directory.resolve("output");
        List<String> tokens = container.tokens(ChangeFeedMode.ALL_VERSIONS_AND_DELETES);
        Map<String, Long> start = container.lsns();

        Bounded bounded;
        try (Writer writer = Writer.start(container, 20)) {
            writer.awaitRounds(300);
            bounded =
                    new Bounded(
                            container,
                            container
                                    .allVersions()
                                    .startFrom(StartPosition.tokens(tokens))
                                    .stopAt(StopPosition.latest()),
                            output);
            bounded.job.awaitCommitted(100);
            bounded.job.failOnce();
            bounded.job.awaitEnd();
            writer.awaitRounds(1);
        }

        new Promises(CommittedChanges.in(output), container.writes())
                .everyChangeUpTo(start, bounded.earliest, bounded.latest);
    }

    /** The second of the end is part of it, the next is not; the end may lie in the past. */
    @Test
    void anEndInThePast() throws Exception {
        TestContainer container = ACCOUNT.createContainerWithAllVersions(2);
        List<String> tokens = container.tokens(ChangeFeedMode.ALL_VERSIONS_AND_DELETES);
        awaitEarlyInASecond();
        Instant end = Instant.now();
        container.upsert("in-time", "pk-0");
        awaitEarlyInASecond();
        container.upsert("too-late", "pk-0");
        container.upsert("too-late", "pk-1");

        Path latest = directory.resolve("latest");
        new ReadJob(container.source().stopAt(StopPosition.at(end)).build(), latest)
                .submit()
                .awaitEnd();
        Path all = directory.resolve("all");
        new ReadJob(
                        container
                                .allVersions()
                                .startFrom(StartPosition.tokens(tokens))
                                .stopAt(StopPosition.at(end))
                                .build(),
                        all)
                .submit()
                .awaitEnd();

        assertThat(ids(latest)).containsExactly("in-time");
        assertThat(ids(all)).containsExactly("in-time");
    }

    /** So early that a write which follows falls into the same second. */
    private static void awaitEarlyInASecond() throws InterruptedException {
        Instant next = Instant.now().truncatedTo(ChronoUnit.SECONDS).plusSeconds(1);
        Thread.sleep(Duration.between(Instant.now(), next).toMillis() + 50);
    }

    private static List<String> ids(Path output) throws Exception {
        return CommittedChanges.in(output).changes().stream()
                .map((Change change) -> change.id)
                .collect(Collectors.toList());
    }

    /** Until the end, items come in several versions; the last one before it comes. */
    @Test
    void latestVersionsUntilAnEndInTheFuture() throws Exception {
        TestContainer container = ACCOUNT.createContainer(2);
        container.fill(500, 20);
        Path output = directory.resolve("output");
        Instant end = Instant.now().plusSeconds(4);

        RunningJob job =
                new ReadJob(container.source().stopAt(StopPosition.at(end)).build(), output)
                        .parallelism(2)
                        .submit();
        try (Writer writer = Writer.start(container, 20)) {
            job.awaitEnd();
            writer.awaitRounds(1);
        }

        new Promises(CommittedChanges.in(output), container.writes())
                .latestVersionsUpToSecond(end.getEpochSecond());
    }

    /** An end that is to come is waited for. */
    @Test
    void everyChangeUntilAnEndInTheFuture() throws Exception {
        TestContainer container = ACCOUNT.createContainerWithAllVersions(2);
        Path output = directory.resolve("output");
        Map<String, Long> start = container.lsns();
        List<String> tokens = container.tokens(ChangeFeedMode.ALL_VERSIONS_AND_DELETES);
        Instant end = Instant.now().plusSeconds(4);

        RunningJob job =
                new ReadJob(
                                container
                                        .allVersions()
                                        .startFrom(StartPosition.tokens(tokens))
                                        .stopAt(StopPosition.at(end))
                                        .build(),
                                output)
                        .parallelism(2)
                        .submit();
        try (Writer writer = Writer.start(container, 20)) {
            job.awaitEnd();
            writer.awaitRounds(1);
        }

        assertThat(Instant.now()).isAfter(end);
        new Promises(CommittedChanges.in(output), container.writes())
                .everyChangeUpToSecond(start, end.getEpochSecond());
    }
}
