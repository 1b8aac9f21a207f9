// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.integration;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.cosmosflink.connector.cosmosdb.integration.harness.Await;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.CancelJobs;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.CapturedLog;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.Change;
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
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.apache.flink.test.junit5.MiniClusterExtension;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Every create, replace and delete arrives once, whatever happens to the job. */
@ExtendWith(CancelJobs.class)
class AllVersionsITCase {

    @RegisterExtension static final TestAccount ACCOUNT = new TestAccount();
    @RegisterExtension static final MiniClusterExtension CLUSTER = TestCluster.create();

    @TempDir private Path directory;

    /** A failover, a savepoint, a split and a failover again, while the container is written. */
    @ParameterizedTest
    @CsvSource({"1, 3", "3, 1"})
    void everyChangeOnce(int before, int after) throws Exception {
        TestContainer container = ACCOUNT.createContainerWithAllVersions(2);
        container.fill(400, 20);
        Path output = directory.resolve("output");
        Map<String, Long> start = container.lsns();

        RunningJob first = started(container.allVersions().pageSize(100).build(), output, before);
        String savepoint;
        try (Writer writer = Writer.start(container, 20)) {
            first.awaitCommitted(100);
            first.failOnce();
            writer.awaitRounds(50);
            savepoint = first.stop(directory);
            // While no job runs.
            writer.awaitRounds(20);
            container.split(0);
            writer.awaitRounds(20);
        }
        RunningJob second =
                new ReadJob(container.allVersions().pageSize(70).build(), output)
                        .through(Mappers.slowAndFailing(100_000))
                        .parallelism(after)
                        .restoredFrom(savepoint)
                        .submit();
        try (Writer writer = Writer.start(container, 20)) {
            writer.awaitRounds(20);
            container.split(50);
            second.failOnce();
            writer.awaitRounds(20);
        }
        second.awaitChangesOf(container, start);
        second.stop(directory);

        new Promises(second.committed(), container.writes()).everyChange(start);
    }

    /** What the service does with LSNs is not known. Nothing is lost; a page may come again. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void mergedPartitions(boolean renumber) throws Exception {
        TestContainer container = ACCOUNT.createContainerWithAllVersions(2);
        Path output = directory.resolve("output");

        RunningJob job = started(container.allVersions().pageSize(50).build(), output, 2);
        try (Writer writer = Writer.start(container, 20)) {
            job.awaitCommitted(200);
            container.merge("0", "1", renumber);
            writer.awaitRounds(50);
            job.failOnce();
            writer.awaitRounds(50);
        }
        List<Write> writes = container.writes();
        Await.until("every change", () -> new Promises(job.committed(), writes).isComplete());
        job.stop(directory);

        assertThat(container.partitions()).hasSize(1);
        new Promises(job.committed(), writes).everyChangeAtLeastOnce();
    }

    /** Submits a job that starts now, and waits until now is known. */
    private static RunningJob started(CosmosDBSource<Change> source, Path output, int parallelism)
            throws Exception {
        try (CapturedLog log = new CapturedLog()) {
            RunningJob job =
                    new ReadJob(source, output)
                            .through(Mappers.slowAndFailing(100_000))
                            .parallelism(parallelism)
                            .submit();
            Await.until("discovery", () -> !log.with(" new feed ranges: ").isEmpty());
            return job;
        }
    }

    @Test
    void itemsThatOutliveTheirTime() throws Exception {
        TestContainer container = ACCOUNT.createContainerWithAllVersions(1, 1);
        Path output = directory.resolve("output");
        Map<String, Long> start = container.lsns();

        RunningJob job = started(container.allVersions().build(), output, 1);
        for (int i = 0; i < 10; i++) {
            container.upsert("item-" + i, "pk-" + i);
        }
        container.delete("item-0", "pk-0");
        Await.until(
                "purges",
                () -> container.writes().stream().filter(Write::isTimeToLiveExpired).count() == 9);
        job.awaitChangesOf(container, start);
        job.stop(directory);

        new Promises(job.committed(), container.writes()).everyChange(start);
        assertThat(job.committed().changes())
                .filteredOn(change -> change.operation.equals("DELETE"))
                .hasSize(10)
                .allMatch(change -> !change.previousEtag.isEmpty())
                .filteredOn(change -> !change.timeToLiveExpired)
                .extracting(change -> change.id)
                .containsExactly("item-0");
    }

    @Test
    void deletesThatAreIgnored() throws Exception {
        TestContainer container = ACCOUNT.createContainerWithAllVersions(1);
        Path output = directory.resolve("output");

        RunningJob job = started(container.allVersions().ignoreDeletes(true).build(), output, 1);
        container.upsert("a", "pk");
        container.delete("a", "pk");
        container.upsert("b", "pk");
        job.awaitCommitted(2);
        job.stop(directory);

        assertThat(job.committed().changes())
                .extracting(change -> change.id + " " + change.operation)
                .containsExactlyInAnyOrder("a CREATE", "b CREATE");
    }
}
