// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.examples;

import io.github.cosmosflink.connector.cosmosdb.source.CosmosDBSource;
import io.github.cosmosflink.connector.cosmosdb.source.CosmosDBSourceBuilder;
import io.github.cosmosflink.connector.cosmosdb.source.StartPosition;
import io.github.cosmosflink.connector.cosmosdb.source.StopPosition;
import java.time.Duration;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.serialization.SimpleStringEncoder;
import org.apache.flink.connector.file.sink.FileSink;
import org.apache.flink.core.fs.Path;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.filesystem.bucketassigners.BasePathBucketAssigner;
import org.apache.flink.streaming.api.functions.sink.filesystem.rollingpolicies.OnCheckpointRollingPolicy;

/**
 * Copies the changes of a container into files, each change exactly once.
 *
 * <pre>
 * COSMOS_KEY=... flink run -d -c io.github.cosmosflink.connector.cosmosdb.examples.CosmosDBJob cosmosdb-examples.jar \
 *     --endpoint https://account.documents.azure.com:443/ --database shop --container orders --out file:///tmp/changes
 * </pre>
 *
 * <p>Further arguments: {@code --key} (better given as the environment variable {@code COSMOS_KEY},
 * which neither the shell's history nor the web interface shows), {@code --partition-key} (name of
 * the field, {@code customer} by default), {@code --checkpoint-interval} (milliseconds, 2000 by
 * default), {@code --start now|beginning}, {@code --page-size}, {@code --parallelism} and {@code
 * --bounded}, which ends the job at the container's present end.
 */
public final class CosmosDBJob {

    static final String NAME = "Changes of a Cosmos DB container";

    private CosmosDBJob() {}

    public static void main(String[] args) throws Exception {
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
        define(env, new Arguments(args));
        env.execute(NAME);
    }

    /** Adds the job to the environment. */
    static void define(StreamExecutionEnvironment env, Arguments arguments) {
        env.enableCheckpointing(arguments.get("checkpoint-interval", 2000));
        if (arguments.has("parallelism")) {
            env.setParallelism(arguments.get("parallelism", 1));
        }
        FileSink<String> files =
                FileSink.forRowFormat(
                                new Path(arguments.require("out")),
                                new SimpleStringEncoder<String>())
                        .withBucketAssigner(new BasePathBucketAssigner<>())
                        .withRollingPolicy(OnCheckpointRollingPolicy.build())
                        .build();
        env.fromSource(source(arguments), WatermarkStrategy.noWatermarks(), "Changes")
                .uid("changes")
                .map(new ToLine())
                .name("Lines")
                .uid("lines")
                .sinkTo(files)
                .name("Files")
                .uid("files");
    }

    private static CosmosDBSource<Change> source(Arguments arguments) {
        CosmosDBSourceBuilder<Change> builder =
                CosmosDBSource.<Change>builder()
                        .endpoint(arguments.require("endpoint"))
                        .key(arguments.get("key", System.getenv("COSMOS_KEY")))
                        .database(arguments.require("database"))
                        .container(arguments.require("container"))
                        .deserializer(
                                new ChangeDeserializer(arguments.get("partition-key", "customer")))
                        .idlePollInterval(Duration.ofMillis(100), Duration.ofSeconds(1));
        if (arguments.get("start", "beginning").equals("now")) {
            builder.startFrom(StartPosition.now());
        }
        if (arguments.has("page-size")) {
            builder.pageSize(arguments.get("page-size", 1000));
        }
        if (arguments.has("bounded")) {
            builder.stopAt(StopPosition.latest());
        }
        return builder.build();
    }
}
