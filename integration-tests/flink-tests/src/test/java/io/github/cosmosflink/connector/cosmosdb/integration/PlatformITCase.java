// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.integration;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.cosmosflink.connector.cosmosdb.source.CosmosDBSource;
import io.github.cosmosflink.connector.cosmosdb.source.reader.deserializer.CosmosDBDeserializationSchema;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.RestartStrategyOptions;
import org.apache.flink.runtime.jobgraph.JobGraph;
import org.apache.flink.runtime.jobgraph.JobVertex;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;
import org.apache.flink.streaming.api.graph.StreamGraph;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * A machine for which the JAR has no native library: a job can be made there, and says what is
 * wrong when it is run there. In a JVM that thinks it is on such a machine.
 */
class PlatformITCase {

    private static final String KEY =
            "dGhpcyBrZXkgbXVzdCBuZXZlciBiZSBzZWVuIGluIGEgbG9nIG9yIGFuIGV4Y2VwdGlvbg==";

    @TempDir private Path directory;

    @Test
    void aJobIsMadeWithoutTheNativeLibraryAndRefusedWhereItIsRun() throws Exception {
        Path output = directory.resolve("child.out");
        Process child =
                new ProcessBuilder(command())
                        .redirectErrorStream(true)
                        .redirectOutput(output.toFile())
                        .start();
        try {
            assertThat(child.waitFor(120, TimeUnit.SECONDS)).as("the child ended").isTrue();
        } finally {
            child.destroyForcibly().waitFor();
        }
        String text = Files.readString(output);

        assertThat(child.exitValue()).as(text).isZero();
        assertThat(text)
                .contains("graph: made, libraries mapped: 0")
                .contains("run: PLATFORM_UNSUPPORTED")
                .contains("aarch64", "linux-x86_64")
                .doesNotContain(KEY);
    }

    private List<String> command() {
        List<String> command =
                new ArrayList<>(
                        Arrays.asList(
                                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                                "-Xmx512m",
                                "-XX:+UseSerialGC",
                                "-Dos.arch=aarch64",
                                "-Djava.io.tmpdir=" + directory,
                                "-Dtest.log=" + directory.resolve("child.log")));
        for (String opened : Arrays.asList("java.util", "java.lang", "java.time")) {
            command.add("--add-opens=java.base/" + opened + "=ALL-UNNAMED");
        }
        command.addAll(
                Arrays.asList(
                        "-cp", System.getProperty("java.class.path"), MakeAndRun.class.getName()));
        return command;
    }

    /** Main class of the child. */
    static final class MakeAndRun {

        private MakeAndRun() {}

        public static void main(String[] arguments) throws Exception {
            Configuration configuration = new Configuration();
            configuration.set(RestartStrategyOptions.RESTART_STRATEGY, "none");
            StreamExecutionEnvironment env =
                    StreamExecutionEnvironment.createLocalEnvironment(1, configuration);
            CosmosDBSource<String> source =
                    CosmosDBSource.<String>builder()
                            .endpoint("http://127.0.0.1:1/")
                            .key(KEY)
                            .database("d")
                            .container("c")
                            .deserializer(CosmosDBDeserializationSchema.json())
                            .build();
            env.fromSource(source, WatermarkStrategy.noWatermarks(), "Changes")
                    .sinkTo(new DiscardingSink<>());
            // Whatever is shown of a job, in all forms that it has.
            System.out.println(source);
            System.out.println(env.getExecutionPlan());
            StreamGraph streamGraph = env.getStreamGraph(false);
            System.out.println(streamGraph);
            JobGraph jobGraph = streamGraph.getJobGraph();
            System.out.println(jobGraph + " " + jobGraph.getJobConfiguration());
            for (JobVertex vertex : jobGraph.getVertices()) {
                System.out.println(vertex + " " + vertex.getOperatorPrettyName());
            }
            System.out.println("graph: made, libraries mapped: " + mapped());
            try {
                env.execute();
            } catch (Exception e) {
                e.printStackTrace(System.out);
                System.out.println("run: " + root(e).getMessage());
            }
            // The local cluster's threads need not end.
            System.exit(0);
        }

        private static long mapped() throws IOException {
            try (Stream<String> lines = Files.lines(Path.of("/proc/self/maps"))) {
                return lines.filter(line -> line.contains("cosmosdb_flink")).count();
            }
        }

        private static Throwable root(Throwable failure) {
            Throwable root = failure;
            while (root.getCause() != null) {
                root = root.getCause();
            }
            return root;
        }
    }
}
