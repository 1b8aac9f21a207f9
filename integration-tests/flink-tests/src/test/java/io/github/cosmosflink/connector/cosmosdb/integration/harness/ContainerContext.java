// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.integration.harness;

import io.github.cosmosflink.connector.cosmosdb.source.CosmosDBSourceBuilder;
import io.github.cosmosflink.connector.cosmosdb.source.StartPosition;
import io.github.cosmosflink.connector.cosmosdb.source.StopPosition;
import io.github.cosmosflink.connector.cosmosdb.source.reader.deserializer.CosmosDBDeserializationSchema;
import io.github.cosmosflink.connector.cosmosdb.source.reader.deserializer.CosmosDBRecordMetadata;
import java.io.IOException;
import java.net.URL;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import org.apache.flink.api.common.serialization.DeserializationSchema;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.connector.source.Boundedness;
import org.apache.flink.api.connector.source.Source;
import org.apache.flink.connector.testframe.external.ExternalSystemSplitDataWriter;
import org.apache.flink.connector.testframe.external.source.DataStreamSourceExternalContext;
import org.apache.flink.connector.testframe.external.source.TestingSourceSettings;
import org.apache.flink.util.Collector;

/**
 * What Flink's suite of source tests needs of an external system, for one of its cases: a container
 * of its own. A record is a document's id. The suite takes every writer for a new split, so each
 * writes under a partition key that lies in a physical partition of its own, in order.
 */
public final class ContainerContext implements DataStreamSourceExternalContext<String> {

    /** As many splits as the suite's cases make at most. */
    private static final int PARTITIONS = 4;

    /** So many keys that every partition has one, which {@link #create} checks. */
    private static final int CANDIDATES = 100;

    private final TestContainer container;
    private final List<String> partitionKeys;
    private int writers;

    private ContainerContext(TestContainer container, List<String> partitionKeys) {
        this.container = container;
        this.partitionKeys = partitionKeys;
    }

    /** Makes an empty container and learns from another one which keys its partitions have. */
    public static ContainerContext create(TestAccount account) throws Exception {
        account.local();
        TestContainer probe = account.createContainer(PARTITIONS);
        probe.fill(CANDIDATES, CANDIDATES);
        Map<String, String> keyOfPartition = new TreeMap<>();
        probe.partitionOfKeys().forEach((key, partition) -> keyOfPartition.put(partition, key));
        TestContainer container = account.createContainer(PARTITIONS);
        if (!keyOfPartition.keySet().equals(Set.copyOf(container.partitions()))) {
            throw new IllegalStateException("not a key for each partition, only " + keyOfPartition);
        }
        return new ContainerContext(container, new ArrayList<>(keyOfPartition.values()));
    }

    @Override
    public Source<String, ?, ?> createSource(TestingSourceSettings settings) {
        CosmosDBSourceBuilder<String> source =
                container.source(new Ids()).pageSize(10).startFrom(StartPosition.beginning());
        return settings.getBoundedness() == Boundedness.BOUNDED
                ? source.stopAt(StopPosition.latest()).build()
                : source.build();
    }

    @Override
    public ExternalSystemSplitDataWriter<String> createSourceSplitDataWriter(
            TestingSourceSettings settings) {
        return new SplitWriter(container, partitionKeys.get(writers++));
    }

    /** Ids that no other call has made. */
    @Override
    public List<String> generateTestData(
            TestingSourceSettings settings, int splitIndex, long seed) {
        int records = 20 + new Random(seed).nextInt(30);
        List<String> ids = new ArrayList<>(records);
        for (int i = 0; i < records; i++) {
            ids.add("split-" + splitIndex + "-seed-" + seed + "-" + i);
        }
        return ids;
    }

    @Override
    public TypeInformation<String> getProducedType() {
        return Types.STRING;
    }

    /** The connector is in the class path of the cluster. */
    @Override
    public List<URL> getConnectorJarPaths() {
        return Collections.emptyList();
    }

    @Override
    public void close() {
        // The container goes with its database.
    }

    /** Writes singly and, every other time, in transactions of three. */
    private static final class SplitWriter implements ExternalSystemSplitDataWriter<String> {

        private static final int TOGETHER = 3;

        private final TestContainer container;
        private final String partitionKey;

        SplitWriter(TestContainer container, String partitionKey) {
            this.container = container;
            this.partitionKey = partitionKey;
        }

        @Override
        public void writeRecords(List<String> ids) {
            try {
                for (int next = 0; next < ids.size(); ) {
                    container.upsert(ids.get(next++), partitionKey);
                    if (next < ids.size()) {
                        int end = Math.min(next + TOGETHER, ids.size());
                        container.upsertTogether(ids.subList(next, end), partitionKey);
                        next = end;
                    }
                }
            } catch (IOException | InterruptedException e) {
                throw new IllegalStateException("cannot write below " + partitionKey, e);
            }
        }

        @Override
        public void close() {}
    }

    /** The documents' ids. */
    private static final class Ids implements CosmosDBDeserializationSchema<String> {

        private static final long serialVersionUID = 1L;

        private final ChangeDeserializer changes = new ChangeDeserializer();

        @Override
        public void open(DeserializationSchema.InitializationContext context) {
            changes.open(context);
        }

        @Override
        public void deserialize(
                byte[] document, CosmosDBRecordMetadata metadata, Collector<String> out)
                throws IOException {
            changes.deserialize(
                    document,
                    metadata,
                    new Collector<>() {
                        @Override
                        public void collect(Change change) {
                            out.collect(change.id);
                        }

                        @Override
                        public void close() {
                            out.close();
                        }
                    });
        }

        @Override
        public TypeInformation<String> getProducedType() {
            return Types.STRING;
        }
    }
}
