// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.integration;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.cosmosflink.connector.cosmosdb.integration.harness.Await;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.CancelJobs;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.CapturedLog;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.Change;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.LocalServer;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.ReadJob;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.Relay;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.RunningJob;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.TestAccount;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.TestCluster;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.TestContainer;
import io.github.cosmosflink.connector.cosmosdb.source.CosmosDBSource;
import java.nio.file.Path;
import java.time.Duration;
import org.apache.flink.test.junit5.MiniClusterExtension;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Trouble that passes does not fail the job, which may not restart here, and is logged once per
 * episode: a line when it begins, one when it is over.
 */
@ExtendWith(CancelJobs.class)
class TroubleITCase {

    private static final String BEGINS = "trying again";
    private static final String OVER = "reading again after";

    /** More than any test meets; they are cleared when the test has seen enough. */
    private static final int MANY = 1_000_000;

    @RegisterExtension static final TestAccount ACCOUNT = new TestAccount();
    @RegisterExtension static final MiniClusterExtension CLUSTER = TestCluster.create();

    @TempDir private Path directory;
    private LocalServer server;
    private TestContainer container;

    @BeforeEach
    void fill() throws Exception {
        server = ACCOUNT.local();
        container = ACCOUNT.createContainer(1);
        container.fill(500, 10);
    }

    @AfterEach
    void calm() throws Exception {
        // Without a server the test was skipped.
        if (server != null) {
            server.clearFaults();
        }
    }

    @ParameterizedTest
    @CsvSource({"503, 0", "429, 3200", "410, 0", "410, 1002", "410, 1007", "408, 0", "500, 20206"})
    void readsThatAreRefused(int status, int subStatus) throws Exception {
        // A throttled read is one request, of others the driver sends several.
        readsThatFail(
                () -> server.status("changefeed", MANY, status, subStatus), status == 429 ? 4 : 12);
    }

    @ParameterizedTest
    @ValueSource(strings = {"reset", "truncate", "refuse"})
    void answersThatBreakOff(String kind) throws Exception {
        readsThatFail(() -> server.broken("changefeed", MANY, kind), 12);
    }

    private interface Trouble {
        void begin() throws Exception;
    }

    private void readsThatFail(Trouble trouble, int requests) throws Exception {
        try (CapturedLog log = new CapturedLog()) {
            RunningJob job = start(container.source().pageSize(50).build());
            job.awaitAllOf(container);
            trouble.begin();
            container.upsert("meanwhile", "pk-0");
            awaitRequests(requests);
            Await.until("the log's line", () -> !log.with(BEGINS).isEmpty());
            server.clearFaults();
            end(job);

            assertOneEpisode(log);
        }
    }

    private void awaitRequests(int failed) throws Exception {
        Await.until("failed requests", () -> MANY - server.faultsLeft() >= failed);
    }

    private static void assertOneEpisode(CapturedLog log) {
        assertThat(log.with(BEGINS)).hasSize(1).allMatch(line -> line.startsWith("WARN"));
        assertThat(log.with(OVER)).hasSize(1);
        assertThat(log.with(OVER + " 1 failed")).as("more than one failure").isEmpty();
    }

    /** From the first request on: discovery and connecting have their own patience. */
    @ParameterizedTest
    @CsvSource({"503, 0", "429, 3200", "500, 20206", "408, 0"})
    void aStartThatFails(int status, int subStatus) throws Exception {
        server.status("any", MANY, status, subStatus);
        RunningJob job = start(container.source().build());
        awaitRequests(4);
        server.clearFaults();

        end(job);
    }

    @Test
    void partitionsThatCannotBeListed() throws Exception {
        RunningJob job = start(container.source().pageSize(50).build());
        job.awaitAllOf(container);
        server.status("pkranges", MANY, 503, 0);
        container.split(0);
        container.upsert("meanwhile", "pk-0");
        awaitRequests(4);
        server.clearFaults();

        end(job);
    }

    @Test
    void aServerThatIsAway() throws Exception {
        try (Relay relay = Relay.to(ACCOUNT);
                CapturedLog log = new CapturedLog()) {
            RunningJob job = start(container.source().endpoint(relay.endpoint()).build());
            job.awaitAllOf(container);
            relay.down();
            container.upsert("meanwhile", "pk-0");
            Await.until("a failed read", () -> !log.with(BEGINS).isEmpty());
            // Some attempts longer.
            Thread.sleep(1_000);
            relay.up();
            end(job);

            assertOneEpisode(log);
        }
    }

    @Test
    void aServerThatHangs() throws Exception {
        try (CapturedLog log = new CapturedLog()) {
            RunningJob job =
                    start(container.source().requestTimeout(Duration.ofMillis(300)).build());
            job.awaitAllOf(container);
            server.freeze();
            try {
                Await.until("a failed read", () -> !log.with(BEGINS).isEmpty());
                // Some attempts longer.
                Thread.sleep(1_500);
            } finally {
                server.thaw();
            }
            container.upsert("after", "pk-0");
            end(job);

            assertOneEpisode(log);
        }
    }

    /** A container that has fewer request units than the job asks for. */
    @Test
    void aContainerThatThrottles() throws Exception {
        TestContainer throttled = ACCOUNT.createThrottledContainer(400);
        throttled.fill(1_000, 10);

        RunningJob job =
                new ReadJob(throttled.source().pageSize(20).build(), directory.resolve("throttled"))
                        .withoutRestarts()
                        .submit();
        job.awaitAllOf(throttled);
        job.stop(directory);

        RunningJob.assertExactlyOnce(directory.resolve("throttled"), throttled);
    }

    private RunningJob start(CosmosDBSource<Change> source) throws Exception {
        return new ReadJob(source, directory.resolve("output")).withoutRestarts().submit();
    }

    private void end(RunningJob job) throws Exception {
        job.awaitAllOf(container);
        job.stop(directory);
        RunningJob.assertExactlyOnce(directory.resolve("output"), container);
    }
}
