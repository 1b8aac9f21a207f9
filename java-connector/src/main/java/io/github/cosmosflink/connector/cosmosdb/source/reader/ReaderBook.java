// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.reader;

import io.github.cosmosflink.connector.cosmosdb.source.split.CosmosDBSplit;
import io.github.cosmosflink.connector.cosmosdb.source.split.RangeSplitEvent;
import io.github.cosmosflink.connector.cosmosdb.source.transfer.ReaderHoldingsEvent;
import io.github.cosmosflink.connector.cosmosdb.source.transfer.ReaderHoldingsEvent.Held;
import io.github.cosmosflink.connector.cosmosdb.source.transfer.ReaderLoadEvent;
import io.github.cosmosflink.connector.cosmosdb.source.transfer.ReaderLoadEvent.SplitLoad;
import io.github.cosmosflink.connector.cosmosdb.source.transfer.TransferCommand;
import io.github.cosmosflink.connector.cosmosdb.source.transfer.TransferReport;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.flink.api.connector.source.SourceEvent;

/**
 * What a reader has besides the splits that Flink's base class keeps for it: parked splits, splits
 * that are to leave, and the outputs that hold its watermark. Decides and remembers; its effects
 * are the caller's. For the task's thread.
 *
 * <p>docs/decisions/0007 says where a split is at each moment.
 */
final class ReaderBook {

    /** What the book makes happen. */
    interface Effects {

        /** Keeps the splits' state from now on and reads them. */
        void read(List<CosmosDBSplit> splits);

        /** The split's end follows its last page. */
        void release(String splitId);

        /** Does nothing when there is one already. */
        void createOutput(String splitId);

        void releaseOutput(String splitId);

        void report(SourceEvent event);
    }

    private static final long NONE = -1;

    /** No split's id: Flink never sees an output of this name end. */
    private static final String START = "start of the reader";

    /** A split that is to leave. */
    private static final class Leaving {

        long transfer;
        long notBefore;
        boolean cancelled;

        /** Whether the session was told; then the split ends, whatever happens meanwhile. */
        boolean released;
    }

    private final Effects effects;

    /** The splits that are read. */
    private final Map<String, CosmosDBSplitState> states = new LinkedHashMap<>();

    private final Map<String, CosmosDBSplit> parked = new LinkedHashMap<>();
    private final Map<String, Leaving> leaving = new HashMap<>();

    /** By transfer, the split for which an output holds the watermark. */
    private final Map<Long, String> holds = new LinkedHashMap<>();

    private final Set<String> paused = new HashSet<>();

    /** Until the enumerator has sent what this reader gets besides its restored state. */
    private boolean starting = true;

    /** Whether outputs can be made: Flink passes them with the first poll. */
    private boolean outputsReady;

    /** Outputs that Flink has made, or will, for splits that are gone before. */
    private final Set<String> outputsTooMany = new HashSet<>();

    private long highestOfGone = TransferCommand.NO_TIMESTAMP;

    /** The checkpoint after which the load is still to be reported, or {@link #NONE}. */
    private long reportAfter = NONE;

    ReaderBook(Effects effects) {
        this.effects = effects;
    }

    /** The splits' state is kept from now on. */
    CosmosDBSplitState begin(CosmosDBSplit split) {
        CosmosDBSplitState state = new CosmosDBSplitState(split);
        states.put(split.splitId(), state);
        return state;
    }

    /**
     * Takes what Flink assigns or restores.
     *
     * @return what is to be read; parked splits stay here
     */
    List<CosmosDBSplit> added(List<CosmosDBSplit> splits) {
        List<CosmosDBSplit> toRead = new ArrayList<>(splits.size());
        for (CosmosDBSplit split : splits) {
            if (split.isParked()) {
                parked.put(split.splitId(), split);
            } else {
                // The output that held the watermark for it is its own now.
                holds.values().removeIf(split.splitId()::equals);
                toRead.add(split);
            }
        }
        return toRead;
    }

    /** After the restored splits were added. */
    void start() {
        List<Held> held = new ArrayList<>();
        states.values().forEach(state -> held.add(new Held(state.splitId(), state.feedRange(), 0)));
        parked.values().forEach(split -> held.add(Held.of(split)));
        effects.report(new ReaderHoldingsEvent(held));
    }

    /** Outputs can be made from now on; Flink has made those of splits that it has added. */
    void outputsReady() {
        outputsReady = true;
        parked.keySet().forEach(effects::createOutput);
        holds.values().forEach(effects::createOutput);
        if (starting) {
            effects.createOutput(START);
        }
        for (String splitId : outputsTooMany) {
            if (!isHeld(splitId)) {
                effects.createOutput(splitId);
                effects.releaseOutput(splitId);
            }
        }
        outputsTooMany.clear();
    }

    private boolean isHeld(String splitId) {
        return states.containsKey(splitId)
                || parked.containsKey(splitId)
                || holds.containsValue(splitId);
    }

    private void createOutput(String splitId) {
        if (outputsReady) {
            effects.createOutput(splitId);
        }
    }

    private void releaseOutputUnlessHeld(String splitId) {
        if (isHeld(splitId)) {
            return;
        }
        if (outputsReady) {
            effects.releaseOutput(splitId);
        } else {
            outputsTooMany.add(splitId);
        }
    }

