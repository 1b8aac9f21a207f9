// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.enumerator;

import io.github.cosmosflink.connector.cosmosdb.source.split.CosmosDBSplit;
import java.util.List;
import java.util.Objects;
import javax.annotation.Nullable;
import org.apache.flink.annotation.Internal;

/** What the enumerator has in a checkpoint: every known feed range with its status. Immutable. */
@Internal
public final class CosmosDBEnumeratorState {

    /** Where a feed range is in its life. */
    public enum Status {
        /** Waits for a reader; its position is the one in this state. */
        PENDING,
        /** A reader has it, and the reader's state its position. */
        ASSIGNED,
        /** Ended in children; kept because the discovered ranges together cover the container. */
        DIVIDED
    }

    /** One feed range. */
    public static final class Entry {

        private final CosmosDBSplit split;
        private final Status status;
        private final boolean discovered;
        @Nullable private final String ancestorId;

        /**
         * @param discovered whether it was found by discovery, not made by the split of a range
         * @param ancestorId the discovered range that it is a part of; null for a discovered one,
         *     or when not known
         */
        public Entry(
                CosmosDBSplit split,
                Status status,
                boolean discovered,
                @Nullable String ancestorId) {
            this.split = Objects.requireNonNull(split, "split");
            this.status = Objects.requireNonNull(status, "status");
            this.discovered = discovered;
            this.ancestorId = ancestorId;
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

        @Nullable
        public String ancestorId() {
            return ancestorId;
        }

        @Override
        public boolean equals(Object other) {
            if (!(other instanceof Entry)) {
                return false;
            }
            Entry that = (Entry) other;
            return split.equals(that.split)
                    && status == that.status
                    && discovered == that.discovered
                    && Objects.equals(ancestorId, that.ancestorId);
        }

        @Override
        public int hashCode() {
            return Objects.hash(split, status, discovered, ancestorId);
        }

        @Override
        public String toString() {
            return split + " " + status + (ancestorId == null ? "" : " part of " + ancestorId);
        }
    }

    private final List<Entry> entries;

    /** No entries: discovery has not finished. */
    public CosmosDBEnumeratorState(List<Entry> entries) {
        this.entries = List.copyOf(entries);
    }

    public List<Entry> entries() {
        return entries;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof CosmosDBEnumeratorState
                && ((CosmosDBEnumeratorState) other).entries.equals(entries);
    }

    @Override
    public int hashCode() {
        return entries.hashCode();
    }

    @Override
    public String toString() {
        return entries.toString();
    }
}
