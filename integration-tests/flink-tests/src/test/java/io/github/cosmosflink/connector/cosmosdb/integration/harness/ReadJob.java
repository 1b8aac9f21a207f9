// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.integration.harness;

import io.github.cosmosflink.connector.cosmosdb.source.CosmosDBSource;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.MapFunction;
import org.apache.flink.api.common.serialization.SimpleStringEncoder;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.ExternalizedCheckpointRetention;
import org.apache.flink.configuration.RestartStrategyOptions;
import org.apache.flink.configuration.StateRecoveryOptions;
import org.apache.flink.connector.file.sink.FileSink;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.filesystem.bucketassigners.BasePathBucketAssigner;
import org.apache.flink.streaming.api.functions.sink.filesystem.rollingpolicies.OnCheckpointRollingPolicy;

/** The job of most tests: source, a mapper that may cause trouble, committed files. */
public final class ReadJob {

    private static final Duration CHECKPOINT_INTERVAL = Duration.ofMillis(200);

    private final CosmosDBSource<Change> source;
    private final Path output;
    private final Configuration configuration = new Configuration();
    private int parallelism = 1;
    private MapFunction<Change, Change> mapper = change -> change;

    public ReadJob(CosmosDBSource<Change> source, Path output) {
        this.source = source;
        this.output = output;
        configuration.set(RestartStrategyOptions.RESTART_STRATEGY, "fixed-delay");
        configuration.set(RestartStrategyOptions.RESTART_STRATEGY_FIXED_DELAY_ATTEMPTS, 20);
        configuration.set(
                RestartStrategyOptions.RESTART_STRATEGY_FIXED_DELAY_DELAY, Duration.ofMillis(200));
        configuration.set(CheckpointingOptions.CHECKPOINTING_INTERVAL, CHECKPOINT_INTERVAL);
    }

    public ReadJob parallelism(int parallelism) {
        this.parallelism = parallelism;
        return this;
    }

    /** Runs in the source's task, behind it. */
    public ReadJob through(MapFunction<Change, Change> mapper) {
        this.mapper = mapper;
        return this;
    }

    public ReadJob restoredFrom(String savepoint) {
        configuration.set(StateRecoveryOptions.SAVEPOINT_PATH, savepoint);
        return this;
    }

    /** Leaves the last checkpoint behind when the job ends, however it does. */
    public ReadJob retainingCheckpoints(Path folder) {
        configuration.set(CheckpointingOptions.CHECKPOINTS_DIRECTORY, folder.toUri().toString());
        configuration.set(
                CheckpointingOptions.EXTERNALIZED_CHECKPOINT_RETENTION,
                ExternalizedCheckpointRetention.RETAIN_ON_CANCELLATION);
        return this;
    }

    /** The first failure ends the job. */
    public ReadJob withoutRestarts() {
        configuration.set(RestartStrategyOptions.RESTART_STRATEGY, "none");
        return this;
    }

    public RunningJob submit() throws Exception {
        Files.createDirectories(output);
        ToLine.reset();
        StreamExecutionEnvironment env =
                StreamExecutionEnvironment.getExecutionEnvironment(configuration);
        env.setParallelism(parallelism);
        env.fromSource(source, WatermarkStrategy.noWatermarks(), "Changes")
                .uid("changes")
                .map(mapper)
                .returns(Change.class)
                .uid("mapper")
                .map(new ToLine())
                .uid("lines")
                .sinkTo(
                        FileSink.forRowFormat(
                                        new org.apache.flink.core.fs.Path(output.toUri()),
                                        new SimpleStringEncoder<String>())
                                .withBucketAssigner(new BasePathBucketAssigner<>())
                                .withRollingPolicy(OnCheckpointRollingPolicy.build())
                                .build())
                .uid("files");
        return CancelJobs.submitted(new RunningJob(env.executeAsync(), output));
    }
}