    /** Takes a step of a transfer. What is over already is ignored. */
    void command(TransferCommand command) {
        long transfer = command.transfer();
        String splitId = command.splitId();
        switch (command.kind()) {
            case HOLD_WATERMARK:
                holds.put(transfer, splitId);
                createOutput(splitId);
                effects.report(TransferReport.watermarkHeld(transfer, highestTimestamp()));
                break;
            case DROP_HOLD:
                if (holds.remove(transfer) != null) {
                    releaseOutputUnlessHeld(splitId);
                }
                break;
            case RELEASE:
                release(transfer, splitId, command.notBefore());
                break;
            case DROP_PARKED:
                if (isParkedFor(splitId, transfer)) {
                    parked.remove(splitId);
                    holds.put(transfer, splitId);
                }
                break;
            case RESUME:
                resume(transfer, splitId);
                break;
            case GO_ON:
                starting = false;
                if (outputsReady) {
                    effects.releaseOutput(START);
                }
                break;
            default:
                throw new IllegalArgumentException("an unknown command: " + command);
        }
    }

    private boolean isParkedFor(String splitId, long transfer) {
        CosmosDBSplit split = parked.get(splitId);
        return split != null && split.transfer() == transfer;
    }

    private void release(long transfer, String splitId, long notBefore) {
        if (!states.containsKey(splitId) || paused.contains(splitId)) {
            effects.report(TransferReport.declined(transfer));
            return;
        }
        Leaving split = leaving.computeIfAbsent(splitId, id -> new Leaving());
        split.transfer = transfer;
        split.notBefore = notBefore;
        split.cancelled = false;
        // Also after an earlier release that is under way still: what comes of it is judged then.
        letGo();
    }

    /**
     * Flink has polled the reader, which it does not do any more once a savepoint is about to end
     * the job; something may have been emitted.
     */
    void polled() {
        if (!leaving.isEmpty()) {
            letGo();
        }
        if (reportAfter != NONE) {
            List<SplitLoad> loads = new ArrayList<>(states.size());
            states.values().forEach(state -> loads.add(state.takeLoad()));
            effects.report(new ReaderLoadEvent(reportAfter, loads, highestTimestamp()));
            reportAfter = NONE;
        }
    }

    /** Releases the splits that have come far enough. */
    private void letGo() {
        leaving.forEach(
                (splitId, split) -> {
                    if (!split.released && !split.cancelled && isThere(splitId, split)) {
                        split.released = true;
                        effects.release(splitId);
                    }
                });
    }

    private boolean isThere(String splitId, Leaving split) {
        return states.get(splitId).lastTimestamp() >= split.notBefore;
    }

    private void resume(long transfer, String splitId) {
        if (isParkedFor(splitId, transfer)) {
            read(parked.remove(splitId).unparked());
            return;
        }
        Leaving split = leaving.get(splitId);
        if (split != null && split.transfer == transfer) {
            split.cancelled = true;
            if (!split.released) {
                leaving.remove(splitId);
            }
        }
    }

    private void read(CosmosDBSplit split) {
        createOutput(split.splitId());
        effects.read(List.of(split));
    }

    void paused(Collection<String> toPause, Collection<String> toResume) {
        paused.addAll(toPause);
        paused.removeAll(toResume);
        // A paused split stays: Flink would resume it by what it knew before. And it would stay for
        // ever if it is ahead of the reader that holds its watermark for it.
        for (String splitId : toPause) {
            Leaving split = leaving.get(splitId);
            if (split != null && !split.released && !split.cancelled) {
                leaving.remove(splitId);
                effects.report(TransferReport.declined(split.transfer));
            }
        }
    }

    /**
     * A split's end has come, and its output is gone.
     *
     * @param split the split where it ended
     */
    void finished(CosmosDBSplit split, SplitEnds.End end) {
        String splitId = split.splitId();
        long lastTimestamp = states.remove(splitId).lastTimestamp();
        highestOfGone = Math.max(highestOfGone, lastTimestamp);
        paused.remove(splitId);
        if (isHeld(splitId)) {
            // Restored together with the parked copy of its move, whose output has the same name.
            createOutput(splitId);
        }
        Leaving left = leaving.remove(splitId);
        if (end == SplitEnds.End.RELEASED) {
            if (left == null) {
                throw new IllegalStateException("released without being asked: " + split);
            }
            left(split, lastTimestamp, left);
            return;
        }
        if (left != null && !left.cancelled) {
            effects.report(TransferReport.declined(left.transfer));
        }
        if (!end.children().isEmpty()) {
            // Without outputs the watermark would pass the children's first records, and a child
            // without any record could not finish.
            end.children().forEach(child -> createOutput(child.splitId()));
            effects.read(end.children());
            effects.report(new RangeSplitEvent(splitId, end.children()));
        }
    }

    private void left(CosmosDBSplit split, long lastTimestamp, Leaving left) {
        if (left.cancelled || lastTimestamp < left.notBefore) {
            read(split);
            if (!left.cancelled) {
                // Released for an earlier transfer, too soon for this one.
                states.get(split.splitId()).goneOn(lastTimestamp);
                left.released = false;
                leaving.put(split.splitId(), left);
            }
            return;
        }
        CosmosDBSplit copy = split.parkedFor(left.transfer);
        parked.put(split.splitId(), copy);
        // As long as it may be resumed here, the watermark must not pass it.
        createOutput(split.splitId());
        effects.report(TransferReport.parked(copy));
    }

    /** Of all records emitted since the start. */
    private long highestTimestamp() {
        long highest = highestOfGone;
        for (CosmosDBSplitState state : states.values()) {
            highest = Math.max(highest, state.lastTimestamp());
        }
        return highest;
    }

    /**
     * A checkpoint is taken; with the next poll the enumerator is told how the splits are getting
     * on.
     *
     * @param read the splits that are read
     * @return these and the parked ones
     */
    List<CosmosDBSplit> snapshot(long checkpoint, List<CosmosDBSplit> read) {
        reportAfter = checkpoint;
        List<CosmosDBSplit> all = new ArrayList<>(read);
        all.addAll(parked.values());
        return all;
    }

    boolean hasParked() {
        return !parked.isEmpty();
    }
}
