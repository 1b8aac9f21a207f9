// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.examples;

import com.sun.management.OperatingSystemMXBean;
import io.github.cosmosflink.connector.cosmosdb.source.CosmosDBSource;
import io.github.cosmosflink.connector.cosmosdb.source.StopPosition;
import io.github.cosmosflink.connector.cosmosdb.source.reader.deserializer.CosmosDBDeserializationSchema;
import java.lang.management.ManagementFactory;
import java.util.Locale;
import org.apache.flink.api.common.JobExecutionResult;
import org.apache.flink.api.common.accumulators.LongCounter;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.functions.RichFilterFunction;
import org.apache.flink.api.common.serialization.AbstractDeserializationSchema;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.RestOptions;
import org.apache.flink.runtime.jobgraph.JobGraph;
import org.apache.flink.runtime.minicluster.MiniCluster;
import org.apache.flink.runtime.minicluster.MiniClusterConfiguration;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;

/**
 * Reads a container once from the beginning to its end, each document as bytes that nobody looks
 * at, in a Flink cluster inside of this JVM, and prints what it cost as a line of JSON. For {@code
 * scripts/bench}.
 *
 * <p>Arguments: {@code --endpoint}, {@code --database}, {@code --container}, {@code --parallelism},
 * {@code --page-size}, {@code --rounds} (the figures are of the last one, when the code has been
 * compiled); the key comes from {@code COSMOS_KEY}.
 */
public final class ReadAll {

    private static final String DOCUMENTS = "documents";
    private static final String BYTES = "bytes";

    private ReadAll() {}

    public static void main(String[] args) throws Exception {
        Arguments arguments = new Arguments(args);
        int parallelism = arguments.get("parallelism", 2);
        OperatingSystemMXBean process =
                (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
        MiniClusterConfiguration configuration =
                new MiniClusterConfiguration.Builder()
                        .setConfiguration(new Configuration().set(RestOptions.BIND_PORT, "0"))
                        .setNumTaskManagers(1)
                        .setNumSlotsPerTaskManager(parallelism)
                        .build();
        // The cluster is there before the clock starts; deploying the job is part of what counts.
        try (MiniCluster cluster = new MiniCluster(configuration)) {
            cluster.start();
            for (int round = arguments.get("rounds", 3); round > 0; round--) {
                JobGraph job = job(arguments, parallelism);
                long cpu = process.getProcessCpuTime();
                JobExecutionResult result = cluster.executeJobBlocking(job);
                double cpuSeconds = (process.getProcessCpuTime() - cpu) / 1e9;
                System.out.printf(
                        Locale.ROOT,
                        "{\"documents\": %d, \"bytes\": %d, \"seconds\": %.3f, \"cpu_seconds\": %.3f}%n",
                        result.<Long>getAccumulatorResult(DOCUMENTS),
                        result.<Long>getAccumulatorResult(BYTES),
                        result.getNetRuntime() / 1e3,
                        cpuSeconds);
            }
        }
    }

    private static JobGraph job(Arguments arguments, int parallelism) {
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
        env.setParallelism(parallelism);
        // Checkpoints are part of what a job costs.
        env.enableCheckpointing(1000);
        env.getConfig().enableObjectReuse();
        CosmosDBSource<byte[]> source =
                CosmosDBSource.<byte[]>builder()
                        .endpoint(arguments.require("endpoint"))
                        .key(System.getenv("COSMOS_KEY"))
                        .database(arguments.require("database"))
                        .container(arguments.require("container"))
                        .pageSize(arguments.get("page-size", 1000))
                        .stopAt(StopPosition.latest())
                        .deserializer(CosmosDBDeserializationSchema.of(new Bytes()))
                        .build();
        env.fromSource(source, WatermarkStrategy.noWatermarks(), "Changes")
                .filter(new Count())
                .sinkTo(new DiscardingSink<>());
        return env.getStreamGraph().getJobGraph();
    }

    /** The document as it is. */
    private static final class Bytes extends AbstractDeserializationSchema<byte[]> {
        private static final long serialVersionUID = 1L;

        @Override
        public byte[] deserialize(byte[] document) {
            return document;
        }
    }

    private static final class Count extends RichFilterFunction<byte[]> {
        private static final long serialVersionUID = 1L;

        private final LongCounter documents = new LongCounter();
        private final LongCounter bytes = new LongCounter();

        @Override
        public void open(OpenContext context) {
            getRuntimeContext().addAccumulator(DOCUMENTS, documents);
            getRuntimeContext().addAccumulator(BYTES, bytes);
        }

        @Override
        public boolean filter(byte[] document) {
            documents.add(1);
            bytes.add(document.length);
            return false;
        }
    }
}
