// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.examples;

import io.github.cosmosflink.connector.cosmosdb.source.ChangeFeedMode;
import io.github.cosmosflink.connector.cosmosdb.source.CosmosDBSource;
import io.github.cosmosflink.connector.cosmosdb.source.StartPosition;
import java.time.Duration;
import java.util.concurrent.locks.LockSupport;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.MapFunction;
import org.apache.flink.api.common.serialization.SimpleStringEncoder;
import org.apache.flink.connector.file.sink.FileSink;
import org.apache.flink.core.fs.Path;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.filesystem.bucketassigners.BasePathBucketAssigner;
import org.apache.flink.streaming.api.functions.sink.filesystem.rollingpolicies.OnCheckpointRollingPolicy;

/**
 * The job that {@code scripts/chaos} torments: like {@link CosmosDBJob} it copies the changes of a
 * container into files, but says more about each, and it can be slowed down, so that checkpoints
 * fall into the middle of pages.
 *
 * <p>Nothing is shuffled: source, line and file writer of a subtask are one chain. A committed file
 * is therefore what one subtask emitted between two checkpoints, and the documents of a transaction
 * belong into one file. Each subtask is also a failover region of its own.
 *
 * <p>Arguments: {@code --endpoint}, {@code --database}, {@code --container}, {@code --out}, {@code
 * --checkpoint-interval}, {@code --page-size} and {@code --partition-key} of {@link CosmosDBJob};
 * {@code --pause-micros}, how long each change is held back; {@code --min-splits}; {@code
 * --all-versions-and-deletes}, from now on, or with {@code --present-state} after what is there.
 */
public final class ChaosJob {

    static final String NAME = "Changes of a Cosmos DB container, tormented";

    private ChaosJob() {}

    public static void main(String[] args) throws Exception {
        Arguments arguments = new Arguments(args);
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
        env.enableCheckpointing(arguments.get("checkpoint-interval", 1000));
        FileSink<String> files =
                FileSink.forRowFormat(
                                new Path(arguments.require("out")),
                                new SimpleStringEncoder<String>())
                        .withBucketAssigner(new BasePathBucketAssigner<>())
                        .withRollingPolicy(OnCheckpointRollingPolicy.build())
                        .build();
        env.fromSource(source(arguments), WatermarkStrategy.noWatermarks(), "Changes")
                .uid("changes")
                .map(new Pause(arguments.get("pause-micros", 0)))
                .name("Pause")
                .uid("pause")
                .sinkTo(files)
                .name("Files")
                .uid("files");
        env.execute(NAME);
    }

    private static CosmosDBSource<String> source(Arguments arguments) {
        ChangeFeedMode mode =
                arguments.has("all-versions-and-deletes")
                        ? ChangeFeedMode.ALL_VERSIONS_AND_DELETES
                        : ChangeFeedMode.LATEST_VERSION;
        return CosmosDBSource.<String>builder()
                .endpoint(arguments.require("endpoint"))
                .key(arguments.get("key", System.getenv("COSMOS_KEY")))
                .database(arguments.require("database"))
                .container(arguments.require("container"))
                .deserializer(new ChangeLine(arguments.get("partition-key", "customer")))
                .changeFeedMode(mode)
                .startFrom(start(arguments, mode))
                .minSplits(arguments.get("min-splits", 1))
                .pageSize(arguments.get("page-size", 1000))
                .idlePollInterval(Duration.ofMillis(50), Duration.ofMillis(500))
                .build();
    }

    private static StartPosition start(Arguments arguments, ChangeFeedMode mode) {
        if (mode == ChangeFeedMode.LATEST_VERSION) {
            return StartPosition.beginning();
        }
        return arguments.has("present-state")
                ? StartPosition.presentStateThenChanges()
                : StartPosition.now();
    }

    /** Holds every line back for a while. */
    private static final class Pause implements MapFunction<String, String> {
        private static final long serialVersionUID = 1L;

        private final long nanos;

        private Pause(long micros) {
            nanos = micros * 1000;
        }

        @Override
        public String map(String line) {
            if (nanos > 0) {
                LockSupport.parkNanos(nanos);
            }
            return line;
        }
    }
}
