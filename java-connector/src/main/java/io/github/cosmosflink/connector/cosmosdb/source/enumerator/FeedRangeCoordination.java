// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.enumerator;

import io.github.cosmosflink.connector.cosmosdb.source.split.CosmosDBSplit;
import io.github.cosmosflink.connector.cosmosdb.source.split.RangeSplitEvent;
import io.github.cosmosflink.connector.cosmosdb.source.transfer.ReaderHoldingsEvent;
import io.github.cosmosflink.connector.cosmosdb.source.transfer.ReaderHoldingsEvent.Held;
import io.github.cosmosflink.connector.cosmosdb.source.transfer.ReaderLoadEvent;
import io.github.cosmosflink.connector.cosmosdb.source.transfer.ReaderLoadEvent.SplitLoad;
import io.github.cosmosflink.connector.cosmosdb.source.transfer.TransferCommand;
import io.github.cosmosflink.connector.cosmosdb.source.transfer.TransferReport;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Deque;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.connector.source.SourceEvent;

/**
 * All that the enumerator decides: what comes from Flink and from the readers goes in, and out go
 * calls of {@link Readers}. Does no I/O, knows no clock and nothing of Flink's runtime. For the
 * coordinator's thread.
 *
 * <p>A reader counts as there when it is registered and has said what it holds.
 *
 * <p>A stop with savepoint looks like any checkpoint here, and a command to a reader that it has
 * ended fails the job instead. So between a checkpoint's beginning and the first sign of a reader
 * that reads on after it, what would make commands is deferred.
 */
@Internal
public final class FeedRangeCoordination {

    private static final long NONE_BEGUN = -1;

    /** In the place of a reader. */
    private static final int FLINK = -1;

    /** In the place of a reader. */
    private static final int CLOCK = -2;

    /** An input that would make commands. */
    private static final class Deferred {

        /** Whose input it is, or {@link #FLINK}, or {@link #CLOCK}. */
        final int reader;

        final Runnable decision;

        Deferred(int reader, Runnable decision) {
            this.reader = reader;
            this.decision = decision;
        }
    }

    private final boolean bounded;
    private final boolean rebalancing;
    private final Readers readers;
    private final FeedRangeLedger ranges;
    private final TransferLedger transfers;

    /** Readers that have said what they hold since their last reset. */
    private final Set<Integer> heard = new HashSet<>();

    /** Among them, those whose watermark still waits for our word. */
    private final Set<Integer> waiting = new TreeSet<>();

    private final ReaderLoads loads = new ReaderLoads();

    /** The checkpoints that have begun since this was made. */
    private long firstBegun = NONE_BEGUN;

    private long lastBegun = NONE_BEGUN;

    /** The last checkpoint that some reader was seen to read on after: it ended nobody. */
    private long readOnAfter = NONE_BEGUN;

    /** What waits for such a sign after the last checkpoint that has begun, in order. */
    private final Deque<Deferred> deferred = new ArrayDeque<>();

    private FeedRangeCoordination(
            boolean bounded,
            boolean rebalancing,
            Readers readers,
            FeedRangeLedger ranges,
            TransferLedger transfers) {
        this.bounded = bounded;
        this.rebalancing = rebalancing && !bounded;
        this.readers = readers;
        this.ranges = ranges;
        this.transfers = transfers;
    }

    public static FeedRangeCoordination fresh(
            boolean bounded, boolean rebalancing, Readers readers) {
        return new FeedRangeCoordination(
                bounded, rebalancing, readers, new FeedRangeLedger(), new TransferLedger());
    }

    public static FeedRangeCoordination restored(
            boolean bounded, boolean rebalancing, Readers readers, CosmosDBEnumeratorState state) {
        return new FeedRangeCoordination(
                bounded,
                rebalancing,
                readers,
                FeedRangeLedger.restore(state),
                TransferLedger.restore(state));
    }

    /** Whether splits ever move between readers. */
    public boolean isRebalancing() {
        return rebalancing;
    }

    /** As {@link FeedRangeLedger#discoveredRanges}. */
    public List<CosmosDBSplit> discoveredRanges() {
        return ranges.discoveredRanges();
    }

    public int pendingCount() {
        return ranges.pendingCount();
    }

    /** As {@link TransferLedger#movedCount}. */
    public long movedCount() {
        return transfers.movedCount();
    }

    /** As {@link TransferLedger#cancelledCount}. */
    public long cancelledCount() {
        return transfers.cancelledCount();
    }

    /** As {@link FeedRangeLedger#discovered}. */
    public void discovered(Collection<CosmosDBSplit> found) {
        ranges.discovered(found);
        settle();
        assign();
    }

    /** As {@link FeedRangeLedger#readerReset}. */
    public void readerReset(int reader, Collection<CosmosDBSplit> returned) {
        heard.remove(reader);
        waiting.remove(reader);
        loads.readerReset(reader);
        deferred.removeIf(input -> input.reader == reader);
        transfers.readerReset(reader, readers);
        ranges.readerReset(reader, returned);
    }

    /**
     * Takes a reader's event.
     *
     * @throws IllegalArgumentException when it is none of this source's
     */
    public void handle(int reader, SourceEvent event) {
        if (event instanceof ReaderHoldingsEvent) {
            holdings(reader, (ReaderHoldingsEvent) event);
        } else if (event instanceof ReaderLoadEvent) {
            load(reader, (ReaderLoadEvent) event);
        } else if (event instanceof RangeSplitEvent) {
            RangeSplitEvent split = (RangeSplitEvent) event;
            ranges.rangeSplit(reader, split.parentId(), split.children());
        } else if (event instanceof TransferReport) {
            transfer(reader, (TransferReport) event);
        } else {
            throw new IllegalArgumentException(
                    "an event that the enumerator does not know: " + event);
        }
    }

