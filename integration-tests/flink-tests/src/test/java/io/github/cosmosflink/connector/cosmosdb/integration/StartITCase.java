// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.integration;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.cosmosflink.connector.cosmosdb.integration.harness.Await;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.CancelJobs;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.CapturedLog;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.Change;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.LocalServer;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.ReadJob;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.RunningJob;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.TestAccount;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.TestCluster;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.TestContainer;
import io.github.cosmosflink.connector.cosmosdb.source.StartPosition;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.flink.test.junit5.MiniClusterExtension;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/** Where a job without state begins, and that it begins there once only. */
@ExtendWith(CancelJobs.class)
class StartITCase {

    @RegisterExtension static final TestAccount ACCOUNT = new TestAccount();
    @RegisterExtension static final MiniClusterExtension CLUSTER = TestCluster.create();

    @TempDir private Path directory;

    /**
     * The start is pinned when the ranges are discovered. A job that is stopped before any change
     * has come goes on there, not at the time of its restore.
     */
    @Test
    void nowIsPinned() throws Exception {
        TestContainer container = ACCOUNT.createContainer(3);
        container.fill(300, 30);
        Path output = directory.resolve("output");

        RunningJob first;
        try (CapturedLog log = new CapturedLog()) {
            first =
                    new ReadJob(container.source().startFrom(StartPosition.now()).build(), output)
                            .parallelism(2)
                            .submit();
            Await.until("discovery", () -> !log.with(" new feed ranges: ").isEmpty());
        }
        first.awaitCheckpoint();
        String savepoint = first.stop(directory);
        assertThat(first.committed().changes()).isEmpty();
        // Into every partition, while no job runs.
        List<String> ids = write(container, "between");
        RunningJob second =
                new ReadJob(container.source().startFrom(StartPosition.now()).build(), output)
                        .parallelism(1)
                        .restoredFrom(savepoint)
                        .submit();
        second.awaitCommitted(ids.size());
        ids.addAll(write(container, "after"));
        second.awaitCommitted(ids.size());
        second.stop(directory);

        assertThat(ids(second)).containsExactlyInAnyOrderElementsOf(ids);
    }

    /** A checkpoint that completes before the start is pinned would let the restore pin another. */
    @Test
    void nowIsPinnedByTheFirstCheckpoint() throws Exception {
        LocalServer server = ACCOUNT.local();
        TestContainer container = ACCOUNT.createContainer(3);
        Path output = directory.resolve("output");

        server.latency(600);
        RunningJob first =
                new ReadJob(container.source().startFrom(StartPosition.now()).build(), output)
                        .submit();
        first.awaitCheckpoint();
        String savepoint = first.stop(directory);
        server.latency(0);
        List<String> ids = write(container, "between");
        RunningJob second =
                new ReadJob(container.source().startFrom(StartPosition.now()).build(), output)
                        .restoredFrom(savepoint)
                        .submit();
        second.awaitCommitted(ids.size());
        second.stop(directory);

        assertThat(ids(second)).containsExactlyInAnyOrderElementsOf(ids);
    }

    @Test
    void atAPointInTime() throws Exception {
        TestContainer container = ACCOUNT.createContainer(3);
        List<String> before = write(container, "before");
        // The service's clock has full seconds, and resolves a start to a few of them.
        Thread.sleep(6_000);
        Instant start = Instant.now();
        Thread.sleep(6_000);
        List<String> after = write(container, "after");
        Path output = directory.resolve("output");

        RunningJob job =
                new ReadJob(container.source().startFrom(StartPosition.at(start)).build(), output)
                        .submit();
        job.awaitCommitted(after.size());
        job.stop(directory);

        assertThat(ids(job))
                .containsExactlyInAnyOrderElementsOf(after)
                .doesNotContainAnyElementsOf(before);
    }

    @Test
    void anEmptyContainerJustRuns() throws Exception {
        TestContainer container = ACCOUNT.createContainer(2);
        Path output = directory.resolve("output");

        RunningJob job = new ReadJob(container.source().build(), output).withoutRestarts().submit();
        job.awaitCheckpoint();
        assertThat(job.committed().changes()).isEmpty();
        List<String> ids = write(container, "first");
        job.awaitCommitted(ids.size());
        job.stop(directory);

        RunningJob.assertExactlyOnce(output, container);
    }

    private static List<String> write(TestContainer container, String prefix) throws Exception {
        List<String> ids =
                IntStream.range(0, 20).mapToObj(i -> prefix + i).collect(Collectors.toList());
        for (String id : ids) {
            container.upsert(id, "pk-" + id);
        }
        return ids;
    }

    private static List<String> ids(RunningJob job) throws Exception {
        return job.committed().changes().stream()
                .map((Change change) -> change.id)
                .collect(Collectors.toList());
    }
}
