// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.enumerator;

import io.github.cosmosflink.connector.cosmosdb.source.enumerator.CosmosDBEnumeratorState.Entry;
import io.github.cosmosflink.connector.cosmosdb.source.enumerator.CosmosDBEnumeratorState.Status;
import io.github.cosmosflink.connector.cosmosdb.source.split.CosmosDBSplit;
import io.github.cosmosflink.connector.cosmosdb.source.transfer.ReaderHoldingsEvent.Held;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.HashSet;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Predicate;
import java.util.stream.Collectors;
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
 *   <li>{@link #moved}: another reader goes on with it.
 * </ol>
 *
 * <p>The checkpoint of this ledger is older than the readers', and Flink redistributes their state,
 * so after a restore it may not have heard of a split that a reader's state has, nor does it know
 * who reads what. Each reader says so when it starts ({@link #held}); until then its ranges are
 * unconfirmed. When all have spoken, what nobody holds has gone on as its children, and the ranges
 * must cover the container again ({@link #settle}).
 */
@Internal
public final class FeedRangeLedger {

    private static final int NO_READER = -1;
    private static final byte[] POSITION_OF_READER = new byte[0];

    private static final class Range {

        CosmosDBSplit split;
        Status status;
        final boolean discovered;
        int reader;

        /** Of an ASSIGNED range: whether its reader has said so since it or this ledger started. */
        boolean confirmed;

        Range(CosmosDBSplit split, Status status, boolean discovered, int reader) {
            this.split = split;
            this.status = status;
            this.discovered = discovered;
            this.reader = reader;
        }

        boolean isReadBy(int candidate) {
            return status == Status.ASSIGNED && reader == candidate;
        }

        boolean isUnconfirmed() {
            return status == Status.ASSIGNED && !confirmed;
        }
    }

    /** By split id, in the order in which they became known. */
    private final Map<String, Range> ranges = new LinkedHashMap<>();

    /** Readers that were told that no more splits will come. */
    private final Set<Integer> told = new HashSet<>();

    private boolean discovered;

    /** Whether there are ranges of which no reader is known. */
    private boolean unsettled;

    /**
     * Takes up a checkpoint. Nothing is assigned before {@link #discovered} has confirmed it.
     *
     * @throws IllegalStateException when a range is there twice
     */
    public static FeedRangeLedger restore(CosmosDBEnumeratorState state) {
        FeedRangeLedger ledger = new FeedRangeLedger();
        for (Entry entry : state.entries()) {
            if (ledger.ranges.containsKey(entry.split().splitId())) {
                throw new IllegalStateException("the state has a range twice: " + entry);
            }
            ledger.put(new Range(entry.split(), entry.status(), entry.isDiscovered(), NO_READER));
        }
        ledger.unsettled = !state.entries().isEmpty();
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
            put(new Range(split, Status.PENDING, true, NO_READER));
        }
        discovered = true;
    }

    public boolean isDiscovered() {
        return discovered;
    }

    /** Whether every range has a reader that is known, or waits for one. */
    public boolean isSettled() {
        return discovered && !unsettled;
    }

    /**
     * A reader has started with these splits, besides what it was assigned since its reset, of
     * which it does not speak.
     */
    public void held(int reader, Collection<Held> splits) {
        for (Held held : splits) {
            Range range = ranges.get(held.splitId());
            if (range == null) {
                range =
                        new Range(
                                new CosmosDBSplit(
                                        held.splitId(), held.feedRange(), POSITION_OF_READER),
                                Status.ASSIGNED,
                                false,
                                reader);
                put(range);
            } else if (range.status == Status.ASSIGNED
                    && range.confirmed
                    && range.reader != reader) {
                throw new IllegalStateException(
                        String.format(
                                "readers %d and %d both read %s",
                                range.reader, reader, range.split));
            }
            range.status = Status.ASSIGNED;
            range.reader = reader;
            range.confirmed = true;
        }
        gone(range -> range.reader == reader);
    }

    /** Unconfirmed ranges that nobody holds have ended in children. */
    private void gone(Predicate<Range> which) {
        Iterator<Range> all = ranges.values().iterator();
        while (all.hasNext()) {
            Range range = all.next();
            if (range.isUnconfirmed() && which.test(range)) {
                if (range.discovered) {
                    range.status = Status.DIVIDED;
                    range.reader = NO_READER;
                } else {
                    all.remove();
                }
            }
        }
    }

    /**
     * All readers of this run have started and said what they hold.
     *
     * @param rangesEnd whether the source is bounded; then a hole may be a range that has ended
     * @throws IllegalStateException when the ranges do not cover the container, each key once
     */
    public void settle(boolean rangesEnd) {
        gone(range -> true);
        unsettled = false;
        RangeCoverage.check(
                ranges.values().stream()
                        .filter(range -> range.status != Status.DIVIDED)
                        .map(range -> range.split.feedRange())
                        .collect(Collectors.toList()),
                discoveredRanges().stream()
                        .map(CosmosDBSplit::feedRange)
                        .collect(Collectors.toList()),
                rangesEnd);
    }

    /**
     * Hands out what is pending.
     *
     * @param readers the readers that are there
     * @param parallelism how many readers there will be; plans count on all of them, so that the
     *     order in which readers register does not decide who gets how much
     * @return by reader, only readers that get something
     */
    public Map<Integer, List<CosmosDBSplit>> assign(Set<Integer> readers, int parallelism) {
        if (!discovered) {
            return Collections.emptyMap();
        }
        if (!unsettled) {
            plan(parallelism);
        }
        Map<Integer, List<CosmosDBSplit>> assignment = new TreeMap<>();
        for (Range range : ranges.values()) {
            if (range.status == Status.PENDING && readers.contains(range.reader)) {
                range.status = Status.ASSIGNED;
                range.confirmed = true;
                assignment.computeIfAbsent(range.reader, r -> new ArrayList<>()).add(range.split);
            }
        }
        return assignment;
    }

    private void plan(int parallelism) {
        int[] load = new int[parallelism];
        boolean planned = true;
        for (Range range : ranges.values()) {
            if (range.reader != NO_READER && range.status != Status.DIVIDED) {
                load[range.reader]++;
            }
            planned &= range.status != Status.PENDING || range.reader != NO_READER;
        }
        if (planned) {
            return;
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
     * @param readers the readers that are there
     */
    public Set<Integer> readersToDismiss(Set<Integer> readers) {
        if (!isSettled()) {
            // Until then each reader waits for a word, which one that has ended cannot be given.
            return Collections.emptySet();
        }
        Set<Integer> dismissed = new TreeSet<>(readers);
        dismissed.removeAll(told);
        for (Range range : ranges.values()) {
            if (range.status == Status.PENDING) {
                if (range.reader == NO_READER) {
                    return Collections.emptySet();
                }
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
        for (Range range : ranges.values()) {
            if (range.isReadBy(reader)) {
                range.confirmed = false;
            }
        }
        for (CosmosDBSplit split : returned) {
            Range known = ranges.get(split.splitId());
            if (known == null) {
                put(new Range(split, Status.PENDING, false, reader));
            } else {
                known.split = split;
                known.status = Status.PENDING;
                known.reader = reader;
            }
        }
    }

    /**
     * A reader has found a range split and reads the children. A report from before its reader was
     * reset changes nothing.
     */
    public void rangeSplit(int reader, String parentId, List<CosmosDBSplit> children) {
        Range parent = ranges.get(parentId);
        if (parent == null || !parent.isReadBy(reader) || !parent.confirmed) {
            return;
        }
        if (parent.discovered) {
            parent.status = Status.DIVIDED;
            parent.reader = NO_READER;
        } else {
            ranges.remove(parentId);
        }
        for (CosmosDBSplit child : children) {
            Range range = new Range(child, Status.ASSIGNED, false, reader);
            range.confirmed = true;
            put(range);
        }
    }

    /** Another reader goes on with a range; where it is, only the one that reads it knows. */
    public void moved(String splitId, int to) {
        ranges.get(splitId).reader = to;
    }

    /** The splits that each reader reads, by reader from 0 on. */
    public List<Set<String>> byReader(int parallelism) {
        List<Set<String>> splits = new ArrayList<>();
        for (int reader = 0; reader < parallelism; reader++) {
            splits.add(new LinkedHashSet<>());
        }
        for (Range range : ranges.values()) {
            if (range.status == Status.ASSIGNED && range.confirmed) {
                splits.get(range.reader).add(range.split.splitId());
            }
        }
        return splits;
    }

    /** How many ranges wait for a reader. */
    public int pendingCount() {
        return (int)
                ranges.values().stream().filter(range -> range.status == Status.PENDING).count();
    }

    public List<Entry> entries() {
        return ranges.values().stream()
                .map(range -> new Entry(range.split, range.status, range.discovered))
                .collect(Collectors.toList());
    }

    private void put(Range range) {
        ranges.put(range.split.splitId(), range);
    }
}
