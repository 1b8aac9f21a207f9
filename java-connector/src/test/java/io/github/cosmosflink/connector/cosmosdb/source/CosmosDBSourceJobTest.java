// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.cosmosflink.connector.cosmosdb.source.backend.ChangeFeedBackend;
import io.github.cosmosflink.connector.cosmosdb.source.backend.ChangeFeedException;
import io.github.cosmosflink.connector.cosmosdb.source.testing.FeedModel;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.flink.api.common.RuntimeExecutionMode;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.RestartStrategyOptions;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.ProcessFunction;
import org.apache.flink.util.CloseableIterator;
import org.apache.flink.util.Collector;
import org.junit.jupiter.api.Test;

/** The source in Flink's own runtime, on a scripted feed. */
class CosmosDBSourceJobTest {

    /** Marks what comes behind the watermark. */
    private static final class LateMarker extends ProcessFunction<String, String> {

        private static final long serialVersionUID = 1L;

        private final long pauseMillis;

        LateMarker(long pauseMillis) {
            this.pauseMillis = pauseMillis;
        }

        @Override
        public void processElement(String document, Context context, Collector<String> out)
                throws Exception {
            Thread.sleep(pauseMillis);
            boolean late = context.timestamp() <= context.timerService().currentWatermark();
            out.collect(late ? document + " is late" : document);
        }
    }

    private static StreamExecutionEnvironment environment(int parallelism) {
        return environment(parallelism, 0);
    }

    private static StreamExecutionEnvironment environment(int parallelism, int restarts) {
        Configuration configuration = new Configuration();
        configuration.set(RestartStrategyOptions.RESTART_STRATEGY, "fixed-delay");
        configuration.set(RestartStrategyOptions.RESTART_STRATEGY_FIXED_DELAY_ATTEMPTS, restarts);
        configuration.set(
                RestartStrategyOptions.RESTART_STRATEGY_FIXED_DELAY_DELAY, Duration.ofMillis(1));
        StreamExecutionEnvironment environment =
                StreamExecutionEnvironment.createLocalEnvironment(parallelism, configuration);
        // After nearly every record, so that a watermark that runs ahead is seen.
        environment.getConfig().setAutoWatermarkInterval(1);
        return environment;
    }

    private static List<String> run(FeedModel model, int parallelism) throws Exception {
        return run(model, parallelism, WatermarkStrategy.forMonotonousTimestamps(), 0);
    }

    private static List<String> run(
            FeedModel model,
            int parallelism,
            WatermarkStrategy<String> watermarks,
            long pauseMillis)
            throws Exception {
        DataStream<String> documents =
                environment(parallelism)
                        .fromSource(
                                TestSources.builder(model.backend())
                                        .stopAt(StopPosition.latest())
                                        .build(),
                                watermarks,
                                "orders",
                                Types.STRING)
                        .process(new LateMarker(pauseMillis));
        List<String> found = new ArrayList<>();
        try (CloseableIterator<String> results = documents.executeAndCollect()) {
            results.forEachRemaining(found::add);
        }
        return found;
    }

    @Test
    void everyRangeIsReadToItsEnd() throws Exception {
        FeedModel model = new FeedModel();
        List<String> expected = new ArrayList<>();
        for (int r = 0; r < 3; r++) {
            FeedModel.Range root = model.root("r" + r);
            fill(root, expected, 0, 50, 2);
            for (int c = 0; c < 2; c++) {
                FeedModel.Range child = model.child(root, root.name() + "." + c);
                fill(child, expected, 50, 60, 1);
                model.child(child, child.name() + ".empty");
            }
        }

        assertThat(run(model, 2)).containsExactlyInAnyOrderElementsOf(expected);
    }

    /**
     * One range is far ahead in time, another is split again and again: between a parent's end and
     * its child's first document the one ahead must not carry the watermark past that document.
     */
    @Test
    void noChildIsBehindTheWatermark() throws Exception {
        FeedModel model = new FeedModel();
        List<String> expected = new ArrayList<>();
        fill(model.root("ahead"), expected, 1_000, 1_100, 500);
        FeedModel.Range behind = model.root("behind");
        fill(behind, expected, 0, 1, 1);
        for (int generation = 1; generation <= 20; generation++) {
            behind = model.child(behind, behind.name() + ".");
            fill(behind, expected, generation, generation + 1, 1);
        }

        assertThat(run(model, 1)).containsExactlyInAnyOrderElementsOf(expected);
    }

