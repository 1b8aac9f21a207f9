// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.integration;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.cosmosflink.connector.cosmosdb.integration.harness.CancelJobs;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.Change;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.ReadJob;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.RunningJob;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.TestAccount;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.TestCluster;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.TestContainer;
import io.github.cosmosflink.connector.cosmosdb.source.CosmosDBSource;
import io.github.cosmosflink.connector.cosmosdb.source.CosmosDBSourceBuilder;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import org.apache.flink.api.common.JobStatus;
import org.apache.flink.test.junit5.MiniClusterExtension;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What the user got wrong fails the job with an error that names it, and never shows the key. No
 * test lets the job restart: its first failure is the one that is looked at.
 */
@ExtendWith(CancelJobs.class)
class BadInputITCase {

    @RegisterExtension static final TestAccount ACCOUNT = new TestAccount();
    @RegisterExtension static final MiniClusterExtension CLUSTER = TestCluster.create();

    @TempDir private Path directory;

    @Test
    void aKeyOfAnotherAccount() throws Exception {
        String key =
                Base64.getEncoder()
                        .encodeToString("of another account".getBytes(StandardCharsets.UTF_8));

        String failure = failure(ACCOUNT.createContainer(1).source().key(key));

        assertThat(failure).contains("AUTHENTICATION_FAILED", "option 'key'").doesNotContain(key);
    }

    @Test
    void anEndpointWhereNobodyListens() throws Exception {
        String endpoint = "http://127.0.0.1:" + portThatIsFree() + "/";

        String failure =
                failure(
                        ACCOUNT.createContainer(1)
                                .source()
                                .endpoint(endpoint)
                                .startupTimeout(Duration.ofSeconds(2)));

        assertThat(failure)
                .contains("ENDPOINT_UNREACHABLE", "option 'endpoint'", endpoint, "startupTimeout");
    }

    @Test
    void anEndpointThatDoesNotAnswer() throws Exception {
        // Connections are taken by the system, nobody reads them.
        try (ServerSocket silent = new ServerSocket(0, 50, InetAddress.getLoopbackAddress())) {
            String endpoint = "http://127.0.0.1:" + silent.getLocalPort() + "/";

            String failure =
                    failure(
                            ACCOUNT.createContainer(1)
                                    .source()
                                    .endpoint(endpoint)
                                    .requestTimeout(Duration.ofMillis(500))
                                    .startupTimeout(Duration.ofSeconds(2)));

            assertThat(failure).contains("ENDPOINT_UNREACHABLE", "option 'endpoint'", endpoint);
        }
    }

    /** Whoever sees the mistake does not want to wait for the start-up time. */
    @Test
    void aJobThatIsCancelledWhileItStarts() throws Exception {
        try (ServerSocket silent = new ServerSocket(0, 50, InetAddress.getLoopbackAddress())) {
            String endpoint = "http://127.0.0.1:" + silent.getLocalPort() + "/";
            CosmosDBSource<Change> source =
                    ACCOUNT.createContainer(1)
                            .source()
                            .endpoint(endpoint)
                            .requestTimeout(Duration.ofMinutes(10))
                            .startupTimeout(Duration.ofMinutes(10))
                            .build();

            RunningJob job =
                    new ReadJob(source, directory.resolve("output")).withoutRestarts().submit();
            // It has begun to connect.
            silent.accept();
            job.cancel();

            assertThat(job.status()).isEqualTo(JobStatus.CANCELED);
        }
    }

    @Test
    void aHostThatDoesNotExist() throws Exception {
        String endpoint = "https://no-such-account.invalid:443/";

        String failure =
                failure(
                        ACCOUNT.createContainer(1)
                                .source()
                                .endpoint(endpoint)
                                .startupTimeout(Duration.ofSeconds(2)));

        assertThat(failure).contains("ENDPOINT_UNREACHABLE", "option 'endpoint'", endpoint);
    }

    @Test
    void aDatabaseThatIsNotThere() throws Exception {
        String failure = failure(ACCOUNT.createContainer(1).source().database("nowhere"));

        assertThat(failure).contains("DATABASE_NOT_FOUND", "option 'database'", "'nowhere'");
    }

    @Test
    void aContainerThatIsNotThere() throws Exception {
        String failure = failure(ACCOUNT.createContainer(1).source().container("nothing"));

        assertThat(failure)
                .contains("CONTAINER_NOT_FOUND", "option 'container'", "'nothing'")
                .contains(ACCOUNT.database());
    }

