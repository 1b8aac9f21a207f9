// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.reader;

import io.github.cosmosflink.connector.cosmosdb.source.ChangeFeedConfiguration;
import io.github.cosmosflink.connector.cosmosdb.source.backend.ChangeFeedBackend;
import io.github.cosmosflink.connector.cosmosdb.source.backend.ChangeFeedException;
import io.github.cosmosflink.connector.cosmosdb.source.backend.ChangeFeedSession;
import io.github.cosmosflink.connector.cosmosdb.source.metrics.ChangeFeedGauges;
import io.github.cosmosflink.connector.cosmosdb.source.reader.deserializer.CosmosDBDeserializationSchema;
import io.github.cosmosflink.connector.cosmosdb.source.split.CosmosDBSplit;
import io.github.cosmosflink.connector.cosmosdb.source.split.Shown;
import io.github.cosmosflink.connector.cosmosdb.source.transfer.TransferCommand;
import java.io.UncheckedIOException;
import java.util.Collection;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import javax.annotation.Nullable;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.serialization.DeserializationSchema;
import org.apache.flink.api.connector.source.ReaderOutput;
import org.apache.flink.api.connector.source.SourceEvent;
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
 *       the same turn, so that a checkpoint holds the parent or all its children; or parks a split
 *       that is to go to another reader.
 *   <li>{@link ReaderBook} (task thread) keeps what belongs to such moves.
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
    private final SplitEnds ends;
    private final LastingFetcherManager fetcherManager;

    private final ReaderBook book = new ReaderBook(new BookEffects());

    /** Where the task emits; Flink passes it with each poll. */
    @Nullable private ReaderOutput<T> output;

    private CosmosDBSourceReader(
            ChangeFeedSession session,
            SplitEnds ends,
            LastingFetcherManager fetcherManager,
            CosmosDBRecordEmitter<T> emitter,
            SourceReaderContext context) {
        super(fetcherManager, emitter, context.getConfiguration(), context);
        this.session = session;
        this.ends = ends;
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
            SplitEnds ends = new SplitEnds();
            LastingFetcherManager fetcherManager =
                    new LastingFetcherManager(
                            () -> new CosmosDBSplitReader(session, ends),
                            context.getConfiguration());
            CosmosDBRecordEmitter<T> emitter =
                    new CosmosDBRecordEmitter<>(
                            deserializer,
                            context.metricGroup().getIOMetricGroup(),
                            configuration.ignoresDeletes()
                                    ? ChangeFeedGauges.deletesIgnored(context.metricGroup())
                                    : null);
            return new CosmosDBSourceReader<>(session, ends, fetcherManager, emitter, context);
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

    /** Flink has added the splits of the restored state. */
    @Override
    public void start() {
        super.start();
        book.start();
    }

    @Override
    public void addSplits(List<CosmosDBSplit> splits) {
        List<CosmosDBSplit> toRead = book.added(splits);
        fetcherManager.parked(book.hasParked());
        if (!toRead.isEmpty()) {
            super.addSplits(toRead);
        }
    }

    @Override
    public void handleSourceEvents(SourceEvent event) {
        if (!(event instanceof TransferCommand)) {
            throw new IllegalArgumentException("an event that the reader does not know: " + event);
        }
        LOG.info("The enumerator says {}", event);
        book.command((TransferCommand) event);
        fetcherManager.parked(book.hasParked());
    }

    @Override
    public InputStatus pollNext(ReaderOutput<T> output) throws Exception {
        if (this.output == null) {
            this.output = output;
            book.outputsReady();
        }
        InputStatus status = super.pollNext(output);
        book.polled();
        return status;
    }

    @Override
    public List<CosmosDBSplit> snapshotState(long checkpointId) {
        List<CosmosDBSplit> splits = book.snapshot(checkpointId, super.snapshotState(checkpointId));
        // The next poll is wanted also of a reader that has nothing to read.
        fetcherManager.getQueue().notifyAvailable();
        return splits;
    }

    @Override
    protected CosmosDBSplitState initializedState(CosmosDBSplit split) {
        return book.begin(split);
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
        finished.forEach(
                (splitId, state) -> book.finished(toSplitType(splitId, state), ends.take(splitId)));
        fetcherManager.parked(book.hasParked());
        fetcherManager.splitsFinished(finished.size());
    }

    @Override
    public void notifyNoMoreSplits() {
        fetcherManager.noMoreSplits();
        super.notifyNoMoreSplits();
    }

    /**
     * Past Flink's fetcher: it skips splits that have not reached it yet, the session remembers
     * them.
     */
    @Override
    public void pauseOrResumeSplits(
            Collection<String> splitsToPause, Collection<String> splitsToResume) {
        book.paused(splitsToPause, splitsToResume);
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

    private final class BookEffects implements ReaderBook.Effects {

        @Override
        public void read(List<CosmosDBSplit> splits) {
            LOG.info("Going on with {}", Shown.of(splits));
            addSplits(splits);
        }

        @Override
        public void release(String splitId) {
            try {
                session.releaseSplits(Collections.singleton(splitId));
            } catch (ChangeFeedException e) {
                throw new UncheckedIOException("cannot stop reading " + splitId, e);
            }
        }

        @Override
        public void createOutput(String splitId) {
            output.createOutputForSplit(splitId);
        }

        @Override
        public void releaseOutput(String splitId) {
            output.releaseOutputForSplit(splitId);
        }

        @Override
        public void report(SourceEvent event) {
            context.sendSourceEventToCoordinator(event);
        }
    }
}
