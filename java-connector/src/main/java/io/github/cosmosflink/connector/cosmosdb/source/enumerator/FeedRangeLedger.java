// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.enumerator;

import io.github.cosmosflink.connector.cosmosdb.source.enumerator.CosmosDBEnumeratorState.Entry;
import io.github.cosmosflink.connector.cosmosdb.source.enumerator.CosmosDBEnumeratorState.Status;
import io.github.cosmosflink.connector.cosmosdb.source.split.CosmosDBSplit;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import javax.annotation.Nullable;
import org.apache.flink.annotation.Internal;

/**
 * Which feed ranges there are and who reads them. Decides and remembers; does no I/O, knows no
 * clock and nothing of Flink's runtime. For one thread.
 *
 * <p>The life of a range:
 *
 * <ol>
 *   <li>{@link #discovered}: it is PENDING, with the position that discovery pinned.
 *   <li>{@link #assign}: planned for the reader with the fewest ranges, it becomes ASSIGNED once
 *       that reader is there. From now on the reader's state holds the position, and Flink brings
 *       that state back after a failure, at whatever parallelism: an ASSIGNED range is never handed
 *       out again, unless
 *   <li>{@link #readerReset}: the reader failed before a checkpoint had the range. It is PENDING
 *       for the same reader.
 *   <li>{@link #rangeSplit}: the reader has found it split and goes on with the children. A
 *       discovered range stays as DIVIDED, because the discovered ranges together cover the
 *       container, which a restore checks; any other is replaced by its children.
 * </ol>
 *
 * <p>The checkpoint of this ledger is older than the readers', so after a restore it may not have
 * heard of a split that a reader's state has. Nothing depends on it: children never leave the
 * readers' state, and coverage is judged by the discovered ranges alone.
 */
@Internal
public final class FeedRangeLedger {

    private static final int NO_READER = -1;

    private static final class Range {

        CosmosDBSplit split;
        Status status;
        final boolean discovered;
        @Nullable final String ancestorId;
        int reader;

        Range(
                CosmosDBSplit split,
                Status status,
                boolean discovered,
                @Nullable String ancestorId,
                int reader) {
            this.split = split;
            this.status = status;
            this.discovered = discovered;
            this.ancestorId = ancestorId;
            this.reader = reader;
        }
    }

    /** By split id, in the order in which they became known. */
    private final Map<String, Range> ranges = new LinkedHashMap<>();

    /** Readers that were told that no more splits will come. */
    private final Set<Integer> told = new HashSet<>();

    private boolean discovered;

    /** Takes up a checkpoint. Nothing is assigned before {@link #discovered} has confirmed it. */
    public static FeedRangeLedger restore(CosmosDBEnumeratorState state) {
        FeedRangeLedger ledger = new FeedRangeLedger();
        for (Entry entry : state.entries()) {
            ledger.put(
                    new Range(
                            entry.split(),
                            entry.status(),
                            entry.isDiscovered(),
                            entry.ancestorId(),
                            NO_READER));
        }
        return ledger;
    }

    /**
     * The ranges that discovery found, which together cover the container; empty when it has not
     * been done.
     */
    public List<CosmosDBSplit> discoveredRanges() {
        return ranges.values().stream()
                .filter(range -> range.discovered)
                .map(range -> range.split)
                .collect(Collectors.toList());
    }

    /**
     * Discovery is done.
     *
     * @param found the ranges that were not known: all of them on a fresh start, none after a
     *     restore
     */
    public void discovered(Collection<CosmosDBSplit> found) {
        for (CosmosDBSplit split : found) {
            if (ranges.containsKey(split.splitId())) {
                throw new IllegalStateException("discovered twice: " + split);
            }
            put(new Range(split, Status.PENDING, true, null, NO_READER));
        }
        discovered = true;
    }

    public boolean isDiscovered() {
        return discovered;
    }