    private void holdings(int reader, ReaderHoldingsEvent event) {
        if (!readers.registered().contains(reader)) {
            // Its registration, which comes first, got lost; Flink is about to fail it. Until then
            // it cannot be told anything, not even to drop a copy.
            return;
        }
        if (heard.contains(reader)) {
            // It has started anew, and whoever stands between Flink and us has not said so.
            readerReset(reader, List.of());
        }
        List<Held> held = new ArrayList<>();
        for (Held split : event.splits()) {
            if (!split.isParked()
                    || transfers.judge(reader, split.splitId(), split.transfer(), readers)) {
                held.add(split);
            }
        }
        ranges.held(reader, held);
        transfers.heard(reader, readers.parallelism(), lastBegun);
        heard.add(reader);
        waiting.add(reader);
        settle();
        assign();
    }

    /** The first time that all readers have spoken, and again whenever one has come back. */
    private void settle() {
        if (ranges.isDiscovered() && heard.size() == readers.parallelism()) {
            ranges.settle(bounded);
        }
    }

    private void load(int reader, ReaderLoadEvent event) {
        loads.reported(reader, event);
        Set<String> splits =
                event.splits().stream().map(SplitLoad::splitId).collect(Collectors.toSet());
        readOnAfter = Math.max(readOnAfter, event.checkpoint());
        decide(reader, () -> transfers.reads(reader, splits, readers));
    }

    /** Takes what waits, and this after it, if commands can be sent now. */
    private void decide(int reader, Runnable decision) {
        deferred.add(new Deferred(reader, decision));
        while (readOnAfter >= lastBegun && !deferred.isEmpty()) {
            deferred.remove().decision.run();
        }
    }

    private void transfer(int reader, TransferReport report) {
        switch (report.kind()) {
            case WATERMARK_HELD:
                decide(
                        reader,
                        () ->
                                transfers.watermarkHeld(
                                        reader,
                                        report.transfer(),
                                        report.highestTimestamp(),
                                        readers));
                break;
            case PARKED:
                transfers.parked(reader, report.split(), lastBegun);
                break;
            case DECLINED:
                decide(reader, () -> transfers.declined(reader, report.transfer(), readers));
                break;
            default:
                throw new IllegalArgumentException("an unknown report: " + report);
        }
    }

    private Set<Integer> present() {
        Set<Integer> present = new TreeSet<>(readers.registered());
        present.retainAll(heard);
        return present;
    }

    private void assign() {
        Set<Integer> present = present();
        Map<Integer, List<CosmosDBSplit>> assignment =
                ranges.assign(present, readers.parallelism());
        if (!assignment.isEmpty()) {
            readers.assign(assignment);
        }
        if (ranges.isSettled()) {
            waiting.retainAll(present);
            waiting.forEach(reader -> readers.send(reader, TransferCommand.goOn()));
            waiting.clear();
        }
        if (bounded) {
            ranges.readersToDismiss(present).forEach(readers::noMoreSplits);
        }
    }

    /** A checkpoint begins; called in the order of their ids. */
    public CosmosDBEnumeratorState snapshot(long checkpoint) {
        firstBegun = firstBegun == NONE_BEGUN ? checkpoint : firstBegun;
        lastBegun = checkpoint;
        return new CosmosDBEnumeratorState(
                ranges.entries(), transfers.lastTransfer(), transfers.moves());
    }

    /**
     * A checkpoint is complete. Flink may leave out any of these calls.
     *
     * @param mayMove whether a split may set out now; those that are on their way go on
     */
    public void completed(long checkpoint, boolean mayMove) {
        if (firstBegun == NONE_BEGUN || checkpoint < firstBegun) {
            return; // Late, from before a restore.
        }
        // A later one says all that an earlier one says.
        deferred.removeIf(input -> input.reader == FLINK);
        decide(FLINK, () -> move(checkpoint, mayMove));
    }

    /**
     * A part of the longest time of a move has passed, one of {@link
     * TransferLedger#PARTS_OF_THE_LONGEST}.
     */
    public void timePassed() {
        if (transfers.timePassed()) {
            deferred.removeIf(input -> input.reader == CLOCK);
            decide(CLOCK, () -> transfers.cancelWhatTakesTooLong(readers));
        }
    }

    private void move(long checkpoint, boolean mayMove) {
        loads.completed();
        transfers.completed(checkpoint, lastBegun, ranges, loads, readers);
        if (rebalancing && mayMove) {
            plan();
        }
    }

    private void plan() {
        int parallelism = readers.parallelism();
        if (!ranges.isSettled() || present().size() < parallelism || !loads.areThereOf(present())) {
            return;
        }
        while (transfers.hasRoom()) {
            List<Set<String>> splits = ranges.byReader(parallelism);
            transfers.project(splits);
            RebalancePlanner.Plan plan =
                    RebalancePlanner.next(
                            splits, loads, transfers.engaged(), transfers.leftAlone());
            if (plan == null) {
                return;
            }
            transfers.begin(plan.splitId, plan.from, plan.to, readers);
        }
    }
}
