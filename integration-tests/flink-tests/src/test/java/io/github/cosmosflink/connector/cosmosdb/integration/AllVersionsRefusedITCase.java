// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.integration;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.cosmosflink.connector.cosmosdb.integration.harness.Await;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.CancelJobs;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.CapturedLog;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.Change;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.ReadJob;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.RunningJob;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.TestAccount;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.TestCluster;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.TestContainer;
import io.github.cosmosflink.connector.cosmosdb.source.CosmosDBSourceBuilder;
import io.github.cosmosflink.connector.cosmosdb.source.RetentionExpired;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Collectors;
import org.apache.flink.test.junit5.MiniClusterExtension;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Where all versions and deletes cannot be read, or not any more, the job says so, or does what the
 * user has declared for the case.
 */
@ExtendWith(CancelJobs.class)
class AllVersionsRefusedITCase {

    private static final int RETENTION_SECONDS = 2;

    @RegisterExtension static final TestAccount ACCOUNT = new TestAccount();
    @RegisterExtension static final MiniClusterExtension CLUSTER = TestCluster.create();

    @TempDir private Path directory;

    @Test
    void aContainerWithTheModeOff() throws Exception {
        ACCOUNT.local();
        TestContainer container = ACCOUNT.createContainer(1);

        assertThat(failure(container.allVersions(), null))
                .contains("MODE_UNAVAILABLE", "option 'changeFeedMode'", container.name());
    }

    /** A state is of the mode that it was written in, both ways. */
    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void aStateOfTheOtherMode(boolean allVersionsFirst) throws Exception {
        TestContainer container = ACCOUNT.createContainerWithAllVersions(1);
        CosmosDBSourceBuilder<Change> first =
                allVersionsFirst ? container.allVersions() : container.source();
        CosmosDBSourceBuilder<Change> second =
                allVersionsFirst ? container.source() : container.allVersions();
        String savepoint = savepoint(first);

        assertThat(failure(second, savepoint))
                .contains("POSITION_MISMATCH", "changeFeedMode")
                .contains("LATEST_VERSION", "ALL_VERSIONS_AND_DELETES");
    }

    @Test
    void aPositionOlderThanTheRetention() throws Exception {
        TestContainer container = ACCOUNT.createContainerWithAllVersions(1);
        String savepoint = savepointThatExpires(container);

        assertThat(failure(container.allVersions(), savepoint))
                .contains("RETENTION_EXPIRED", "option 'retentionExpired'");
    }

    @Test
    void goingOnFromNow() throws Exception {
        TestContainer container = ACCOUNT.createContainerWithAllVersions(1);
        String savepoint = savepointThatExpires(container);
        Path output = directory.resolve("output");

        RunningJob job;
        try (CapturedLog log = new CapturedLog()) {
            job =
                    new ReadJob(
                                    container
                                            .allVersions()
                                            .retentionExpired(RetentionExpired.START_FROM_NOW)
                                            .build(),
                                    output)
                            .restoredFrom(savepoint)
                            .submit();
            Await.until(
                    "the warning",
                    () -> log.with("retention").stream().anyMatch(line -> line.startsWith("WARN")));
        }
        // Changes that were made before are lost, those from now on are not.
        container.upsert("after", "pk");
        job.awaitCommitted(1);
        job.stop(directory);

        assertThat(operations(job)).containsExactly("after CREATE");
    }

    @Test
    void goingOnFromThePresentState() throws Exception {
        TestContainer container = ACCOUNT.createContainerWithAllVersions(1);
        String savepoint = savepointThatExpires(container);
        Path output = directory.resolve("output");

        RunningJob job =
                new ReadJob(
                                container
                                        .allVersions()
                                        .retentionExpired(
                                                RetentionExpired.PRESENT_STATE_THEN_CHANGES)
                                        .build(),
                                output)
                        .restoredFrom(savepoint)
                        .submit();
        job.awaitCommitted(1);
        container.upsert("after", "pk");
        job.awaitCommitted(2);
        job.stop(directory);

        assertThat(operations(job)).containsExactlyInAnyOrder("lost UNKNOWN", "after CREATE");
    }

    private static List<String> operations(RunningJob job) throws Exception {
        return job.committed().changes().stream()
                .map((Change change) -> change.id + " " + change.operation)
                .collect(Collectors.toList());
    }

    /** A savepoint behind which a change is made that is not retained any more. */
    private String savepointThatExpires(TestContainer container) throws Exception {
        String savepoint = savepoint(container.allVersions());
        container.upsert("lost", "pk");
        container.retainSeconds(RETENTION_SECONDS);
        // The server counts by its clock, in seconds.
        Thread.sleep((RETENTION_SECONDS + 2) * 1_000L);
        container.upsert("lost", "pk");
        return savepoint;
    }

    private String savepoint(CosmosDBSourceBuilder<Change> source) throws Exception {
        RunningJob job = new ReadJob(source.build(), directory.resolve("before")).submit();
        job.awaitCheckpoint();
        return job.stop(directory);
    }

    private String failure(CosmosDBSourceBuilder<Change> source, String savepoint)
            throws Exception {
        ReadJob job = new ReadJob(source.build(), directory.resolve("output")).withoutRestarts();
        if (savepoint != null) {
            job.restoredFrom(savepoint);
        }
        return job.submit().awaitFailureText();
    }

    @Test
    void aContainerThatIsDeletedUnderTheJob() throws Exception {
        TestContainer container = ACCOUNT.createContainerWithAllVersions(2);
        RunningJob job = reading(container);
        container.delete();

        assertThat(job.awaitFailureText()).contains("CONTAINER_NOT_FOUND", container.name());
    }

    private RunningJob reading(TestContainer container) throws Exception {
        RunningJob job =
                new ReadJob(container.allVersions().build(), directory.resolve("output"))
                        .withoutRestarts()
                        .submit();
        job.awaitCheckpoint();
        return job;
    }
}
