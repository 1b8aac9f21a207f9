// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.testing;

import io.github.cosmosflink.connector.cosmosdb.source.backend.SplitSnapshot;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import javax.annotation.Nullable;

/**
 * A container's change feed as a test wants it: ranges, each a list of commit groups, each a list
 * of documents. A range ends, or is split into others, after its last group.
 *
 * <p>A position is the text {@code range:groups emitted}. Split ids carry a number that is never
 * used again.
 */
public final class FeedModel {

    private static final Map<String, FeedModel> MODELS = new ConcurrentHashMap<>();
    private static final AtomicInteger NEXT_MODEL = new AtomicInteger();

    /** One range of the feed. */
    public static final class Range {

        final String name;
        private final String min;
        private final String max;
        @Nullable private final Range parent;
        final List<List<String>> groups = new ArrayList<>();
        final List<Range> children = new ArrayList<>();

        private Range(String name, @Nullable Range parent, String min, String max) {
            this.name = name;
            this.parent = parent;
            this.min = min;
            this.max = max;
        }

        /** A child's lies in its parent's, which its siblings share with it. */
        public String feedRange() {
            return "[" + min() + "," + max() + ")";
        }

        private String min() {
            int index = parent == null ? -1 : parent.children.indexOf(this);
            return parent == null ? min : parent.min() + (index == 0 ? "" : bound(index));
        }

        private String max() {
            int index = parent == null ? -1 : parent.children.indexOf(this);
            if (parent == null) {
                return max;
            }
            return index == parent.children.size() - 1
                    ? parent.max()
                    : parent.min() + bound(index + 1);
        }

        public String name() {
            return name;
        }

        public List<List<String>> groups() {
            return groups;
        }

        public List<Range> children() {
            return children;
        }

        /** Appends a commit group; without documents, one that only moves the position. */
        public Range group(String... documents) {
            groups.add(List.of(documents));
            return this;
        }
    }

    private final String id = "model-" + NEXT_MODEL.getAndIncrement();
    private final AtomicInteger generation = new AtomicInteger();
    private final Map<String, Range> ranges = new LinkedHashMap<>();
    private final List<Range> roots = new ArrayList<>();

    /** All sessions that were opened on this model. */
    private final List<ScriptedSession> sessions = new ArrayList<>();

    public FeedModel() {
        MODELS.put(id, this);
    }

    static FeedModel byId(String id) {
        return MODELS.get(id);
    }

    /** The next part of the key space. */
    public Range root(String name) {
        int index = roots.size() + 1;
        Range range = new Range(name, null, bound(index), bound(index + 1));
        ranges.put(name, range);
        roots.add(range);
        return range;
    }

    private static String bound(int index) {
        return String.format("%02X", index);
    }

    /** Makes the parent end in one more child. */
    public Range child(Range parent, String name) {
        Range range = new Range(name, parent, "", "");
        ranges.put(name, range);
        parent.children.add(range);
        return range;
    }

    public List<Range> roots() {
        return roots;
    }

    public Range range(String name) {
        return ranges.get(name);
    }

    public ScriptedBackend backend() {
        return new ScriptedBackend(id);
    }

    public synchronized List<ScriptedSession> sessions() {
        return new ArrayList<>(sessions);
    }

    public ScriptedSession lastSession() {
        List<ScriptedSession> opened = sessions();
        return opened.get(opened.size() - 1);
    }

    synchronized void opened(ScriptedSession session) {
        sessions.add(session);
    }

    /** A new split at the range's beginning. */
    public SplitSnapshot split(Range range) {
        return new SplitSnapshot(
                range.name + "#" + generation.getAndIncrement(),
                range.feedRange(),
                position(range, 0));
    }

    static byte[] position(Range range, int groupsEmitted) {
        return (range.name + ":" + groupsEmitted).getBytes(StandardCharsets.UTF_8);
    }

    Range rangeOf(byte[] position) {
        String text = text(position);
        Range range = ranges.get(text.substring(0, text.lastIndexOf(':')));
        if (range == null) {
            throw new IllegalArgumentException("not a position of this model: " + text);
        }
        return range;
    }

    static int groupsEmitted(byte[] position) {
        String text = text(position);
        return Integer.parseInt(text.substring(text.lastIndexOf(':') + 1));
    }

    public static String text(byte[] position) {
        return new String(position, StandardCharsets.UTF_8);
    }
}
