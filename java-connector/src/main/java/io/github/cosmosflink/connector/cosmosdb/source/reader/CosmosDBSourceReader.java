// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.reader;

import io.github.cosmosflink.connector.cosmosdb.source.ChangeFeedConfiguration;
import io.github.cosmosflink.connector.cosmosdb.source.backend.ChangeFeedBackend;
import io.github.cosmosflink.connector.cosmosdb.source.backend.ChangeFeedException;
import io.github.cosmosflink.connector.cosmosdb.source.backend.ChangeFeedSession;
import io.github.cosmosflink.connector.cosmosdb.source.metrics.ChangeFeedGauges;
import io.github.cosmosflink.connector.cosmosdb.source.reader.deserializer.CosmosDBDeserializationSchema;
import io.github.cosmosflink.connector.cosmosdb.source.split.CosmosDBSplit;
import io.github.cosmosflink.connector.cosmosdb.source.split.RangeSplitEvent;
import java.io.UncheckedIOException;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.serialization.DeserializationSchema;
import org.apache.flink.api.connector.source.ReaderOutput;
import org.apache.flink.api.connector.source.SourceReaderContext;
import org.apache.flink.connector.base.source.reader.SingleThreadMultiplexSourceReaderBase;
import org.apache.flink.core.io.InputStatus;
import org.apache.flink.metrics.MetricGroup;
import org.apache.flink.util.UserCodeClassLoader;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reads splits through one session, which it owns.
 *
 * <ol>
 *   <li>{@code addSplits} (task thread) makes the splits' state and queues them for the fetcher.
 *   <li>{@link CosmosDBSplitReader} (fetcher thread) gives them to the session and brings its pages
 *       to Flink's queue.
 *   <li>{@link CosmosDBRecordEmitter} (task thread) emits a commit group for each element and moves
 *       the split's state.
 *   <li>{@code snapshotState} (task thread) takes the states' positions, of pages emitted in part
 *       from the core.
 *   <li>{@code onSplitFinished} (task thread) replaces a range that was split by its children in
 *       the same turn, so that a checkpoint holds the parent or all its children.
 *   <li>{@code close} closes the session, which gives back the pages that Flink has not recycled.
 * </ol>
 *
 * @param <T> what the source emits
 */
@Internal
public final class CosmosDBSourceReader<T>
        extends SingleThreadMultiplexSourceReaderBase<
                CommitGroup, T, CosmosDBSplit, CosmosDBSplitState> {

    private static final Logger LOG = LoggerFactory.getLogger(CosmosDBSourceReader.class);

    private final ChangeFeedSession session;
    private final RangeSplits rangeSplits;
    private final LastingFetcherManager fetcherManager;

    /** Where the task emits; Flink passes it with each poll. */
    private ReaderOutput<T> output;

    private CosmosDBSourceReader(
            ChangeFeedSession session,
            RangeSplits rangeSplits,
            LastingFetcherManager fetcherManager,
            CosmosDBRecordEmitter<T> emitter,
            SourceReaderContext context) {
        super(fetcherManager, emitter, context.getConfiguration(), context);
        this.session = session;
        this.rangeSplits = rangeSplits;
        this.fetcherManager = fetcherManager;
    }

    /**
     * Opens the session and makes a reader of it.
     *
     * @throws ChangeFeedException when the configuration is refused or the native library cannot be
     *     used here
     * @throws Exception what the deserializer throws when it is opened
     */
    public static <T> CosmosDBSourceReader<T> open(
            ChangeFeedBackend backend,
            ChangeFeedConfiguration configuration,
            CosmosDBDeserializationSchema<T> deserializer,
            SourceReaderContext context)
            throws Exception {
        deserializer.open(initialization(context));
        ChangeFeedSession session = backend.open(configuration.toJson());
        try {
            ChangeFeedGauges.register(context.metricGroup(), session);
            RangeSplits rangeSplits = new RangeSplits();
            LastingFetcherManager fetcherManager =
                    new LastingFetcherManager(
                            () -> new CosmosDBSplitReader(session, rangeSplits),
                            context.getConfiguration());
            CosmosDBRecordEmitter<T> emitter =
                    new CosmosDBRecordEmitter<>(
                            deserializer,
                            context.metricGroup().getIOMetricGroup(),
                            configuration.ignoresDeletes()
                                    ? ChangeFeedGauges.deletesIgnored(context.metricGroup())
                                    : null);
            return new CosmosDBSourceReader<>(
                    session, rangeSplits, fetcherManager, emitter, context);
        } catch (RuntimeException e) {
            // Nobody else would: Flink closes only the readers that it got.
            session.close();
            throw e;
        }
    }

    private static DeserializationSchema.InitializationContext initialization(
            SourceReaderContext context) {
        return new DeserializationSchema.InitializationContext() {
            @Override
            public MetricGroup getMetricGroup() {
                return context.metricGroup().addGroup("deserializer");
            }

            @Override
            public UserCodeClassLoader getUserCodeClassLoader() {
                return context.getUserCodeClassLoader();
            }
        };
    }

    @Override
    public InputStatus pollNext(ReaderOutput<T> output) throws Exception {
        this.output = output;
        return super.pollNext(output);
    }

    @Override
    protected CosmosDBSplitState initializedState(CosmosDBSplit split) {
        return new CosmosDBSplitState(split);
    }

    @Override
    protected CosmosDBSplit toSplitType(String splitId, CosmosDBSplitState state) {
        try {
            return state.toSplit();
        } catch (ChangeFeedException e) {
            throw new UncheckedIOException("cannot take the position of " + splitId, e);
        }
    }

    @Override
    protected void onSplitFinished(Map<String, CosmosDBSplitState> finished) {
        for (String parentId : finished.keySet()) {
            List<CosmosDBSplit> children = rangeSplits.take(parentId);
            if (!children.isEmpty()) {
                handOver(parentId, children);
            }
        }
        fetcherManager.splitsFinished(finished.size());
    }

    @Override
    public void notifyNoMoreSplits() {
        fetcherManager.noMoreSplits();
        super.notifyNoMoreSplits();
    }

    private void handOver(String parentId, List<CosmosDBSplit> children) {
        LOG.info("Range {} was split, going on with {}", parentId, children);
        // Flink makes the outputs of splits that the coordinator assigns. Without them the
        // watermark would pass the
        // children's first records, and a child without any record could not finish.
        children.forEach(child -> output.createOutputForSplit(child.splitId()));
        addSplits(children);
        context.sendSourceEventToCoordinator(new RangeSplitEvent(parentId, children));
    }

    /**
     * Past Flink's fetcher: it skips splits that have not reached it yet, the session remembers
     * them.
     */
    @Override
    public void pauseOrResumeSplits(
            Collection<String> splitsToPause, Collection<String> splitsToResume) {
        try {
            session.setPaused(splitsToPause, splitsToResume);
        } catch (ChangeFeedException e) {
            throw new UncheckedIOException(
                    "cannot pause " + splitsToPause + " and resume " + splitsToResume, e);
        }
    }

    @Override
    public void close() throws Exception {
        try {
            super.close();
        } finally {
            session.close();
        }
    }
}
