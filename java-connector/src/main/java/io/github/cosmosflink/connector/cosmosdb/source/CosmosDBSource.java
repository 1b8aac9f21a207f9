// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source;

import io.github.cosmosflink.connector.cosmosdb.source.backend.ChangeFeedBackend;
import io.github.cosmosflink.connector.cosmosdb.source.enumerator.CosmosDBEnumeratorState;
import io.github.cosmosflink.connector.cosmosdb.source.enumerator.CosmosDBSplitEnumerator;
import io.github.cosmosflink.connector.cosmosdb.source.enumerator.LenientStateSerializer;
import io.github.cosmosflink.connector.cosmosdb.source.enumerator.UnreadableStateEnumerator;
import io.github.cosmosflink.connector.cosmosdb.source.reader.CosmosDBSourceReader;
import io.github.cosmosflink.connector.cosmosdb.source.reader.deserializer.CosmosDBDeserializationSchema;
import io.github.cosmosflink.connector.cosmosdb.source.split.CosmosDBSplit;
import io.github.cosmosflink.connector.cosmosdb.source.split.CosmosDBSplitSerializer;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.connector.source.Boundedness;
import org.apache.flink.api.connector.source.Source;
import org.apache.flink.api.connector.source.SourceReader;
import org.apache.flink.api.connector.source.SourceReaderContext;
import org.apache.flink.api.connector.source.SplitEnumerator;
import org.apache.flink.api.connector.source.SplitEnumeratorContext;
import org.apache.flink.api.java.typeutils.ResultTypeQueryable;
import org.apache.flink.core.io.SimpleVersionedSerializer;

/**
 * Reads the change feed of an Azure Cosmos DB container, latest versions or all versions and
 * deletes.
 *
 * <pre>{@code
 * CosmosDBSource<String> source =
 *         CosmosDBSource.<String>builder()
 *                 .endpoint("https://account.documents.azure.com:443/")
 *                 .key(System.getenv("COSMOS_KEY"))
 *                 .database("shop")
 *                 .container("orders")
 *                 .startFrom(StartPosition.beginning())
 *                 .deserializer(CosmosDBDeserializationSchema.json())
 *                 .build();
 * env.fromSource(source, WatermarkStrategy.noWatermarks(), "orders");
 * }</pre>
 *
 * <p>Changes keep their order within a partition key. A record's timestamp is when the change was
 * made, in milliseconds. With checkpoints, every change that the service shows is emitted exactly
 * once into Flink's state, for accounts with one write region. A restored job goes on from its
 * state, whatever {@code startFrom} and {@code minSplits} say.
 *
 * <p>Building the source and the job graph loads no native library, so a job can be submitted from
 * any platform.
 *
 * @param <T> what the source emits
 */
@PublicEvolving
public final class CosmosDBSource<T>
        implements Source<T, CosmosDBSplit, CosmosDBEnumeratorState>, ResultTypeQueryable<T> {

    private static final long serialVersionUID = 1L;

    private final ChangeFeedConfiguration configuration;
    private final CosmosDBDeserializationSchema<T> deserializer;
    private final ChangeFeedBackend backend;

    CosmosDBSource(
            ChangeFeedConfiguration configuration,
            CosmosDBDeserializationSchema<T> deserializer,
            ChangeFeedBackend backend) {
        this.configuration = configuration;
        this.deserializer = deserializer;
        this.backend = backend;
    }

    public static <T> CosmosDBSourceBuilder<T> builder() {
        return new CosmosDBSourceBuilder<>();
    }

    @Override
    public Boundedness getBoundedness() {
        return configuration.isBounded() ? Boundedness.BOUNDED : Boundedness.CONTINUOUS_UNBOUNDED;
    }

    @Override
    public SourceReader<T, CosmosDBSplit> createReader(SourceReaderContext context)
            throws Exception {
        return CosmosDBSourceReader.open(backend, configuration, deserializer, context);
    }

    @Override
    public SplitEnumerator<CosmosDBSplit, CosmosDBEnumeratorState> createEnumerator(
            SplitEnumeratorContext<CosmosDBSplit> context) {
        return new CosmosDBSplitEnumerator(backend, configuration, null, context);
    }

    @Override
    public SplitEnumerator<CosmosDBSplit, CosmosDBEnumeratorState> restoreEnumerator(
            SplitEnumeratorContext<CosmosDBSplit> context, CosmosDBEnumeratorState state) {
        if (state.problem() != null) {
            return new UnreadableStateEnumerator(state.problem());
        }
        try {
            return new CosmosDBSplitEnumerator(backend, configuration, state, context);
        } catch (RuntimeException e) {
            // Thrown here it can be lost, as LenientStateSerializer says.
            return new UnreadableStateEnumerator(e);
        }
    }

    @Override
    public SimpleVersionedSerializer<CosmosDBSplit> getSplitSerializer() {
        return CosmosDBSplitSerializer.INSTANCE;
    }

    @Override
    public SimpleVersionedSerializer<CosmosDBEnumeratorState> getEnumeratorCheckpointSerializer() {
        return LenientStateSerializer.INSTANCE;
    }

    @Override
    public TypeInformation<T> getProducedType() {
        return deserializer.getProducedType();
    }

    /** Shows the configuration, without the key. */
    @Override
    public String toString() {
        return "CosmosDBSource" + configuration;
    }
}
