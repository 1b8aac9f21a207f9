// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.integration;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.cosmosflink.connector.cosmosdb.integration.harness.CancelJobs;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.Change;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.Promises;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.ReadJob;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.RunningJob;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.TestAccount;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.TestCluster;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.TestContainer;
import io.github.cosmosflink.connector.cosmosdb.source.ChangeFeedMode;
import io.github.cosmosflink.connector.cosmosdb.source.CosmosDBSource;
import io.github.cosmosflink.connector.cosmosdb.source.StartPosition;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.apache.flink.test.junit5.MiniClusterExtension;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Reading begins at continuation tokens that were saved elsewhere. */
@ExtendWith(CancelJobs.class)
class TokensITCase {

    @RegisterExtension static final TestAccount ACCOUNT = new TestAccount();
    @RegisterExtension static final MiniClusterExtension CLUSTER = TestCluster.create();

    @TempDir private Path directory;

    /** The partitions of the tokens have been split before the job starts. */
    @ParameterizedTest
    @EnumSource(ChangeFeedMode.class)
    void theFeedGoesOnBehindThem(ChangeFeedMode mode) throws Exception {
        TestContainer container = ACCOUNT.createContainerWithAllVersions(2);
        container.fill(200, 20);
        List<String> tokens = container.tokens(mode);
        Map<String, Long> start = container.lsns();
        for (int i = 0; i < 50; i++) {
            container.upsert("behind-" + i, "pk-" + i % 20);
        }
        container.split(0);
        Path output = directory.resolve("output");

        RunningJob job =
                new ReadJob(source(container, mode, tokens), output).parallelism(2).submit();
        job.awaitCommitted(50);
        container.upsert("later", "pk-0");
        job.awaitCommitted(51);
        job.stop(directory);

        if (mode == ChangeFeedMode.ALL_VERSIONS_AND_DELETES) {
            new Promises(job.committed(), container.writes()).everyChange(start);
        }
        assertThat(job.committed().changes())
                .hasSize(51)
                .allMatch(change -> !change.id.startsWith("doc-"))
                .extracting(change -> change.id)
                .doesNotHaveDuplicates();
    }

    private static CosmosDBSource<Change> source(
            TestContainer container, ChangeFeedMode mode, List<String> tokens) {
        return container
                .source()
                .changeFeedMode(mode)
                .startFrom(StartPosition.tokens(tokens))
                .build();
    }

    @Test
    void tokensThatLeaveAHole() throws Exception {
        TestContainer container = ACCOUNT.createContainerWithAllVersions(3);
        ChangeFeedMode mode = ChangeFeedMode.ALL_VERSIONS_AND_DELETES;
        List<String> tokens = container.tokens(mode).subList(1, 3);

        assertThat(failure(source(container, mode, tokens)))
                .contains("RANGE_COVERAGE", "option 'startFrom.tokens'");
    }

    @Test
    void tokensOfTheOtherMode() throws Exception {
        TestContainer container = ACCOUNT.createContainerWithAllVersions(1);
        List<String> tokens = container.tokens(ChangeFeedMode.LATEST_VERSION);

        assertThat(failure(source(container, ChangeFeedMode.ALL_VERSIONS_AND_DELETES, tokens)))
                .contains("option 'startFrom.tokens'", "ALL_VERSIONS_AND_DELETES");
    }

    @Test
    void tokensOfAnotherContainer() throws Exception {
        TestContainer other = ACCOUNT.createContainerWithAllVersions(1);
        TestContainer container = ACCOUNT.createContainerWithAllVersions(1);
        List<String> tokens = other.tokens(ChangeFeedMode.LATEST_VERSION);

        assertThat(failure(source(container, ChangeFeedMode.LATEST_VERSION, tokens)))
                .contains("option 'startFrom.tokens'", container.name());
    }

    @Test
    void whatIsNoToken() throws Exception {
        TestContainer container = ACCOUNT.createContainer(1);

        assertThat(
                        failure(
                                source(
                                        container,
                                        ChangeFeedMode.LATEST_VERSION,
                                        List.of("c1.nonsense"))))
                .contains("option 'startFrom.tokens'");
    }

    private String failure(CosmosDBSource<Change> source) throws Exception {
        return new ReadJob(source, directory.resolve("output"))
                .withoutRestarts()
                .submit()
                .awaitFailureText();
    }
}
