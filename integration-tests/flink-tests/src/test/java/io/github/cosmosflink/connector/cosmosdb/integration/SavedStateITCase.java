// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.integration;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.assertj.core.api.Assertions.assertThat;

import io.github.cosmosflink.connector.cosmosdb.integration.harness.Await;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.Change;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.TestAccount;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.TestCluster;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.TestContainer;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.Write;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.StateRecoveryOptions;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.core.execution.SavepointFormatType;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;
import org.apache.flink.test.junit5.MiniClusterExtension;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledIfSystemProperty;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/**
 * A savepoint that lies in the repository, of a job that was stopped in the middle of pages and
 * just after a partition had been split, is restored: what a user has today must be readable
 * tomorrow. The README says how it is written anew.
 *
 * <p>A local server numbers its resources and changes in the order in which it is told, so the
 * container that this test fills is, to the source, the one of the savepoint.
 */
class SavedStateITCase {

    private static final Path SAVED = Path.of("src", "test", "savepoint");
    private static final Path METADATA = SAVED.resolve("_metadata");

    /** The ids that the job had emitted when it was stopped. */
    private static final Path EMITTED = SAVED.resolve("emitted.txt");

    /** Before the split and after it. */
    private static final int ITEMS = 300;

    private static final int LATE_ITEMS = 30;
    private static final int NEW_ITEMS = 20;
    private static final String PARTITION_TO_SPLIT = "1";

    /** Tests and tasks share a JVM. */
    private static final Queue<Change> SEEN = new ConcurrentLinkedQueue<>();

    /** How long the job takes over each change. */
    private static volatile long nanosPerChange;

    @RegisterExtension static final TestAccount ACCOUNT = new TestAccount("saved-state");
    @RegisterExtension static final MiniClusterExtension CLUSTER = TestCluster.create();

    @TempDir private Path directory;

    private TestContainer container;

    @BeforeEach
    void fill() throws Exception {
        ACCOUNT.local();
        SEEN.clear();
        nanosPerChange = 0;
        container = ACCOUNT.createContainer("orders", 2);
        container.fill(ITEMS, 30);
    }

    @Test
    @DisabledIfSystemProperty(named = "savepoint.write", matches = "true")
    void goesOnExactlyWhereItWasStopped() throws Exception {
        splitAndWrite();
        List<String> before = Files.readAllLines(EMITTED);
        // As if it came from elsewhere.
        Path savepoint = Files.createDirectories(directory.resolve("savepoint"));
        Files.copy(METADATA, savepoint.resolve("_metadata"));

        JobClient job = submit(savepoint);
        for (int i = 0; i < NEW_ITEMS; i++) {
            container.upsert("new-" + i, "pk-" + i);
        }
        // Each item is written once.
        List<String> expected =
                container.writes().stream().map(Write::id).collect(Collectors.toList());
        Await.until("what is missing", () -> SEEN.size() >= expected.size() - before.size());
        job.stopWithSavepoint(false, directory.toUri().toString(), SavepointFormatType.CANONICAL)
                .get(60, TimeUnit.SECONDS);

        List<String> all = new ArrayList<>(before);
        all.addAll(seen());
        assertThat(all).containsExactlyInAnyOrderElementsOf(expected);
    }

    @Test
    @EnabledIfSystemProperty(named = "savepoint.write", matches = "true")
    void writeTheSavepoint() throws Exception {
        nanosPerChange = 5_000_000;
        JobClient job = submit(null);
        Await.until("some changes", () -> SEEN.size() > 30);
        splitAndWrite();
        Await.until("children of the split range", () -> generations().contains("1"));
        // Slowly now: the savepoint is to fall into pages.
        nanosPerChange = 100_000_000;
        String savepoint =
                job.stopWithSavepoint(
                                false, directory.toUri().toString(), SavepointFormatType.CANONICAL)
                        .get(60, TimeUnit.SECONDS);

        assertThat(seen()).as("leaves something to be read").hasSizeLessThan(ITEMS + LATE_ITEMS);
        Path folder = Path.of(URI.create(savepoint));
        try (Stream<Path> files = Files.list(folder)) {
            assertThat(files).as("all state is in one file").hasSize(1);
        }
        Files.createDirectories(SAVED);
        // State that lies in the file is named after the folder all the same, which is nobody's
        // business.
        String name = directory.toString();
        String metadata = Files.readString(folder.resolve("_metadata"), ISO_8859_1);
        String anonymous = metadata.replace(name, "/" + "x".repeat(name.length() - 1));
        Files.writeString(METADATA, anonymous, ISO_8859_1);
        Files.write(EMITTED, seen());
    }

    private void splitAndWrite() throws Exception {
        container.split(PARTITION_TO_SPLIT, 0);
        for (int i = 0; i < LATE_ITEMS; i++) {
            container.upsert("late-" + i, "pk-" + i);
        }
    }

    private JobClient submit(Path savepoint) throws Exception {
        Configuration configuration = new Configuration();
        configuration.set(CheckpointingOptions.CHECKPOINTING_INTERVAL, Duration.ofMillis(200));
        if (savepoint != null) {
            configuration.set(StateRecoveryOptions.SAVEPOINT_PATH, savepoint.toUri().toString());
        }
        StreamExecutionEnvironment env =
                StreamExecutionEnvironment.getExecutionEnvironment(configuration);
        env.setParallelism(2);
        env.fromSource(
                        container.source().pageSize(40).build(),
                        WatermarkStrategy.noWatermarks(),
                        "Changes")
                .uid("changes")
                .map(
                        change -> {
                            // The first range lags, so that much of it is left to be read.
                            boolean first = change.splitId.startsWith("-");
                            LockSupport.parkNanos(nanosPerChange * (first ? 5 : 1));
                            SEEN.add(change);
                            return change;
                        })
                .returns(Change.class)
                .uid("seen")
                .sinkTo(new DiscardingSink<>())
                .uid("nothing");
        return env.executeAsync();
    }

    private static List<String> seen() {
        return SEEN.stream().map(change -> change.id).collect(Collectors.toList());
    }

    private static List<String> generations() {
        return SEEN.stream()
                .map(change -> change.splitId.replaceAll(".*@", ""))
                .collect(Collectors.toList());
    }
}
