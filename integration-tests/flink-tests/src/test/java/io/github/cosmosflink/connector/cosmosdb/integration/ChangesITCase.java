// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.integration;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.cosmosflink.connector.cosmosdb.integration.harness.TestAccount;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.TestCluster;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.TestContainer;
import io.github.cosmosflink.connector.cosmosdb.source.ChangeFeedMode;
import io.github.cosmosflink.connector.cosmosdb.source.CosmosDBSourceBuilder;
import io.github.cosmosflink.connector.cosmosdb.source.StartPosition;
import io.github.cosmosflink.connector.cosmosdb.source.StopPosition;
import io.github.cosmosflink.connector.cosmosdb.source.reader.deserializer.CosmosDBChange;
import io.github.cosmosflink.connector.cosmosdb.source.reader.deserializer.CosmosDBDeserializationSchema;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.PipelineOptions;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.test.junit5.MiniClusterExtension;
import org.apache.flink.util.CloseableIterator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** The connector's own record of a change, on its way through a job. */
class ChangesITCase {

    @RegisterExtension static final TestAccount ACCOUNT = new TestAccount();
    @RegisterExtension static final MiniClusterExtension CLUSTER = TestCluster.create();

    /** What a user makes of the container's documents. */
    public static class Item {
        public String id;
        public String pk;
        public String text;
    }

    private static CosmosDBSourceBuilder<CosmosDBChange<Item>> source(TestContainer container) {
        return container
                .source(
                        CosmosDBDeserializationSchema.changes(
                                CosmosDBDeserializationSchema.pojo(Item.class)))
                .stopAt(StopPosition.latest());
    }

    private static List<CosmosDBChange<Item>> read(
            CosmosDBSourceBuilder<CosmosDBChange<Item>> source) throws Exception {
        Configuration withoutKryo = new Configuration();
        withoutKryo.set(PipelineOptions.GENERIC_TYPES, false);
        StreamExecutionEnvironment env =
                StreamExecutionEnvironment.getExecutionEnvironment(withoutKryo);
        env.setParallelism(2);
        List<CosmosDBChange<Item>> changes = new ArrayList<>();
        // To other tasks and back, ordered by item.
        try (CloseableIterator<CosmosDBChange<Item>> results =
                env.fromSource(source.build(), WatermarkStrategy.noWatermarks(), "Changes")
                        .keyBy(CosmosDBChange::getId)
                        .filter(change -> true)
                        .executeAndCollect()) {
            results.forEachRemaining(changes::add);
        }
        return changes;
    }

    @Test
    void theLifeOfAnItem() throws Exception {
        TestContainer container = ACCOUNT.createContainerWithAllVersions(1);
        List<String> tokens = container.tokens(ChangeFeedMode.ALL_VERSIONS_AND_DELETES);
        container.upsert("a", "pk");
        container.upsert("a", "pk");
        container.delete("a", "pk");

        List<CosmosDBChange<Item>> changes =
                read(
                        source(container)
                                .changeFeedMode(ChangeFeedMode.ALL_VERSIONS_AND_DELETES)
                                .startFrom(StartPosition.tokens(tokens)));

        assertThat(changes)
                .extracting(
                        change ->
                                change.getOperation()
                                        + ": "
                                        + (change.getBefore() == null ? "" : "before ")
                                        + (change.getAfter() == null ? "" : "after"))
                .containsExactly("CREATE: after", "REPLACE: before after", "DELETE: before ");
        assertThat(changes).extracting(CosmosDBChange::getId).containsOnly("a");
        assertThat(changes.get(1).getAfter().pk).isEqualTo("pk");
        assertThat(changes.get(2).getBefore().text).contains("\"quoted\"");
        assertThat(changes.get(2).getPartitionKey()).contains("\"pk\"");
        assertThat(changes.get(2).isTimeToLiveExpired()).isFalse();
        assertThat(changes).extracting(CosmosDBChange::getLsn).isSorted().doesNotHaveDuplicates();
    }

    @Test
    void latestVersions() throws Exception {
        TestContainer container = ACCOUNT.createContainer(2);
        container.upsert("a", "pk");
        container.upsert("a", "pk");

        List<CosmosDBChange<Item>> changes = read(source(container));

        assertThat(changes)
                .singleElement()
                .matches(change -> change.getId().equals("a"))
                .matches(change -> change.getOperation().name().equals("UNKNOWN"))
                .matches(change -> change.getAfter().id.equals("a"))
                .matches(change -> change.getBefore() == null);
    }
}