    /**
     * Hands out what is pending.
     *
     * @param readers the readers that are registered
     * @param parallelism how many readers there will be; plans count on all of them, so that the
     *     order in which readers register does not decide who gets how much
     * @return by reader, only readers that get something
     */
    public Map<Integer, List<CosmosDBSplit>> assign(Set<Integer> readers, int parallelism) {
        if (!discovered) {
            return Collections.emptyMap();
        }
        plan(parallelism);
        Map<Integer, List<CosmosDBSplit>> assignment = new TreeMap<>();
        for (Range range : ranges.values()) {
            if (range.status == Status.PENDING && readers.contains(range.reader)) {
                range.status = Status.ASSIGNED;
                assignment.computeIfAbsent(range.reader, r -> new ArrayList<>()).add(range.split);
            }
        }
        return assignment;
    }

    private void plan(int parallelism) {
        int[] load = new int[parallelism];
        for (Range range : ranges.values()) {
            if (range.reader != NO_READER && range.status != Status.DIVIDED) {
                load[range.reader]++;
            }
        }
        for (Range range : ranges.values()) {
            if (range.status == Status.PENDING && range.reader == NO_READER) {
                int least = 0;
                for (int reader = 1; reader < parallelism; reader++) {
                    if (load[reader] < load[least]) {
                        least = reader;
                    }
                }
                range.reader = least;
                load[least]++;
            }
        }
    }

    /**
     * The readers to tell now that no more splits will come, for a bounded source. Each is named
     * once until it is reset: Flink fails a finished reader that is told again.
     *
     * @param readers the readers that are registered
     */
    public Set<Integer> readersToDismiss(Set<Integer> readers) {
        if (!discovered) {
            return Collections.emptySet();
        }
        Set<Integer> dismissed = new TreeSet<>(readers);
        dismissed.removeAll(told);
        for (Range range : ranges.values()) {
            if (range.status == Status.PENDING) {
                dismissed.remove(range.reader);
            }
        }
        told.addAll(dismissed);
        return dismissed;
    }

    /**
     * A reader has failed and will come again.
     *
     * @param returned what it was assigned after the checkpoint to which it goes back; what it had
     *     before, Flink gives it back itself
     */
    public void readerReset(int reader, Collection<CosmosDBSplit> returned) {
        told.remove(reader);
        for (CosmosDBSplit split : returned) {
            // Whatever became of the range since then is undone with the reader.
            removeParts(split.splitId());
            Range known = ranges.get(split.splitId());
            if (known == null) {
                put(new Range(split, Status.PENDING, false, null, reader));
            } else {
                known.split = split;
                known.status = Status.PENDING;
                known.reader = reader;
            }
        }
    }

    /**
     * A reader has found a range split and reads the children. Hearing it again changes nothing;
     * hearing it with other children, after the reader went back to a checkpoint, replaces the
     * earlier ones.
     */
    public void rangeSplit(int reader, String parentId, List<CosmosDBSplit> children) {
        Range parent = ranges.get(parentId);
        String ancestorId;
        if (parent == null) {
            if (children.stream().allMatch(child -> ranges.containsKey(child.splitId()))) {
                return;
            }
            ancestorId = null;
        } else if (parent.status == Status.PENDING) {
            // It waits for a reader, so none has it: a report from before its reader was reset.
            return;
        } else if (parent.discovered) {
            removeParts(parentId);
            parent.status = Status.DIVIDED;
            ancestorId = parentId;
        } else {
            ranges.remove(parentId);
            ancestorId = parent.ancestorId;
        }
        for (CosmosDBSplit child : children) {
            put(new Range(child, Status.ASSIGNED, false, ancestorId, reader));
        }
    }

    /** How many ranges wait for a reader. */
    public int pendingCount() {
        return (int)
                ranges.values().stream().filter(range -> range.status == Status.PENDING).count();
    }

    public CosmosDBEnumeratorState snapshot() {
        return new CosmosDBEnumeratorState(
                ranges.values().stream()
                        .map(
                                range ->
                                        new Entry(
                                                range.split,
                                                range.status,
                                                range.discovered,
                                                range.ancestorId))
                        .collect(Collectors.toList()));
    }

    private void put(Range range) {
        ranges.put(range.split.splitId(), range);
    }

    private void removeParts(String ancestorId) {
        ranges.values().removeIf(range -> ancestorId.equals(range.ancestorId));
    }
}
