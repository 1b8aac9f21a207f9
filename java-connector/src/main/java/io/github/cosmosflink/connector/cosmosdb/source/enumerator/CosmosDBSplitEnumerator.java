// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.enumerator;

import io.github.cosmosflink.connector.cosmosdb.source.ChangeFeedConfiguration;
import io.github.cosmosflink.connector.cosmosdb.source.backend.ChangeFeedBackend;
import io.github.cosmosflink.connector.cosmosdb.source.split.CosmosDBSplit;
import io.github.cosmosflink.connector.cosmosdb.source.split.RangeSplitEvent;
import java.util.List;
import java.util.Map;
import java.util.Set;
import javax.annotation.Nullable;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.connector.source.SourceEvent;
import org.apache.flink.api.connector.source.SplitEnumerator;
import org.apache.flink.api.connector.source.SplitEnumeratorContext;
import org.apache.flink.api.connector.source.SplitsAssignment;
import org.apache.flink.util.FlinkException;
import org.apache.flink.util.FlinkRuntimeException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Carries the {@link FeedRangeLedger}'s decisions to Flink. All methods run in the coordinator's
 * thread, but for the discovery itself.
 *
 * <ol>
 *   <li>{@link #start} discovers the feed ranges on a worker thread, or checks those of a restored
 *       state.
 *   <li>{@link #addReader} and {@link #handleSplitRequest} hand out what is pending once that is
 *       done, and end the readers of a bounded source.
 *   <li>{@link #handleSourceEvent} notes the splits of ranges that readers report; children stay
 *       with their reader.
 *   <li>{@link #addSplitsBack} takes back what a failed reader had not yet in a checkpoint.
 *   <li>{@link #snapshotState} is the ledger; before the ranges are known there is no checkpoint.
 * </ol>
 *
 * <p>A state wins over the start options: with one, they are not looked at.
 */
@Internal
public final class CosmosDBSplitEnumerator
        implements SplitEnumerator<CosmosDBSplit, CosmosDBEnumeratorState> {

    private static final Logger LOG = LoggerFactory.getLogger(CosmosDBSplitEnumerator.class);

    private final ChangeFeedConfiguration configuration;
    private final FeedRangeLedger ledger;
    private final SplitEnumeratorContext<CosmosDBSplit> context;
    private final FeedRangeDiscovery discovery;

    /** The ledger's count for the thread that reads metrics. */
    private volatile long unassignedSplits;

    private boolean closed;

    public CosmosDBSplitEnumerator(
            ChangeFeedBackend backend,
            ChangeFeedConfiguration configuration,
            FeedRangeLedger ledger,
            SplitEnumeratorContext<CosmosDBSplit> context) {
        this.configuration = configuration;
        this.ledger = ledger;
        this.context = context;
        this.discovery = new FeedRangeDiscovery(backend, configuration);
    }

    @Override
    public void start() {
        context.metricGroup().setUnassignedSplitsGauge(() -> unassignedSplits);
        List<CosmosDBSplit> known = ledger.discoveredRanges();
        LOG.info(
                "Discovering the feed ranges of {}; {} are known from state",
                configuration.describeContainer(),
                known.size());
        context.callAsync(() -> discovery.discover(known), this::onDiscovered);
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
        LOG.info("Discovered {} new feed ranges: {}", found.size(), found);
        ledger.discovered(found);
        assign();
    }

    @Override
    public void handleSplitRequest(int subtask, @Nullable String requesterHostname) {
        assign();
    }

    @Override
    public void addReader(int subtask) {
        assign();
    }

    @Override
    public void addSplitsBack(List<CosmosDBSplit> splits, int subtask) {
        LOG.info("Reader {} is reset and gives back {}", subtask, splits);
        ledger.readerReset(subtask, splits);
        assign();
    }

    private void assign() {
        Set<Integer> readers = context.registeredReaders().keySet();
        Map<Integer, List<CosmosDBSplit>> assignment =
                ledger.assign(readers, context.currentParallelism());
        if (!assignment.isEmpty()) {
            LOG.info("Assigning {}", assignment);
            context.assignSplits(new SplitsAssignment<>(assignment));
        }
        if (configuration.isBounded()) {
            ledger.readersToDismiss(readers).forEach(context::signalNoMoreSplits);
        }
        unassignedSplits = ledger.pendingCount();
    }

    @Override
    public void handleSourceEvent(int subtask, SourceEvent event) {
        if (!(event instanceof RangeSplitEvent)) {
            throw new IllegalArgumentException(
                    "an event that the enumerator does not know: " + event);
        }
        LOG.info("Reader {} reports {}", subtask, event);
        RangeSplitEvent rangeSplit = (RangeSplitEvent) event;
        ledger.rangeSplit(subtask, rangeSplit.parentId(), rangeSplit.children());
    }

    /**
     * @throws FlinkException while a fresh start has not found the ranges: a checkpoint without
     *     their pinned starts would let a restore pin others, and skip what changed in between.
     *     Flink gives up this checkpoint and tries again at the next interval
     */
    @Override
    public CosmosDBEnumeratorState snapshotState(long checkpointId) throws FlinkException {
        if (ledger.discoveredRanges().isEmpty()) {
            throw new FlinkException(
                    "No checkpoint before the feed ranges of "
                            + configuration.describeContainer()
                            + " are discovered");
        }
        return ledger.snapshot();
    }

    @Override
    public void close() {
        closed = true;
        discovery.close();
    }
}
