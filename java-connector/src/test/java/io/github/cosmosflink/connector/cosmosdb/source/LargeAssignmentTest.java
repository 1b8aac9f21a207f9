// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.cosmosflink.connector.cosmosdb.source.testing.FeedModel;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.RestartStrategyOptions;
import org.apache.flink.runtime.minicluster.RpcServiceSharing;
import org.apache.flink.runtime.testutils.MiniClusterResourceConfiguration;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;
import org.apache.flink.test.junit5.MiniClusterExtension;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/**
 * One reader is given more than Flink carries in one message. JobManager and TaskManager talk
 * through the network here, as in a real cluster: within a process nothing is measured.
 */
class LargeAssignmentTest {

    private static final int LARGEST_MESSAGE = 2_000_000;
    private static final int SPLITS = 100;

    /** What came; test and task share a process all the same. */
    private static final Set<String> FOUND = ConcurrentHashMap.newKeySet();

    @RegisterExtension
    static final MiniClusterExtension CLUSTER =
            new MiniClusterExtension(
                    new MiniClusterResourceConfiguration.Builder()
                            .setConfiguration(
                                    Configuration.fromMap(
                                            Map.of("pekko.framesize", LARGEST_MESSAGE + "b")))
                            .setRpcServiceSharing(RpcServiceSharing.DEDICATED)
                            .setNumberTaskManagers(1)
                            .setNumberSlotsPerTaskManager(1)
                            .build());

    @Test
    void arrivesInPieces() throws Exception {
        FeedModel model = new FeedModel();
        Set<String> expected = new HashSet<>();
        // Each is twice that large: its id and its position have the name.
        String longName = "x".repeat(LARGEST_MESSAGE / SPLITS);
        for (int i = 0; i < SPLITS; i++) {
            model.root(i + longName).group("document-" + i);
            expected.add("document-" + i);
        }
        StreamExecutionEnvironment environment =
                StreamExecutionEnvironment.getExecutionEnvironment(
                        new Configuration().set(RestartStrategyOptions.RESTART_STRATEGY, "none"));
        environment.setParallelism(1);

        environment
                .fromSource(
                        TestSources.builder(model.backend()).stopAt(StopPosition.latest()).build(),
                        WatermarkStrategy.noWatermarks(),
                        "orders")
                .map(
                        document -> {
                            FOUND.add(document);
                            return document;
                        })
                .sinkTo(new DiscardingSink<>());
        environment.execute();

        assertThat(FOUND).isEqualTo(expected);
    }
}
