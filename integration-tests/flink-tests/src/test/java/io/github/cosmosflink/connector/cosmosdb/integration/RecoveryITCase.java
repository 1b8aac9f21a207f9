// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.integration;

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
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Failures between checkpoints, at any parallelism, lose and repeat nothing. */
@ExtendWith(CancelJobs.class)
class RecoveryITCase {

    @RegisterExtension static final TestAccount ACCOUNT = new TestAccount();
    @RegisterExtension static final MiniClusterExtension CLUSTER = TestCluster.create();

    @TempDir private Path directory;

    /**
     * With half a millisecond a change and pages of a thousand, most checkpoints fall into a page,
     * whose items the writer updates meanwhile.
     */
    @ParameterizedTest
    @ValueSource(ints = {1, 3})
    void tasksThatFailWhileItemsAreUpdated(int parallelism) throws Exception {
        TestContainer container = ACCOUNT.createContainer(2);
        container.fill(3_000, 20);
        Path output = directory.resolve("output");

        RunningJob job =
                new ReadJob(container.source().pageSize(1_000).build(), output)
                        .through(Mappers.slowAndFailing(500_000))
                        .parallelism(parallelism)
                        .submit();
        try (Writer writer = Writer.start(container, 20)) {
            for (int failure = 1; failure <= 4; failure++) {
                job.awaitCommitted(400 * failure);
                Mappers.failNext();
                Await.until("failure " + failure, Mappers::hasFailed);
            }
        }
        job.awaitAllOf(container);
        job.stop(directory);

        RunningJob.assertExactlyOnce(output, container);
    }

    @Test
    void aTaskManagerThatGoes(@InjectMiniCluster MiniCluster cluster) throws Exception {
        TestContainer container = ACCOUNT.createContainer(4);
        container.fill(4_000, 40);
        Path output = directory.resolve("output");

        RunningJob job =
                new ReadJob(container.source().pageSize(200).build(), output)
                        .through(Mappers.slowAndFailing(200_000))
                        .parallelism(3)
                        .submit();
        try (Writer writer = Writer.start(container, 40)) {
            job.awaitCommitted(500);
            cluster.terminateTaskManager(0).get();
            cluster.startTaskManager();
            writer.awaitRounds(20);
        }
        job.awaitAllOf(container);
        job.stop(directory);

        RunningJob.assertExactlyOnce(output, container);
    }
}
