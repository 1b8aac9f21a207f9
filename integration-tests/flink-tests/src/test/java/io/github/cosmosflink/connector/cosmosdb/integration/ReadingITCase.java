// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.integration;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.cosmosflink.connector.cosmosdb.integration.harness.CancelJobs;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.ReadJob;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.RunningJob;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.TestAccount;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.TestCluster;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.TestContainer;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.Writer;
import java.nio.file.Path;
import org.apache.flink.test.junit5.MiniClusterExtension;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What is in a container and what comes to it arrives, each change once and in order. */
@ExtendWith(CancelJobs.class)
class ReadingITCase {

    @RegisterExtension static final TestAccount ACCOUNT = new TestAccount();

    @RegisterExtension static final MiniClusterExtension CLUSTER = TestCluster.create();

    @TempDir private Path directory;

    @ParameterizedTest
    @ValueSource(ints = {1, 3})
    void everythingInAContainerAndWhatComesToIt(int parallelism) throws Exception {
        TestContainer container = ACCOUNT.createContainer(4);
        container.fill(2_000, 40);
        Path output = directory.resolve("output");

        RunningJob job =
                new ReadJob(container.source().pageSize(100).build(), output)
                        .parallelism(parallelism)
                        .submit();
        job.awaitAllOf(container);
        try (Writer writer = Writer.start(container, 40)) {
            writer.awaitRounds(100);
        }
        job.awaitAllOf(container);
        job.stop(directory);

        RunningJob.assertExactlyOnce(output, container);
        assertThat(job.committed().changes().size()).isGreaterThan(2_000 + 200);
    }
}
