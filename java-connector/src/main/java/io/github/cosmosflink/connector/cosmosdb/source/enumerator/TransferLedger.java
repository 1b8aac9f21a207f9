// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.enumerator;

import io.github.cosmosflink.connector.cosmosdb.source.enumerator.CosmosDBEnumeratorState.Move;
import io.github.cosmosflink.connector.cosmosdb.source.split.CosmosDBSplit;
import io.github.cosmosflink.connector.cosmosdb.source.transfer.TransferCommand;
import io.github.cosmosflink.connector.cosmosdb.source.transfer.TransferCommand.Kind;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * The splits that are on their way from one running reader to another, as docs/decisions/0007
 * describes it. Knows no clock: time is counted in checkpoints, and where none is completed in the
 * parts of the longest move that it is told of. For one thread.
 *
 * <p>A transfer is not part of any checkpoint: after a restore none is noted, and each parked copy
 * is judged by its holder's report alone. A move is: it says that a parked copy, wherever it turns
 * up, is not the split.
 */
final class TransferLedger {

    /** A transfer that is not committed within so many completed checkpoints is cancelled. */
    static final int PATIENCE = 10;

    /** In so many parts it is told that the longest time of a move passes. */
    static final int PARTS_OF_THE_LONGEST = 4;

    /**
     * A holder that is asked to release and has been silent for so many completed checkpoints is
     * not polled, maybe because it waits for the very watermark that is held for it.
     */
    static final int SILENCE = 2;

    /** Completed checkpoints for which a split stays where it is after it was to be moved. */
    static final int REST = 3;

    /** The same for all splits of a holder that was given up for its silence. */
    static final int REST_OF_SILENT = 30;

    /** How many transfers there are at once. */
    static final int AT_ONCE = 4;

    private static final long NOT_SETTLED = Long.MAX_VALUE;

    private enum Phase {
        /** The receiver was asked to hold its watermark. */
        HOLDING,
        /** The holder was asked to park the split. */
        RELEASING,
        /** The holder has parked it. */
        PARKED
    }

    private static final class Transfer {

        final long number;
        final String splitId;
        final int from;
        final int to;
        Phase phase = Phase.HOLDING;
        CosmosDBSplit parked;

        /** Of the last checkpoint that had begun when the split was reported parked. */
        long parkedAfter;

        int completed;

        /** Parts of the longest time of a move that have passed. */
        int parts;

        Transfer(long number, String splitId, int from, int to) {
            this.number = number;
            this.splitId = splitId;
            this.from = from;
            this.to = to;
        }
    }

    private static final class Done {

        final Move move;

        /** Which reader still holds its watermark for it, or none. */
        int holder = NO_READER;

        int to = NO_READER;

        /** After a restore, until the first reader has spoken: all readers are suspects. */
        boolean everyoneSuspect;

        /** Readers whose restored state may hold the parked copy. */
        final Set<Integer> suspects = new HashSet<>();

        /** The last checkpoint that had begun when the last suspect was cleared. */
        long settledAfter = NOT_SETTLED;

        Done(Move move) {
            this.move = move;
        }
    }

    private static final int NO_READER = -1;

    private final Map<Long, Transfer> transfers = new LinkedHashMap<>();
    private final List<Done> moves = new ArrayList<>();

    /** By split, how many completed checkpoints it still stays where it is. */
    private final Map<String, Integer> resting = new LinkedHashMap<>();

    /** By holder that was silent, how many completed checkpoints its splits still stay. */
    private final Map<Integer, Integer> leftAlone = new LinkedHashMap<>();

    private long lastTransfer;
    private long moved;
    private long cancelled;

    TransferLedger() {}

    /** Takes up a checkpoint; any reader may hold a copy. */
    static TransferLedger restore(CosmosDBEnumeratorState state) {
        TransferLedger ledger = new TransferLedger();
        ledger.lastTransfer = state.lastTransfer();
        for (Move move : state.moves()) {
            Done done = new Done(move);
            done.everyoneSuspect = true;
            ledger.moves.add(done);
        }
        return ledger;
    }

    boolean hasRoom() {
        return transfers.size() < AT_ONCE;
    }

    /** Splits that are on their way or rest. */
    Set<String> engaged() {
        Set<String> engaged = new HashSet<>(resting.keySet());
        transfers.values().forEach(transfer -> engaged.add(transfer.splitId));
        return engaged;
    }

