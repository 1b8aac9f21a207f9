// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.testing;

import io.github.cosmosflink.connector.cosmosdb.source.backend.ChangeFeedException;
import io.github.cosmosflink.connector.cosmosdb.source.backend.ChangeFeedMetrics;
import io.github.cosmosflink.connector.cosmosdb.source.backend.ChangeFeedPage;
import io.github.cosmosflink.connector.cosmosdb.source.backend.ChangeFeedSession;
import io.github.cosmosflink.connector.cosmosdb.source.backend.SplitSnapshot;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Deque;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import javax.annotation.Nullable;

/** Keeps the rules of the seam and fails the test that breaks one. */
public final class ScriptedSession implements ChangeFeedSession {

    /** A split that is being read. */
    private static final class Reading {

        final String splitId;
        final FeedModel.Range range;
        int nextGroup;

        Reading(String splitId, FeedModel.Range range, int nextGroup) {
            this.splitId = splitId;
            this.range = range;
            this.nextGroup = nextGroup;
        }
    }

    private final FeedModel model;
    private final Deque<Reading> reading = new ArrayDeque<>();
    private final Set<String> everAdded = new HashSet<>();
    private final Set<String> paused = new HashSet<>();
    private final Set<String> released = new HashSet<>();
    private final List<ScriptedPage> livePages = new ArrayList<>();

    private int groupsPerPage = 3;
    private boolean bounded = true;
    private boolean woken;
    @Nullable private Thread lastPoller;
    private boolean closed;
    @Nullable private ChangeFeedException failure;
    @Nullable private Error error;
    private List<SplitSnapshot> lastKnown;
    private long documents;
    private int answers;

    ScriptedSession(FeedModel model) {
        this.model = model;
    }

    public synchronized void groupsPerPage(int groupsPerPage) {
        this.groupsPerPage = groupsPerPage;
    }

    /** Whether a range without children ends after its last group, or waits for ever. */
    public synchronized void bounded(boolean bounded) {
        this.bounded = bounded;
    }

    public synchronized void fail(ChangeFeedException failure) {
        this.failure = failure;
        notifyAll();
    }

    public synchronized boolean isClosed() {
        return closed;
    }

    /** The thread that polled last. */
    @Nullable
    public synchronized Thread lastPoller() {
        return lastPoller;
    }

    /** How many polls have brought something. */
    public synchronized int answers() {
        return answers;
    }

    public synchronized int livePages() {
        return livePages.size();
    }

    public synchronized Set<String> paused() {
        return new HashSet<>(paused);
    }

    /** Lets the next poll throw it. */
    public synchronized void fail(Error newError) {
        this.error = newError;
        notifyAll();
    }

    /** What the last discovery was told to be known. */
    public synchronized List<SplitSnapshot> lastKnown() {
        return lastKnown;
    }

    @Override
    public synchronized List<SplitSnapshot> discover(List<SplitSnapshot> known)
            throws ChangeFeedException {
        checkOpen();
        lastKnown = known;
        if (failure != null) {
            throw failure;
        }
        List<SplitSnapshot> found = new ArrayList<>();
        if (known.isEmpty()) {
            model.roots().forEach(root -> found.add(model.split(root)));
        }
        return found;
    }

    @Override
    public synchronized void addSplits(List<SplitSnapshot> splits) throws ChangeFeedException {
        checkOpen();
        for (SplitSnapshot split : splits) {
            if (!everAdded.add(split.splitId())) {
                throw new AssertionError("added twice: " + split);
            }
            reading.addLast(
                    new Reading(
                            split.splitId(),
                            model.rangeOf(split.position()),
                            FeedModel.groupsEmitted(split.position())));
        }
        notifyAll();
    }

    @Override
    public synchronized void setPaused(Collection<String> pause, Collection<String> resume)
            throws ChangeFeedException {
        checkOpen();
        paused.addAll(pause);
        paused.removeAll(resume);
        notifyAll();
    }

    @Override
    public synchronized void releaseSplits(Collection<String> splitIds) throws ChangeFeedException {
        checkOpen();
        released.addAll(splitIds);
        notifyAll();
    }

    @Nullable
    @Override
    public synchronized ChangeFeedPage poll(long timeoutMillis) throws ChangeFeedException {
        lastPoller = Thread.currentThread();
        long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(timeoutMillis);
        while (true) {
            checkOpen();
            if (failure != null) {
                throw failure;
            }
            if (error != null) {
                throw error;
            }
            if (woken) {
                woken = false;
                return null;
            }
            ChangeFeedPage page = nextPage();
            if (page != null) {
                answers++;
                return page;
            }
            long left = TimeUnit.NANOSECONDS.toMillis(deadline - System.nanoTime());
            if (left <= 0) {
                return null;
            }
            try {
                wait(left);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                return null;
            }
        }
    }

    /** Takes the splits in turn. */
    @Nullable
    private ChangeFeedPage nextPage() {
        for (int i = 0; i < reading.size(); i++) {
            Reading next = reading.removeFirst();
            if (released.remove(next.splitId)) {
                everAdded.remove(next.splitId);
                paused.remove(next.splitId);
                return ScriptedPage.rangeReleased(this, next.splitId);
            }
            if (paused.contains(next.splitId)) {
                reading.addLast(next);
                continue;
            }
            if (next.nextGroup < next.range.groups.size()) {
                int end = Math.min(next.nextGroup + groupsPerPage, next.range.groups.size());
                ScriptedPage page =
                        ScriptedPage.documents(this, next.splitId, next.range, next.nextGroup, end);
                next.nextGroup = end;
                reading.addLast(next);
                livePages.add(page);
                documents += page.documentCount();
                return page;
            }
            if (!next.range.children.isEmpty()) {
                List<SplitSnapshot> children = new ArrayList<>();
                next.range.children.forEach(child -> children.add(model.split(child)));
                return ScriptedPage.rangeSplit(this, next.splitId, children);
            }
            if (bounded) {
                return ScriptedPage.rangeFinished(this, next.splitId);
            }
            reading.addLast(next);
        }
        return null;
    }

    synchronized void recycled(ScriptedPage page) {
        livePages.remove(page);
    }

    @Override
    public synchronized void wakeUp() {
        woken = true;
        notifyAll();
    }

    @Override
    public synchronized ChangeFeedMetrics metrics() throws ChangeFeedException {
        checkOpen();
        long[] values = new long[ChangeFeedMetrics.Metric.values().length];
        values[ChangeFeedMetrics.Metric.DOCUMENTS.ordinal()] = documents;
        values[ChangeFeedMetrics.Metric.REQUEST_CHARGE_MILLIS.ordinal()] = 2_500;
        return new ChangeFeedMetrics(values);
    }

    @Override
    public void close() {
        List<ScriptedPage> left;
        synchronized (this) {
            closed = true;
            left = new ArrayList<>(livePages);
            notifyAll();
        }
        left.forEach(ScriptedPage::recycle);
    }

    private void checkOpen() throws ChangeFeedException {
        if (closed) {
            throw new ChangeFeedException("SESSION_CLOSED", "closed", 0, 0, null, false);
        }
    }
}
