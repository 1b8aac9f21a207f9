// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.enumerator;

import io.github.cosmosflink.connector.cosmosdb.source.ChangeFeedConfiguration;
import io.github.cosmosflink.connector.cosmosdb.source.backend.ChangeFeedBackend;
import io.github.cosmosflink.connector.cosmosdb.source.split.CosmosDBSplit;
import io.github.cosmosflink.connector.cosmosdb.source.split.Shown;
import io.github.cosmosflink.connector.cosmosdb.source.transfer.ReaderLoadEvent;
import java.util.List;
import javax.annotation.Nullable;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.connector.source.SourceEvent;
import org.apache.flink.api.connector.source.SplitEnumerator;
import org.apache.flink.api.connector.source.SplitEnumeratorContext;
import org.apache.flink.metrics.MetricGroup;
import org.apache.flink.metrics.groups.SplitEnumeratorMetricGroup;
import org.apache.flink.util.FlinkException;
import org.apache.flink.util.FlinkRuntimeException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Carries the {@link FeedRangeCoordination}'s decisions to Flink. All methods run in the
 * coordinator's thread, but for {@link #close}; the discovery itself runs in one of its own.
 *
 * <ol>
 *   <li>{@link #start} discovers the feed ranges on a worker thread, or checks those of a restored
 *       state.
 *   <li>{@link #handleSourceEvent} takes what readers report: what they hold when they start, upon
 *       which what is pending is handed out and the readers of a bounded source are ended; the
 *       splits of ranges, whose children stay with their reader at first; how they are getting on;
 *       and their part in transfers.
 *   <li>{@link #addSplitsBack} takes back what a failed reader had not yet in a checkpoint.
 *   <li>{@link #snapshotState} is the coordination's state; before the ranges are known there is no
 *       checkpoint.
 *   <li>{@link #notifyCheckpointComplete} moves splits between readers, once a reader reads on.
 * </ol>
 *
 * <p>A state wins over the start options: with one, they are not looked at.
 */
@Internal
public final class CosmosDBSplitEnumerator
        implements SplitEnumerator<CosmosDBSplit, CosmosDBEnumeratorState> {

    private static final Logger LOG = LoggerFactory.getLogger(CosmosDBSplitEnumerator.class);

    private final ChangeFeedConfiguration configuration;
    private final SplitEnumeratorContext<CosmosDBSplit> context;
    private final FeedRangeDiscovery discovery;
    private final CheckpointPace pace;
    private final FeedRangeCoordination coordination;

    /** The coordination's figures for the thread that reads metrics. */
    private volatile long unassignedSplits;

    private volatile long splitsMoved;
    private volatile long transfersCancelled;

    private volatile boolean closed;

    /**
     * @param state null on a fresh start
     */
    public CosmosDBSplitEnumerator(
            ChangeFeedBackend backend,
            ChangeFeedConfiguration configuration,
            @Nullable CosmosDBEnumeratorState state,
            SplitEnumeratorContext<CosmosDBSplit> context) {
        this.configuration = configuration;
        this.context = context;
        this.discovery = new FeedRangeDiscovery(backend, configuration);
        this.pace = new CheckpointPace(configuration.longestMove());
        boolean bounded = configuration.isBounded();
        boolean rebalancing = configuration.isRebalancing();
        Readers readers = new FlinkReaders(context);
        this.coordination =
                state == null
                        ? FeedRangeCoordination.fresh(bounded, rebalancing, readers)
                        : FeedRangeCoordination.restored(bounded, rebalancing, readers, state);
    }

    @Override
    public void start() {
        SplitEnumeratorMetricGroup metrics = context.metricGroup();
        metrics.setUnassignedSplitsGauge(() -> unassignedSplits);
        MetricGroup group = metrics.addGroup("cosmosdb");
        group.gauge("splitsMoved", () -> splitsMoved);
        group.gauge("transfersCancelled", () -> transfersCancelled);
        List<CosmosDBSplit> known = coordination.discoveredRanges();
        LOG.info(
                "Discovering the feed ranges of {}; {} are known from state",
                configuration.describeContainer(),
                known.size());
        context.callAsync(() -> discovery.discover(known), this::onDiscovered);
        if (coordination.isRebalancing()) {
            long millis =
                    Math.max(
                            1,
                            configuration.longestMove().toMillis()
                                    / TransferLedger.PARTS_OF_THE_LONGEST);
            context.callAsync(() -> true, this::onTimePassed, millis, millis);
        }
    }

    /** The clock of moves that no checkpoint completes. */
    private void onTimePassed(Boolean ignored, @Nullable Throwable failure) {
        if (!closed) {
            coordination.timePassed();
            show();
        }
    }

    private void onDiscovered(List<CosmosDBSplit> found, @Nullable Throwable failure) {
        if (closed) {
            return;
        }
        if (failure != null) {
            // Thrown here, it fails the job with this cause.
            throw new FlinkRuntimeException(
                    "The feed ranges of "
                            + configuration.describeContainer()
                            + " cannot be discovered: "
                            + failure.getMessage(),
                    failure);
        }
        LOG.info("Discovered {} new feed ranges: {}", found.size(), Shown.of(found));
        coordination.discovered(found);
        show();
    }

    private void show() {
        unassignedSplits = coordination.pendingCount();
        splitsMoved = coordination.movedCount();
        transfersCancelled = coordination.cancelledCount();
    }

    @Override
    public void handleSplitRequest(int subtask, @Nullable String requesterHostname) {
        // Readers ask for nothing.
    }

    @Override
    public void addReader(int subtask) {
        // Its first event follows, which says what it holds.
    }

    @Override
    public void addSplitsBack(List<CosmosDBSplit> splits, int subtask) {
        LOG.info("Reader {} is reset and gives back {}", subtask, Shown.of(splits));
        coordination.readerReset(subtask, splits);
        show();
    }

    @Override
    public void handleSourceEvent(int subtask, SourceEvent event) {
        if (event instanceof ReaderLoadEvent) {
            LOG.debug("Reader {} reports {}", subtask, event);
        } else {
            LOG.info("Reader {} reports {}", subtask, event);
        }
        coordination.handle(subtask, event);
        show();
    }

    @Override
    public void notifyCheckpointComplete(long checkpointId) {
        coordination.completed(checkpointId, pace.completed(System.nanoTime()));
        show();
    }

    /**
     * @throws FlinkException while a fresh start has not found the ranges: a checkpoint without
     *     their pinned starts would let a restore pin others, and skip what changed in between.
     *     Flink gives up this checkpoint and tries again at the next interval
     */
    @Override
    public CosmosDBEnumeratorState snapshotState(long checkpointId) throws FlinkException {
        if (coordination.discoveredRanges().isEmpty()) {
            throw new FlinkException(
                    "No checkpoint before the feed ranges of "
                            + configuration.describeContainer()
                            + " are discovered");
        }
        LOG.debug("Checkpoint {} begins at the enumerator", checkpointId);
        return coordination.snapshot(checkpointId);
    }

    @Override
    public void close() {
        closed = true;
        discovery.close();
    }
}