    /** Readers that are to keep their splits. */
    Set<Integer> leftAlone() {
        return leftAlone.keySet();
    }

    /** What each reader will read when the transfers under way are done. */
    void project(List<Set<String>> splits) {
        for (Transfer transfer : transfers.values()) {
            splits.get(transfer.from).remove(transfer.splitId);
            splits.get(transfer.to).add(transfer.splitId);
        }
    }

    void begin(String splitId, int from, int to, Readers readers) {
        lastTransfer++;
        transfers.put(lastTransfer, new Transfer(lastTransfer, splitId, from, to));
        readers.send(to, TransferCommand.of(Kind.HOLD_WATERMARK, lastTransfer, splitId));
    }

    /** The receiver holds its watermark. */
    void watermarkHeld(int reader, long number, long highestTimestamp, Readers readers) {
        Transfer transfer = transfers.get(number);
        if (transfer == null || transfer.to != reader || transfer.phase != Phase.HOLDING) {
            return;
        }
        if (!readers.registered().contains(transfer.from)) {
            cancel(transfer, readers);
            return;
        }
        transfer.phase = Phase.RELEASING;
        readers.send(
                transfer.from, TransferCommand.release(number, transfer.splitId, highestTimestamp));
    }

    /** The holder has parked the split. */
    void parked(int reader, CosmosDBSplit split, long lastBegun) {
        Transfer transfer = transfers.get(split.transfer());
        if (transfer != null && transfer.from == reader && transfer.phase == Phase.RELEASING) {
            transfer.phase = Phase.PARKED;
            transfer.parked = split;
            transfer.parkedAfter = lastBegun;
        }
    }

    /** The split has ended at its holder. */
    void declined(int reader, long number, Readers readers) {
        Transfer transfer = transfers.get(number);
        if (transfer != null && transfer.from == reader) {
            cancel(transfer, readers);
        }
    }

    /**
     * A part of the longest time of a move has passed.
     *
     * @return whether a transfer has taken longer
     */
    boolean timePassed() {
        boolean anyTooLong = false;
        for (Transfer transfer : transfers.values()) {
            transfer.parts++;
            anyTooLong |= takesTooLong(transfer);
        }
        return anyTooLong;
    }

    /** The first part may have begun long before the transfer. */
    private static boolean takesTooLong(Transfer transfer) {
        return transfer.parts > PARTS_OF_THE_LONGEST;
    }

    /** Gives up what takes longer than a move may take: no checkpoint has completed for so long. */
    void cancelWhatTakesTooLong(Readers readers) {
        for (Transfer transfer : new ArrayList<>(transfers.values())) {
            if (takesTooLong(transfer)) {
                cancel(transfer, readers);
            }
        }
    }

    /** Forgets the transfer; tells both readers, if they are there, to go on as before. */
    private void cancel(Transfer transfer, Readers readers) {
        transfers.remove(transfer.number);
        cancelled++;
        resting.put(transfer.splitId, REST);
        tell(transfer.to, Kind.DROP_HOLD, transfer.number, transfer.splitId, readers);
        if (transfer.phase != Phase.HOLDING) {
            tell(transfer.from, Kind.RESUME, transfer.number, transfer.splitId, readers);
        }
    }

    private static void tell(int reader, Kind kind, long number, String splitId, Readers readers) {
        if (readers.registered().contains(reader)) {
            readers.send(reader, TransferCommand.of(kind, number, splitId));
        }
    }

    /** A reader goes back to a checkpoint; what it knew of transfers is gone. */
    void readerReset(int reader, Readers readers) {
        for (Transfer transfer : new ArrayList<>(transfers.values())) {
            if (transfer.from == reader || transfer.to == reader) {
                cancel(transfer, readers);
            }
        }
        for (Done done : moves) {
            done.suspects.add(reader);
            done.settledAfter = NOT_SETTLED;
            if (done.holder == reader) {
                done.holder = NO_READER;
            } else if (done.to == reader) {
                letGo(done, readers);
            }
        }
    }

