// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.integration;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.cosmosflink.connector.cosmosdb.integration.harness.Await;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.CancelJobs;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.CapturedLog;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.Change;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.TestAccount;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.TestCluster;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.TestContainer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.LockSupport;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.PipelineOptions;
import org.apache.flink.configuration.RestartStrategyOptions;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.ProcessFunction;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;
import org.apache.flink.test.junit5.MiniClusterExtension;
import org.apache.flink.util.Collector;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.extension.RegisterExtension;

/** Watermark alignment: readers and splits that are ahead in time wait for the others. */
@ExtendWith(CancelJobs.class)
class AlignmentITCase {

    private static final int ITEMS = 800;
    private static final int MILLIS_APART = 10;

    /** A move may take ten of them, longer than anybody waits here. */
    private static final Duration CHECKPOINTS_APART = Duration.ofSeconds(8);

    @RegisterExtension static final TestAccount ACCOUNT = new TestAccount();
    @RegisterExtension static final MiniClusterExtension CLUSTER = TestCluster.create();

    /** Tests and tasks share a JVM. */
    private static final Set<String> SEEN = ConcurrentHashMap.newKeySet();

    private static final Set<String> SLOW_KEYS = ConcurrentHashMap.newKeySet();

    @BeforeEach
    void reset() {
        ACCOUNT.local();
        SEEN.clear();
        SLOW_KEYS.clear();
    }

    /**
     * The reader with most ranges is the one that is ahead: Flink does not poll it most of the
     * time, so it gives no range, and it must not be the watermark held for that range which keeps
     * it waiting. Broken and watched: when such transfers are not given up, the job stands still.
     */
    @Test
    void aReaderThatWaitsForTheOthersIsNotHeldUpByRebalancing() throws Exception {
        TestContainer container = ACCOUNT.createContainer(2);
        for (int i = 0; i < 40; i++) {
            container.upsert("0-probe-" + i, "pk-" + i);
        }
        List<String> fastKeys = new ArrayList<>();
        container
                .partitionOfKeys()
                .forEach(
                        (key, partition) -> {
                            if (partition.equals("0")) {
                                fastKeys.add(key);
                            } else {
                                SLOW_KEYS.add(key);
                            }
                        });
        List<String> slowKeys = new ArrayList<>(SLOW_KEYS);
        for (int i = 1; i <= ITEMS; i++) {
            String time = i * MILLIS_APART + "-";
            container.upsert(time + "fast", fastKeys.get(i % fastKeys.size()));
            container.upsert(time + "slow", slowKeys.get(i % slowKeys.size()));
        }

        try (CapturedLog log = new CapturedLog()) {
            submit(container);
            Await.until("changes", () -> SEEN.size() > 60);
            container.split("0", 0);
            container.split(container.partitions().get(1), 0);
            Await.until("a move to be begun", () -> !log.with("RELEASE").isEmpty());
            Await.until("all changes", () -> SEEN.size() == 40 + 2 * ITEMS);
        }

        assertThat(container.partitions()).hasSize(4);
    }

    private static void submit(TestContainer container) throws Exception {
        Configuration configuration = new Configuration();
        configuration.set(RestartStrategyOptions.RESTART_STRATEGY, "none");
        configuration.set(PipelineOptions.AUTO_WATERMARK_INTERVAL, Duration.ofMillis(5));
        configuration.set(CheckpointingOptions.CHECKPOINTING_INTERVAL, CHECKPOINTS_APART);
        StreamExecutionEnvironment env =
                StreamExecutionEnvironment.getExecutionEnvironment(configuration);
        env.setParallelism(2);
        env.fromSource(
                        container.source().pageSize(5).rebalancing(true).build(),
                        WatermarkStrategy.<Change>forMonotonousTimestamps()
                                .withTimestampAssigner((change, timestamp) -> timeOf(change))
                                .withWatermarkAlignment(
                                        "changes", Duration.ofMillis(200), Duration.ofMillis(20)),
                        "Changes")
                .process(new Note())
                .sinkTo(new DiscardingSink<>());
        env.executeAsync();
    }

    private static long timeOf(Change change) {
        return Long.parseLong(change.id.substring(0, change.id.indexOf('-')));
    }

    private static final class Note extends ProcessFunction<Change, Change> {

        private static final long serialVersionUID = 1L;

        @Override
        public void processElement(Change change, Context context, Collector<Change> out) {
            SEEN.add(change.id);
            if (SLOW_KEYS.contains(change.partitionKey)) {
                LockSupport.parkNanos(40_000_000);
            }
            out.collect(change);
        }
    }
}
