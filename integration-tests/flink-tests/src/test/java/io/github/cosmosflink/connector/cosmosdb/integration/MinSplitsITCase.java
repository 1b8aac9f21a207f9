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
import io.github.cosmosflink.connector.cosmosdb.integration.harness.Writer;
import io.github.cosmosflink.connector.cosmosdb.source.StopPosition;
import java.nio.file.Path;
import java.util.Set;
import java.util.stream.Collectors;
import org.apache.flink.test.junit5.MiniClusterExtension;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/** More splits than physical partitions, so that more readers than partitions have work. */
@ExtendWith(CancelJobs.class)
class MinSplitsITCase {

    @RegisterExtension static final TestAccount ACCOUNT = new TestAccount();
    @RegisterExtension static final MiniClusterExtension CLUSTER = TestCluster.create();

    @TempDir private Path directory;

    /** One partition, read by three tasks; it is split under them, and a task fails. */
    @Test
    void moreReadersThanPartitions() throws Exception {
        TestContainer container = ACCOUNT.createContainer(1);
        container.fill(3_000, 60);
        Path output = directory.resolve("output");

        RunningJob first =
                new ReadJob(container.source().minSplits(5).pageSize(100).build(), output)
                        .through(Mappers.slowAndFailing(200_000))
                        .parallelism(3)
                        .submit();
        first.awaitCommitted(300);
        first.failOnce();
        String savepoint;
        try (Writer writer = Writer.start(container, 60)) {
            writer.awaitRounds(20);
            container.split(0);
            writer.awaitRounds(50);
            savepoint = first.stop(directory);
            writer.awaitRounds(20);
        }
        // What is in the state counts, not the option.
        RunningJob second =
                new ReadJob(container.source().minSplits(1).build(), output)
                        .parallelism(2)
                        .restoredFrom(savepoint)
                        .submit();
        second.awaitAllOf(container);
        second.stop(directory);

        RunningJob.assertExactlyOnce(output, container);
        assertThat(splitIds(output)).hasSizeGreaterThanOrEqualTo(5);
    }

    @Test
    void aBoundedReadOfMoreSplitsThanPartitions() throws Exception {
        TestContainer container = ACCOUNT.createContainer(2);
        container.fill(2_000, 50);
        Path output = directory.resolve("output");

        new ReadJob(container.source().minSplits(7).stopAt(StopPosition.latest()).build(), output)
                .parallelism(3)
                .submit()
                .awaitEnd();

        RunningJob.assertExactlyOnce(output, container);
        assertThat(splitIds(output)).hasSizeGreaterThanOrEqualTo(7);
    }

    private static Set<String> splitIds(Path output) throws Exception {
        return CommittedChanges.in(output).changes().stream()
                .map((Change change) -> change.splitId)
                .collect(Collectors.toSet());
    }
}
