// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.integration;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.cosmosflink.connector.cosmosdb.integration.harness.Await;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.Change;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.TestAccount;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.TestCluster;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.TestContainer;
import io.github.cosmosflink.connector.cosmosdb.source.CosmosDBSource;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.MapFunction;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.PipelineOptions;
import org.apache.flink.configuration.RestartStrategyOptions;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.ProcessFunction;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;
import org.apache.flink.test.junit5.MiniClusterExtension;
import org.apache.flink.util.Collector;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** Timestamps and watermarks, as an operator behind the source sees them. */
class EventTimeITCase {

    private static final int OLD = 400;

    @RegisterExtension static final TestAccount ACCOUNT = new TestAccount();
    @RegisterExtension static final MiniClusterExtension CLUSTER = TestCluster.create();

    /** What the job has seen, with the watermark that was there before. */
    private static final List<Seen> SEEN = new CopyOnWriteArrayList<>();

    private static volatile CountDownLatch gate;

    private static final class Seen {
        final Change change;
        final Long timestamp;
        final long watermark;

        Seen(Change change, Long timestamp, long watermark) {
            this.change = change;
            this.timestamp = timestamp;
            this.watermark = watermark;
        }

        boolean isLate() {
            return timestamp <= watermark;
        }

        @Override
        public String toString() {
            return change + " at " + timestamp + ", watermark " + watermark;
        }
    }

    @BeforeEach
    void reset() {
        SEEN.clear();
        gate = new CountDownLatch(0);
    }

    /** The deserializer of the tests compares the metadata's time with {@code _ts}. */
    @Test
    void theRecordsTimeIsTheDocuments() throws Exception {
        TestContainer container = ACCOUNT.createContainer(2);
        long before = System.currentTimeMillis();
        for (int i = 0; i < 20; i++) {
            container.upsert("doc-" + i, "pk-" + i);
        }

        JobClient job = submit(container.source().build());
        Await.until("the changes", () -> SEEN.size() == 20);
        job.cancel().get();

        assertThat(SEEN)
                .allSatisfy(
                        seen -> {
                            assertThat(seen.timestamp).isEqualTo(seen.change.timestamp);
                            assertThat(seen.timestamp % 1_000).isZero();
                            // The service's clock may be some seconds from ours.
                            assertThat(seen.timestamp).isBetween(before - 60_000, before + 60_000);
                        });
    }

    /**
     * One partition holds old documents, the other new ones; the old one is split while most of it
     * is still to be read. Without outputs of their own from the start, the children would be
     * behind a watermark that follows the other partition alone. Broken and watched: without the
     * call of {@code createOutputForSplit} in the source reader, records of the children are late.
     */
    @Test
    void childrenOfASplitAreNotLate() throws Exception {
        ACCOUNT.local();
        TestContainer container = ACCOUNT.createContainer(2);
        // Which keys lie in which partition, the server tells of what was written.
        Set<String> oldKeys = ConcurrentHashMap.newKeySet();
        Set<String> newKeys = ConcurrentHashMap.newKeySet();
        for (int i = 0; i < 40; i++) {
            container.upsert("probe-" + i, "pk-" + i);
        }
        container
                .partitionOfKeys()
                .forEach((key, partition) -> (partition.equals("0") ? oldKeys : newKeys).add(key));
        assertThat(oldKeys).hasSizeGreaterThan(5);
        assertThat(newKeys).hasSizeGreaterThan(5);
        int written = 0;
        while (written < OLD) {
            for (String key : oldKeys) {
                container.upsert("old-" + written++, key);
            }
        }
        // Into another second of the service's clock, and some more.
        Thread.sleep(3_000);
        // The probes of the new partition as well, or its own first records would be old.
        for (String key : newKeys) {
            container.upsert("probe-" + key.substring(3), key);
        }

        gate = new CountDownLatch(1);
        JobClient job = submit(container.source().pageSize(1).build());
        Await.until(
                "records of both partitions",
                () -> of(newKeys) >= newKeys.size() && of(oldKeys) > 0);
        assertThat(of(oldKeys)).as("read before the split").isLessThan(OLD / 2);
        container.split("0", 0);
        gate.countDown();
        long all = OLD + 40;
        Await.until("all records", () -> SEEN.size() >= all);
        job.cancel().get();

        assertThat(SEEN)
                .extracting(seen -> seen.change.splitId.replaceAll(".*@", ""))
                .contains("1");
        assertThat(SEEN).noneMatch(Seen::isLate);
    }

    private static long of(Set<String> keys) {
        return SEEN.stream().filter(seen -> keys.contains(seen.change.partitionKey)).count();
    }

    private static JobClient submit(CosmosDBSource<Change> source) throws Exception {
        Configuration configuration = new Configuration();
        configuration.set(RestartStrategyOptions.RESTART_STRATEGY, "none");
        configuration.set(PipelineOptions.AUTO_WATERMARK_INTERVAL, Duration.ofMillis(1));
        StreamExecutionEnvironment env =
                StreamExecutionEnvironment.getExecutionEnvironment(configuration);
        env.setParallelism(1);
        env.fromSource(source, WatermarkStrategy.forMonotonousTimestamps(), "Changes")
                .process(new Note())
                .map(new Gate())
                .sinkTo(new DiscardingSink<>());
        return env.executeAsync();
    }

    private static final class Note extends ProcessFunction<Change, Change> {

        private static final long serialVersionUID = 1L;

        @Override
        public void processElement(Change change, Context context, Collector<Change> out) {
            SEEN.add(
                    new Seen(
                            change,
                            context.timestamp(),
                            context.timerService().currentWatermark()));
            out.collect(change);
        }
    }

    /** Lets the job through slowly, so that watermarks are made between records. */
    private static final class Gate implements MapFunction<Change, Change> {

        private static final long serialVersionUID = 1L;

        @Override
        public Change map(Change change) throws Exception {
            if (SEEN.size() > 60) {
                gate.await();
            }
            Thread.sleep(2);
            return change;
        }
    }
}