    /**
     * A starting reader has a parked copy. No transfer of its is noted: its reset has cancelled
     * them, or the restore has forgotten them.
     *
     * @return whether the copy is the split, which is read on there
     */
    boolean judge(int reader, String splitId, long number, Readers readers) {
        boolean isMoved =
                moves.stream()
                        .anyMatch(
                                done ->
                                        done.move.splitId().equals(splitId)
                                                && done.move.transfer() == number);
        if (isMoved) {
            tell(reader, Kind.DROP_PARKED, number, splitId, readers);
            tell(reader, Kind.DROP_HOLD, number, splitId, readers);
        } else {
            tell(reader, Kind.RESUME, number, splitId, readers);
        }
        return !isMoved;
    }

    /** A starting reader's copies have all been judged. */
    void heard(int reader, int parallelism, long lastBegun) {
        for (Done done : moves) {
            if (done.everyoneSuspect) {
                done.everyoneSuspect = false;
                for (int suspect = 0; suspect < parallelism; suspect++) {
                    done.suspects.add(suspect);
                }
            }
            if (done.suspects.remove(reader) && done.suspects.isEmpty()) {
                done.settledAfter = lastBegun;
            }
        }
    }

    /** A reader reads a split, and its watermark waits for it: nobody else's has to. */
    void reads(int reader, Set<String> splitIds, Readers readers) {
        for (Done done : moves) {
            if (done.to == reader && splitIds.contains(done.move.splitId())) {
                letGo(done, readers);
            }
        }
    }

    private static void letGo(Done done, Readers readers) {
        if (done.holder != NO_READER) {
            tell(done.holder, Kind.DROP_HOLD, done.move.transfer(), done.move.splitId(), readers);
            done.holder = NO_READER;
        }
    }

    /**
     * A checkpoint is complete, and so may be earlier ones.
     *
     * @param lastBegun of the checkpoints that have begun
     * @param ranges is told of the splits that have got another reader
     * @param loads has been told of the checkpoint
     */
    void completed(
            long checkpoint,
            long lastBegun,
            FeedRangeLedger ranges,
            ReaderLoads loads,
            Readers readers) {
        forget(checkpoint, readers);
        countDown(resting);
        countDown(leftAlone);
        for (Transfer transfer : new ArrayList<>(transfers.values())) {
            transfer.completed++;
            if (transfer.phase == Phase.PARKED && checkpoint > transfer.parkedAfter) {
                if (readers.registered().contains(transfer.from)
                        && readers.registered().contains(transfer.to)) {
                    commit(transfer, lastBegun, ranges, readers);
                } else {
                    cancel(transfer, readers);
                }
            } else if (transfer.phase == Phase.RELEASING
                    && loads.silentFor(transfer.from) >= SILENCE) {
                leftAlone.put(transfer.from, REST_OF_SILENT);
                cancel(transfer, readers);
            } else if (transfer.completed >= PATIENCE) {
                cancel(transfer, readers);
            }
        }
    }

    private static void countDown(Map<?, Integer> left) {
        left.replaceAll((key, checkpoints) -> checkpoints - 1);
        left.values().removeIf(checkpoints -> checkpoints <= 0);
    }

    private void commit(
            Transfer transfer, long lastBegun, FeedRangeLedger ranges, Readers readers) {
        transfers.remove(transfer.number);
        moved++;
        resting.put(transfer.splitId, REST);
        ranges.moved(transfer.splitId, transfer.to);
        readers.assign(Map.of(transfer.to, List.of(transfer.parked.unparked())));
        readers.send(
                transfer.from,
                TransferCommand.of(Kind.DROP_PARKED, transfer.number, transfer.splitId));
        Done done = new Done(new Move(transfer.splitId, transfer.number));
        done.holder = transfer.from;
        done.to = transfer.to;
        // Both were told before any checkpoint that begins from now on.
        done.settledAfter = lastBegun;
        moves.add(done);
    }

    /** What is settled in a completed checkpoint cannot turn up again. */
    private void forget(long checkpoint, Readers readers) {
        Iterator<Done> all = moves.iterator();
        while (all.hasNext()) {
            Done done = all.next();
            if (done.settledAfter < checkpoint) {
                letGo(done, readers);
                all.remove();
            }
        }
    }

    long lastTransfer() {
        return lastTransfer;
    }

    List<Move> moves() {
        return moves.stream().map(done -> done.move).collect(Collectors.toList());
    }

    /** Splits that got another reader, since this ledger was made. */
    long movedCount() {
        return moved;
    }

    /** Transfers that were given up, since this ledger was made. */
    long cancelledCount() {
        return cancelled;
    }
}
