// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.enumerator;

import io.github.cosmosflink.connector.cosmosdb.source.split.CosmosDBSplit;
import java.util.List;
import java.util.Objects;
import javax.annotation.Nullable;
import org.apache.flink.annotation.Internal;

/**
 * What the enumerator has in a checkpoint: every known feed range with its status, and what a
 * restored reader's parked copies must be judged by. Immutable.
 */
@Internal
public final class CosmosDBEnumeratorState {

    /** Where a feed range is in its life. */
    public enum Status {
        /** Waits for a reader; its position is the one in this state. */
        PENDING,
        /** A reader has it, and the reader's state its position. */
        ASSIGNED,
        /**
         * Ended, in children or where a bounded read ends; kept because the discovered ranges
         * together cover the container.
         */
        DIVIDED
    }

    /** One feed range. */
    public static final class Entry {

        private final CosmosDBSplit split;
        private final Status status;
        private final boolean discovered;

        /**
         * @param discovered whether it was found by discovery, not made by the split of a range
         */
        public Entry(CosmosDBSplit split, Status status, boolean discovered) {
            this.split = Objects.requireNonNull(split, "split");
            this.status = Objects.requireNonNull(status, "status");
            this.discovered = discovered;
        }

        public CosmosDBSplit split() {
            return split;
        }

        public Status status() {
            return status;
        }

        public boolean isDiscovered() {
            return discovered;
        }

        @Override
        public boolean equals(Object other) {
            if (!(other instanceof Entry)) {
                return false;
            }
            Entry that = (Entry) other;
            return split.equals(that.split)
                    && status == that.status
                    && discovered == that.discovered;
        }

        @Override
        public int hashCode() {
            return Objects.hash(split, status, discovered);
        }

        @Override
        public String toString() {
            return split + " " + status;
        }
    }

    /** A split that has gone to another reader, while its parked copy may still be somewhere. */
    public static final class Move {

        private final String splitId;
        private final long transfer;

        public Move(String splitId, long transfer) {
            this.splitId = Objects.requireNonNull(splitId, "splitId");
            this.transfer = transfer;
        }

        public String splitId() {
            return splitId;
        }

        public long transfer() {
            return transfer;
        }

        @Override
        public boolean equals(Object other) {
            return other instanceof Move
                    && splitId.equals(((Move) other).splitId)
                    && transfer == ((Move) other).transfer;
        }

        @Override
        public int hashCode() {
            return Objects.hash(splitId, transfer);
        }

        @Override
        public String toString() {
            return splitId + " moved by " + transfer;
        }
    }

    private final List<Entry> entries;
    private final long lastTransfer;
    private final List<Move> moves;

    /** Why there is nothing else here; null for state that could be read. */
    @Nullable private final Exception problem;

    /**
     * @param entries the ranges, never none
     * @param lastTransfer the highest number that was given to a transfer, 0 for none
     */
    public CosmosDBEnumeratorState(List<Entry> entries, long lastTransfer, List<Move> moves) {
        this(entries, lastTransfer, moves, null);
    }

    private CosmosDBEnumeratorState(
            List<Entry> entries, long lastTransfer, List<Move> moves, @Nullable Exception problem) {
        this.entries = List.copyOf(entries);
        this.lastTransfer = lastTransfer;
        this.moves = List.copyOf(moves);
        this.problem = problem;
    }

    /** Stands for state that could not be read. */
    static CosmosDBEnumeratorState unreadable(Exception problem) {
        return new CosmosDBEnumeratorState(List.of(), 0, List.of(), problem);
    }

    /** Why this state could not be read; null when it could. */
    @Nullable
    public Exception problem() {
        return problem;
    }

    public List<Entry> entries() {
        return entries;
    }

    public long lastTransfer() {
        return lastTransfer;
    }

    public List<Move> moves() {
        return moves;
    }

    @Override
    public boolean equals(Object other) {
        if (!(other instanceof CosmosDBEnumeratorState)) {
            return false;
        }
        CosmosDBEnumeratorState that = (CosmosDBEnumeratorState) other;
        return entries.equals(that.entries)
                && lastTransfer == that.lastTransfer
                && moves.equals(that.moves);
    }

    @Override
    public int hashCode() {
        return Objects.hash(entries, lastTransfer, moves);
    }

    @Override
    public String toString() {
        return entries + " " + moves;
    }
}
