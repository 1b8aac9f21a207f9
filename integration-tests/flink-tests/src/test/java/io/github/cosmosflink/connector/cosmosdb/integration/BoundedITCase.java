// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.integration;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.cosmosflink.connector.cosmosdb.integration.harness.CancelJobs;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.Change;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.CommittedChanges;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.Mappers;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.ReadJob;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.RunningJob;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.TestAccount;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.TestCluster;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.TestContainer;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.Write;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.Writer;
import io.github.cosmosflink.connector.cosmosdb.source.CosmosDBSource;
import io.github.cosmosflink.connector.cosmosdb.source.StopPosition;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.apache.flink.test.junit5.MiniClusterExtension;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A bounded job ends at what was the latest change when it started. */
@ExtendWith(CancelJobs.class)
class BoundedITCase {

    @RegisterExtension static final TestAccount ACCOUNT = new TestAccount();
    @RegisterExtension static final MiniClusterExtension CLUSTER = TestCluster.create();

    @TempDir private Path directory;

    @ParameterizedTest
    @ValueSource(ints = {1, 3})
    void endsWithEverythingOfAQuietContainer(int parallelism) throws Exception {
        TestContainer container = ACCOUNT.createContainer(4);
        container.fill(2_000, 40);
        Path output = directory.resolve("output");

        new ReadJob(bounded(container), output).parallelism(parallelism).submit().awaitEnd();

        RunningJob.assertExactlyOnce(output, container);
        assertThat(CommittedChanges.in(output).changes()).hasSize(2_000);
    }

    @Test
    void endsWhenTheContainerIsEmpty() throws Exception {
        TestContainer container = ACCOUNT.createContainer(2);
        Path output = directory.resolve("output");

        new ReadJob(bounded(container), output).submit().awaitEnd();

        assertThat(CommittedChanges.in(output).changes()).isEmpty();
    }

    /** What was updated meanwhile has moved behind the end, and does not belong to the result. */
    @Test
    void endsWhileTheContainerIsWritten() throws Exception {
        TestContainer container = ACCOUNT.createContainer(3);
        container.fill(3_000, 30);
        List<Write> atStart = container.writes();
        Path output = directory.resolve("output");

        try (Writer writer = Writer.start(container, 30)) {
            RunningJob job =
                    new ReadJob(bounded(container), output)
                            .through(Mappers.slowAndFailing(200_000))
                            .parallelism(2)
                            .submit();
            writer.awaitRounds(1);
            job.awaitEnd();
            // It is still being written.
            writer.awaitRounds(1);
        }

        CommittedChanges committed = CommittedChanges.in(output);
        List<Write> writes = container.writes();
        assertThat(committed.duplicated()).isEmpty();
        assertThat(committed.unknown(writes)).isEmpty();
        assertThat(committed.disordered()).isEmpty();
        assertThat(committed.lost(untouched(atStart, writes))).isEmpty();
        assertThat(committed.changes().size()).isLessThan(writes.size());
    }

    @Test
    void endsAfterAFailure() throws Exception {
        TestContainer container = ACCOUNT.createContainer(2);
        container.fill(2_000, 20);
        Path output = directory.resolve("output");

        RunningJob job =
                new ReadJob(bounded(container), output)
                        .through(Mappers.slowAndFailing(500_000))
                        .parallelism(2)
                        .submit();
        job.awaitCommitted(300);
        Mappers.failNext();
        job.awaitEnd();

        assertThat(Mappers.hasFailed()).isTrue();
        RunningJob.assertExactlyOnce(output, container);
        assertThat(CommittedChanges.in(output).changes()).hasSize(2_000);
    }

    /** Of a partition with a single key, a split makes a child that has nothing to emit. */
    @Test
    void endsAfterASplit() throws Exception {
        ACCOUNT.local();
        TestContainer container = ACCOUNT.createContainer(1);
        container.fill(1_500, 1);
        Path output = directory.resolve("output");

        RunningJob job =
                new ReadJob(bounded(container), output)
                        .through(Mappers.slowAndFailing(500_000))
                        .submit();
        job.awaitCommitted(100);
        container.split(0);
        job.awaitEnd();

        RunningJob.assertExactlyOnce(output, container);
        assertThat(CommittedChanges.in(output).changes())
                .hasSize(1_500)
                .extracting(change -> change.splitId.replaceAll(".*@", ""))
                .contains("0", "1");
    }

    /** The items that were written at the start and not since. */
    private static List<Write> untouched(List<Write> atStart, List<Write> all) {
        Map<String, Long> writesOf =
                all.stream().collect(Collectors.groupingBy(Write::id, Collectors.counting()));
        Set<String> once =
                writesOf.entrySet().stream()
                        .filter(entry -> entry.getValue() == 1)
                        .map(Map.Entry::getKey)
                        .collect(Collectors.toSet());
        return atStart.stream()
                .filter(write -> once.contains(write.id()))
                .collect(Collectors.toList());
    }

    private static CosmosDBSource<Change> bounded(TestContainer container) {
        return container.source().pageSize(100).stopAt(StopPosition.latest()).build();
    }
}
