// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.examples;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import org.apache.flink.api.common.JobID;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.MetricOptions;
import org.apache.flink.configuration.RestOptions;
import org.apache.flink.configuration.RestartStrategyOptions;
import org.apache.flink.runtime.minicluster.MiniCluster;
import org.apache.flink.runtime.minicluster.MiniClusterConfiguration;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.graph.StreamGraph;

/**
 * A Flink cluster with its web interface inside of this JVM, for {@code scripts/quickstart}. Reads
 * commands from standard input, a line each, and answers each with a line of JSON on standard
 * output; ends when standard input does.
 *
 * <ul>
 *   <li>{@code submit} starts {@link CosmosDBJob} with this program's arguments
 *   <li>{@code kill-taskmanager N} ends a TaskManager under the job
 *   <li>{@code start-taskmanager} starts another
 * </ul>
 *
 * <p>Its own arguments: {@code --task-managers}, {@code --slots}, {@code --checkpoints FOLDER}.
 */
public final class QuickstartCluster {

    private QuickstartCluster() {}

    public static void main(String[] args) throws Exception {
        Arguments arguments = new Arguments(args);
        MiniClusterConfiguration configuration =
                new MiniClusterConfiguration.Builder()
                        .setConfiguration(settings(arguments))
                        .setNumTaskManagers(arguments.get("task-managers", 2))
                        .setNumSlotsPerTaskManager(arguments.get("slots", 2))
                        .build();
        try (MiniCluster cluster = new MiniCluster(configuration)) {
            cluster.start();
            answer("started", "rest", cluster.getRestAddress().get().toString());
            BufferedReader commands =
                    new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
            for (String line = commands.readLine(); line != null; line = commands.readLine()) {
                obey(line.trim().split(" "), cluster, arguments);
            }
        }
    }

    private static Configuration settings(Arguments arguments) {
        Configuration settings = new Configuration();
        settings.set(RestOptions.ADDRESS, "127.0.0.1");
        settings.set(RestOptions.BIND_ADDRESS, "127.0.0.1");
        settings.set(RestOptions.BIND_PORT, "0");
        settings.set(
                CheckpointingOptions.CHECKPOINTS_DIRECTORY,
                java.nio.file.Path.of(arguments.require("checkpoints")).toUri().toString());
        settings.set(MetricOptions.METRIC_FETCHER_UPDATE_INTERVAL, Duration.ofSeconds(1));
        settings.set(RestartStrategyOptions.RESTART_STRATEGY, "fixed-delay");
        settings.set(RestartStrategyOptions.RESTART_STRATEGY_FIXED_DELAY_ATTEMPTS, 1000);
        settings.set(
                RestartStrategyOptions.RESTART_STRATEGY_FIXED_DELAY_DELAY, Duration.ofSeconds(1));
        return settings;
    }

    private static void obey(String[] command, MiniCluster cluster, Arguments arguments)
            throws Exception {
        switch (command[0]) {
            case "submit":
                answer("submitted", "job", submit(cluster, arguments).toString());
                break;
            case "kill-taskmanager":
                cluster.terminateTaskManager(Integer.parseInt(command[1])).get();
                answer("killed", "taskmanager", command[1]);
                break;
            case "start-taskmanager":
                cluster.startTaskManager();
                answer("started-taskmanager", "result", "ok");
                break;
            default:
                answer("refused", "command", command[0]);
        }
    }

    private static JobID submit(MiniCluster cluster, Arguments arguments) throws Exception {
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
        CosmosDBJob.define(env, arguments);
        StreamGraph job = env.getStreamGraph();
        job.setJobName(CosmosDBJob.NAME);
        return cluster.submitJob(job.getJobGraph()).get().getJobID();
    }

    /** The values come from this program and hold nothing that JSON would have to escape. */
    private static void answer(String event, String name, String value) {
        System.out.println("{\"event\":\"" + event + "\",\"" + name + "\":\"" + value + "\"}");
    }
}