    /** Its state would skip what the new container holds. */
    @Test
    void aContainerRecreatedBetweenSavepointAndRestore() throws Exception {
        TestContainer container = ACCOUNT.createContainer(1);
        container.upsert("old", "pk");
        String savepoint = savepoint(container);
        TestContainer recreated = container.recreate();
        recreated.upsert("new", "pk");

        String failure = failure(recreated.source(), savepoint);

        assertThat(failure).contains("CONTAINER_RECREATED", "'" + container.name() + "'");
    }

    @Test
    void aContainerRecreatedWhileItIsRead() throws Exception {
        TestContainer container = ACCOUNT.createContainer(1);
        container.upsert("old", "pk");
        Path output = directory.resolve("output");
        RunningJob job = new ReadJob(container.source().build(), output).withoutRestarts().submit();
        job.awaitCommitted(1);
        // Not to be caught in between, when there is no container of that name.
        ACCOUNT.local().status("changefeed", 1_000_000, 503, 0);
        TestContainer recreated = container.recreate();
        recreated.upsert("new", "pk");
        ACCOUNT.local().clearFaults();

        String failure = job.awaitFailureText();

        assertThat(failure).contains("CONTAINER_RECREATED", "'" + container.name() + "'");
        assertThat(job.committed().changes()).hasSize(1);
    }

    @Test
    void aSavepointOfAnotherContainer() throws Exception {
        TestContainer container = ACCOUNT.createContainer(1);
        container.upsert("old", "pk");
        String savepoint = savepoint(container);
        TestContainer other = ACCOUNT.createContainer(1);
        other.upsert("new", "pk");

        String failure = failure(other.source(), savepoint);

        assertThat(failure)
                .contains("POSITION_MISMATCH", "'container'")
                .contains("'" + container.name() + "'", "'" + other.name() + "'");
    }

    /**
     * Found by the checksum around the positions, before the core sees its own.
     *
     * @param which of the positions in the savepoint is damaged, counted from its start: the
     *     coordinator's or a reader's
     */
    @ParameterizedTest
    @ValueSource(ints = {0, -1})
    void aSnapshotThatWasDamaged(int which) throws Exception {
        TestContainer container = ACCOUNT.createContainer(1);
        container.upsert("old", "pk");
        String savepoint = savepoint(container);
        damage(Path.of(URI.create(savepoint)).resolve("_metadata"), which);

        String failure = failure(container.source(), savepoint);

        assertThat(failure).contains("is corrupt: the checksum");
    }

    /** Turns a bit in the middle of a position, which begins with "CDBP". */
    private static void damage(Path metadata, int which) throws IOException {
        byte[] bytes = Files.readAllBytes(metadata);
        String text = new String(bytes, StandardCharsets.ISO_8859_1);
        List<Integer> positions = new ArrayList<>();
        for (int at = text.indexOf("CDBP"); at >= 0; at = text.indexOf("CDBP", at + 1)) {
            positions.add(at);
        }
        assertThat(positions).as("positions of coordinator and reader").hasSizeGreaterThan(1);
        int position = positions.get(which < 0 ? positions.size() + which : which);
        bytes[position + 60] ^= 1;
        Files.write(metadata, bytes);
    }

    private String savepoint(TestContainer container) throws Exception {
        Path output = directory.resolve("before");
        RunningJob job = new ReadJob(container.source().build(), output).submit();
        job.awaitAllOf(container);
        return job.stop(directory);
    }

    private String failure(CosmosDBSourceBuilder<Change> source) throws Exception {
        return failure(source, null);
    }

    /** Runs the job until it fails, and checks what is true of all failures. */
    private String failure(CosmosDBSourceBuilder<Change> builder, String savepoint)
            throws Exception {
        CosmosDBSource<Change> source = builder.build();
        Path output = directory.resolve("output");
        ReadJob job = new ReadJob(source, output).withoutRestarts();
        if (savepoint != null) {
            job.restoredFrom(savepoint);
        }
        RunningJob running = job.submit();
        String failure = running.awaitFailureText();

        assertThat(failure).doesNotContain(ACCOUNT.key());
        assertThat(source.toString()).doesNotContain(ACCOUNT.key());
        assertThat(running.committed().changes()).isEmpty();
        return failure;
    }

    private static int portThatIsFree() throws IOException {
        try (ServerSocket socket = new ServerSocket(0)) {
            return socket.getLocalPort();
        }
    }
}
