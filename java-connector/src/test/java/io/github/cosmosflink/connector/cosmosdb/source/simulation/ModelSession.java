// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.simulation;

import io.github.cosmosflink.connector.cosmosdb.source.backend.ChangeFeedMetrics;
import io.github.cosmosflink.connector.cosmosdb.source.backend.ChangeFeedPage;
import io.github.cosmosflink.connector.cosmosdb.source.backend.ChangeFeedSession;
import io.github.cosmosflink.connector.cosmosdb.source.backend.SplitSnapshot;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Deque;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import javax.annotation.Nullable;

/**
 * What the core promises at the seam, without a core: pages of a range in order, at most one queued
 * per range, one end event behind the last of them, children at their parent's end, ids that stay
 * the same when a range is split again after a failure. Fails whoever breaks the seam's rules.
 */
final class ModelSession implements ChangeFeedSession {

    /** A range that is read. */
    private static final class Range {

        final Position position;
        long lsn;

        Range(Position position) {
            this.position = position;
            this.lsn = position.lsn;
        }
    }

    /** What a position's bytes say. */
    static final class Position {

        final int from;
        final int to;
        final int generation;
        final long lsn;

        Position(int from, int to, int generation, long lsn) {
            this.from = from;
            this.to = to;
            this.generation = generation;
            this.lsn = lsn;
        }

        static Position parse(byte[] bytes) {
            String[] fields = new String(bytes, StandardCharsets.UTF_8).split(",");
            return new Position(
                    Integer.parseInt(fields[0]),
                    Integer.parseInt(fields[1]),
                    Integer.parseInt(fields[2]),
                    Long.parseLong(fields[3]));
        }

        byte[] toBytes() {
            return (from + "," + to + "," + generation + "," + lsn)
                    .getBytes(StandardCharsets.UTF_8);
        }

        String splitId() {
            return from + "-" + to + "#" + generation;
        }

        Position at(long otherLsn) {
            return new Position(from, to, generation, otherLsn);
        }

        SplitSnapshot snapshot() {
            return new SplitSnapshot(splitId(), ModelContainer.feedRange(from, to), toBytes());
        }
    }

    private final ModelContainer container;
    private final Random random;
    private final long endLsn;

    private final Map<String, Range> reading = new LinkedHashMap<>();
    private final Set<String> released = new HashSet<>();
    private final Set<String> queuedPages = new HashSet<>();
    private final Deque<ModelPage> queue = new ArrayDeque<>();

    /**
     * @param endLsn where ranges end, {@code Long.MAX_VALUE} for never
     */
    ModelSession(ModelContainer container, Random random, long endLsn) {
        this.container = container;
        this.random = random;
        this.endLsn = endLsn;
    }

    @Override
    public List<SplitSnapshot> discover(List<SplitSnapshot> known) {
        List<SplitSnapshot> found = new ArrayList<>();
        if (known.isEmpty()) {
            int from = 0;
            List<Integer> borders = container.bordersInside(0, ModelContainer.KEYS);
            borders.add(ModelContainer.KEYS);
            for (int to : borders) {
                found.add(new Position(from, to, 0, 0).snapshot());
                from = to;
            }
        }
        return found;
    }

    @Override
    public void addSplits(List<SplitSnapshot> splits) {
        for (SplitSnapshot split : splits) {
            if (reading.containsKey(split.splitId())) {
                throw new IllegalStateException("added although it is being read: " + split);
            }
            Position position = Position.parse(split.position());
            if (released.remove(split.splitId())) {
                queue.add(ModelPage.event(ChangeFeedPage.Kind.RANGE_RELEASED, position, List.of()));
            } else {
                reading.put(split.splitId(), new Range(position));
            }
        }
    }

    @Override
    public void setPaused(Collection<String> pause, Collection<String> resume) {
        throw new UnsupportedOperationException("nothing is paused in this model");
    }

    @Override
    public void releaseSplits(Collection<String> splitIds) {
        for (String splitId : splitIds) {
            Range range = reading.remove(splitId);
            if (range == null) {
                released.add(splitId);
            } else {
                queue.add(
                        ModelPage.event(
                                ChangeFeedPage.Kind.RANGE_RELEASED, range.position, List.of()));
            }
        }
    }

    /** Never waits. */
    @Nullable
    @Override
    public ChangeFeedPage poll(long timeoutMillis) {
        do {
            advance();
        } while (random.nextInt(3) == 0);
        ModelPage page = queue.poll();
        if (page != null) {
            queuedPages.remove(page.splitId());
        }
        return page;
    }

    /** A turn of one range. */
    private void advance() {
        List<String> ready = new ArrayList<>(reading.size());
        for (String splitId : reading.keySet()) {
            if (!queuedPages.contains(splitId)) {
                ready.add(splitId);
            }
        }
        if (ready.isEmpty()) {
            return;
        }
        String splitId = ready.get(random.nextInt(ready.size()));
        Range range = reading.get(splitId);
        Position at = range.position.at(range.lsn);
        List<Integer> borders = container.bordersInside(at.from, at.to);
        if (!borders.isEmpty()) {
            reading.remove(splitId);
            queue.add(ModelPage.event(ChangeFeedPage.Kind.RANGE_SPLIT, at, children(at, borders)));
            return;
        }
        List<ModelContainer.Group> groups =
                container.read(at.from, at.to, at.lsn, endLsn, 1 + random.nextInt(3));
        if (!groups.isEmpty()) {
            range.lsn = groups.get(groups.size() - 1).lsn;
            queue.add(ModelPage.documents(at, groups, container.lastLsn()));
            queuedPages.add(splitId);
        } else if (endLsn != Long.MAX_VALUE) {
            reading.remove(splitId);
            queue.add(ModelPage.event(ChangeFeedPage.Kind.RANGE_FINISHED, at, List.of()));
        } else if (random.nextInt(4) == 0) {
            queue.add(ModelPage.documents(at, List.of(), container.lastLsn()));
            queuedPages.add(splitId);
        }
    }

    private static List<SplitSnapshot> children(Position parent, List<Integer> borders) {
        List<SplitSnapshot> children = new ArrayList<>();
        int from = parent.from;
        borders.add(parent.to);
        for (int to : borders) {
            children.add(new Position(from, to, parent.generation + 1, parent.lsn).snapshot());
            from = to;
        }
        return children;
    }

    @Override
    public void wakeUp() {}

    @Override
    public ChangeFeedMetrics metrics() {
        return new ChangeFeedMetrics(new long[ChangeFeedMetrics.Metric.values().length]);
    }

    @Override
    public void close() {}
}