    /**
     * Flink holds back a range that is ahead, while another is behind and is split again and again.
     * Of a feed that gives three documents of the one for each of the other.
     */
    @Test
    void rangesAreReadAbreastWhereWatermarksAreAligned() throws Exception {
        FeedModel model = new FeedModel();
        List<String> expected = new ArrayList<>();
        fill(model.root("ahead"), expected, 1_000, 1_300, 1);
        FeedModel.Range behind = model.root("behind");
        fill(behind, expected, 0, 1, 1);
        for (int generation = 1; generation < 80; generation++) {
            behind = model.child(behind, behind.name() + ".");
            fill(behind, expected, generation, generation + 1, 1);
        }

        List<String> found =
                run(
                        model,
                        1,
                        WatermarkStrategy.<String>forMonotonousTimestamps()
                                .withWatermarkAlignment(
                                        "abreast", Duration.ofMillis(5), Duration.ofMillis(10)),
                        5);

        assertThat(found).containsExactlyInAnyOrderElementsOf(expected);
        // The first watermarks have to be told before anything is held back.
        assertThat(found.indexOf(behind.name() + "-0@79"))
                .as("the last that is behind, in %s", found)
                .isLessThan(80 + 150);
    }

    /** Without checkpoints, and with a task that fails: it reads its ranges from their start. */
    @Test
    void aBatchJobReadsEverythingOnce() throws Exception {
        FeedModel model = new FeedModel();
        List<String> expected = new ArrayList<>();
        for (int r = 0; r < 3; r++) {
            FeedModel.Range root = model.root("r" + r);
            fill(root, expected, 0, 50, 2);
            fill(model.child(root, root.name() + ".0"), expected, 50, 60, 1);
        }
        FAILED.set(false);
        StreamExecutionEnvironment environment = environment(2, 1);
        environment.setRuntimeMode(RuntimeExecutionMode.BATCH);
        List<String> found = new ArrayList<>();
        try (CloseableIterator<String> results =
                environment
                        .fromSource(
                                TestSources.builder(model.backend())
                                        .stopAt(StopPosition.latest())
                                        .build(),
                                WatermarkStrategy.noWatermarks(),
                                "orders",
                                Types.STRING)
                        .map(
                                document -> {
                                    if (document.equals("r1.0-0@55")
                                            && FAILED.compareAndSet(false, true)) {
                                        throw new IllegalStateException("fails once");
                                    }
                                    return document;
                                })
                        .returns(Types.STRING)
                        .keyBy(document -> document)
                        .map(document -> document)
                        .returns(Types.STRING)
                        .executeAndCollect()) {
            results.forEachRemaining(found::add);
        }

        assertThat(FAILED).isTrue();
        assertThat(found).containsExactlyInAnyOrderElementsOf(expected);
    }

    private static final AtomicBoolean FAILED = new AtomicBoolean();

    /** A commit group for each time. */
    private static void fill(
            FeedModel.Range range, List<String> expected, int from, int to, int documents) {
        for (int time = from; time < to; time++) {
            String[] names = new String[documents];
            for (int i = 0; i < documents; i++) {
                names[i] = range.name() + "-" + i + "@" + time;
            }
            range.group(names);
            expected.addAll(List.of(names));
        }
    }

    @Test
    void aSourceWithFewerRangesThanReadersEnds() throws Exception {
        FeedModel model = new FeedModel();
        model.root("only").group("a");

        assertThat(run(model, 2)).containsExactly("a");
    }

    /** The service as it answers a wrong container. */
    private static final ChangeFeedBackend REFUSING =
            configuration -> {
                throw new ChangeFeedException(
                        "CONTAINER_NOT_FOUND", "no container 'orders'", 404, 0, "id", false);
            };

    @Test
    void aFailureIsTheJobsFailureCause() {
        StreamExecutionEnvironment environment = environment(1);
        environment
                .fromSource(
                        TestSources.builder(REFUSING).build(),
                        WatermarkStrategy.noWatermarks(),
                        "orders")
                .print();

        assertThatThrownBy(environment::execute)
                .rootCause()
                .hasMessageContaining("CONTAINER_NOT_FOUND: no container 'orders'")
                .hasMessageNotContaining(TestSources.KEY);
    }
}
