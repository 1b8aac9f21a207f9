// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.simulation;

import io.github.cosmosflink.connector.cosmosdb.source.backend.SplitSnapshot;
import io.github.cosmosflink.connector.cosmosdb.source.enumerator.FeedRangeCoordination;
import io.github.cosmosflink.connector.cosmosdb.source.split.CosmosDBSplit;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Deque;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import org.apache.flink.api.connector.source.SourceEvent;
import org.apache.flink.runtime.source.coordinator.SplitAssignmentTracker;

/**
 * What Flink 1.20 and 2.x do around a source, as far as its coordinator and readers can tell: event
 * loops with queues, gates, checkpoints that overlap, are aborted, complete without being heard of;
 * tasks that fail one by one and go back to the last checkpoint with their own state; a job that
 * fails as a whole and comes back at another parallelism with its state dealt anew. Each method is
 * one step; who calls them in which order makes the schedule.
 *
 * <p>The coordinator's decisions are those of the shipped {@link FeedRangeCoordination}, the
 * readers' those of the shipped reader classes.
 */
final class ModelJob {

    private final Random random;
    private final ModelContainer container;
    private final long endLsn;
    private final boolean rebalancing;

    /** What the downstream ends up with. */
    final List<byte[]> committed = new ArrayList<>();

    private int parallelism;
    private ModelTask[] tasks;

    /** By task, whether it is to be restarted. */
    private boolean[] down;

    private FeedRangeCoordination coordination;
    private ModelGateways gateways;
    private SplitAssignmentTracker<CosmosDBSplit> tracker;

    /** The coordinator's event loop. */
    private Deque<Runnable> loop;

    /** The tasks that the coordinator knows of. */
    private Map<Integer, ModelTask> registered;

    private final TreeMap<Long, ModelCheckpoint> pending = new TreeMap<>();

    /** Completed checkpoints that the coordinator has not been told of. */
    private final Deque<Long> notifications = new ArrayDeque<>();

    private ModelCheckpoint.Completed last;
    private long nextCheckpoint = 1;

    /** Whether a savepoint is under way that will end the job. */
    private boolean isStopping;

    private boolean hasStopped;

    ModelJob(
            Random random,
            ModelContainer container,
            int parallelism,
            long endLsn,
            boolean rebalancing) {
        this.random = random;
        this.container = container;
        this.endLsn = endLsn;
        this.rebalancing = rebalancing;
        start(parallelism);
    }

    private void start(int newParallelism) {
        parallelism = newParallelism;
        tasks = new ModelTask[parallelism];
        down = new boolean[parallelism];
        loop = new ArrayDeque<>();
        registered = new TreeMap<>();
        tracker = new SplitAssignmentTracker<>();
        pending.clear();
        isStopping = false;
        hasStopped = false;
        boolean bounded = endLsn != Long.MAX_VALUE;
        gateways = new ModelGateways(registered, tracker, parallelism);
        coordination =
                last == null
                        ? FeedRangeCoordination.fresh(bounded, rebalancing, gateways)
                        : FeedRangeCoordination.restored(
                                bounded,
                                rebalancing,
                                gateways,
                                ModelState.enumeratorState(last.coordinator));
        List<SplitSnapshot> known = new ArrayList<>();
        coordination.discoveredRanges().forEach(split -> known.add(split.toSnapshot()));
        List<CosmosDBSplit> found = new ArrayList<>();
        session().discover(known).forEach(split -> found.add(CosmosDBSplit.of(split)));
        FeedRangeCoordination current = coordination;
        boolean soon = random.nextBoolean();
        if (soon) {
            loop.add(() -> current.discovered(found));
        }
        for (int i = 0; i < parallelism; i++) {
            open(i);
        }
        if (!soon) {
            loop.add(() -> current.discovered(found));
        }
    }

    private ModelSession session() {
        return new ModelSession(container, random, endLsn);
    }

    private void open(int index) {
        ModelTask task = new ModelTask(index, session());
        tasks[index] = task;
        down[index] = false;
        task.outbox.add(ModelTask.REGISTRATION);
        task.reader.open(last == null ? List.of() : ModelState.splits(last.readers.get(index)));
    }

    // Steps of a task.

    private ModelTask task(int index) {
        return down[index] ? null : tasks[index];
    }

    int parallelism() {
        return parallelism;
    }

    /** The fetcher's turn. */
    void fetch(int index) {
        ModelTask task = task(index);
        if (task != null) {
            task.reader.fetch();
        }
    }

    /** The task's turn to emit. */
    boolean poll(int index) throws Exception {
        ModelTask task = task(index);
        return task != null && !task.stopped && task.reader.poll();
    }

    void emitWatermark(int index) {
        ModelTask task = task(index);
        if (task != null) {
            task.output.emitWatermark();
        }
    }

    /** The task takes its next mail. */
    @SuppressWarnings("unchecked")
    boolean mail(int index) throws Exception {
        ModelTask task = task(index);
        Object mail = task == null ? null : task.mailbox.poll();
        if (mail == null) {
            return false;
        }
        if (mail instanceof ModelTask.Barrier) {
            snapshot(task, ((ModelTask.Barrier) mail).checkpoint);
        } else if (mail instanceof List) {
            task.reader.addSplits(ModelState.splits((List<byte[]>) mail));
        } else if (mail == ModelGateways.NO_MORE_SPLITS) {
            task.reader.noMoreSplits();
        } else {
            task.reader.handle((SourceEvent) mail);
        }
        return true;
    }

    private void snapshot(ModelTask task, long checkpoint) throws Exception {
        if (isStopping) {
            ModelCheckpoint end = pending.get(checkpoint);
            if (end == null) {
                return; // Given up; a task that had stopped for it would fail.
            }
            // Flink stops the source before it takes its snapshot.
            task.stopped |= end.ends;
        }
        List<byte[]> splits = ModelState.of(task.reader.snapshot(checkpoint));
        task.closeTransaction(checkpoint);
        task.outbox.add(checkpoint);
        task.outbox.add(new ModelTask.Acknowledgement(checkpoint, splits));
    }

    /**
     * The last event to a task gets lost; Flink fails the task, but not at once. Checkpoints that
     * wait for the event to arrive fail.
     */
    void loseMail(int index) {
        ModelTask task = task(index);
        if (task != null && ModelTask.isEvent(task.mailbox.peekLast())) {
            task.mailbox.removeLast();
            task.lostEvent = true;
            for (ModelCheckpoint checkpoint : new ArrayList<>(pending.values())) {
                if (!checkpoint.sent) {
                    abort(checkpoint.id);
                }
            }
        }
    }

    /** The next event of a task gets lost; Flink fails the task, but not at once. */
    void loseReport(int index) {
        ModelTask task = task(index);
        if (task != null && !task.outbox.isEmpty()) {
            task.outbox.remove();
            task.doomed = true;
        }
    }

    // Steps of the job manager.

    /** Takes the next event of a task. */
    boolean receive(int index) {
        ModelTask task = task(index);
        Object event = task == null ? null : task.outbox.poll();
        if (event == null) {
            return false;
        }
        if (event instanceof Long) {
            task.open((Long) event);
        } else if (event instanceof ModelTask.Acknowledgement) {
            acknowledge(index, (ModelTask.Acknowledgement) event);
        } else {
            loop.add(
                    () -> {
                        if (event == ModelTask.REGISTRATION) {
                            registered.put(index, task);
                        } else {
                            coordination.handle(index, (SourceEvent) event);
                            task.isHeard = true;
                        }
                    });
        }
        sendBarriers();
        return true;
    }

    /** The coordinator's turn. */
    boolean coordinate() {
        Runnable next = loop.poll();
        if (next == null) {
            return false;
        }
        next.run();
        sendBarriers();
        return true;
    }

    /** Begins a checkpoint, if Flink would. */
    void trigger() {
        trigger(false);
    }

    /**
     * Begins the savepoint that ends the job; no other checkpoint begins behind it. Flink begins
     * checkpoints when it has heard that all tasks are running, which they say after their first
     * event; only here that is needed.
     */
    void stop() {
        for (ModelTask task : tasks) {
            if (!task.isHeard) {
                return;
            }
        }
        trigger(true);
    }

    private void trigger(boolean ends) {
        if (isStopping || hasStopped) {
            return;
        }
        for (int i = 0; i < parallelism; i++) {
            if (down[i] || tasks[i].lostEvent) {
                return;
            }
        }
        if (coordination.discoveredRanges().isEmpty() || pending.size() > 1) {
            return;
        }
        ModelCheckpoint checkpoint = new ModelCheckpoint(nextCheckpoint++, ends);
        isStopping = ends;
        pending.put(checkpoint.id, checkpoint);
        for (ModelTask task : tasks) {
            task.mark(checkpoint.id);
        }
        loop.add(
                () -> {
                    checkpoint.coordinator = ModelState.of(coordination.snapshot(checkpoint.id));
                    try {
                        tracker.onCheckpoint(checkpoint.id);
                    } catch (Exception e) {
                        throw new IllegalStateException(e);
                    }
                    for (ModelTask task : tasks) {
                        task.close(checkpoint.id);
                    }
                });
    }

    /**
     * The tasks hear of a checkpoint when the coordinator's snapshot is taken and all that it sent
     * before has got to them.
     */
    private void sendBarriers() {
        for (ModelCheckpoint checkpoint : pending.values()) {
            if (!checkpoint.sent && checkpoint.coordinator != null) {
                for (ModelTask task : tasks) {
                    if (task.isHeldUpBefore(checkpoint.id)) {
                        return;
                    }
                }
                checkpoint.sent = true;
                for (ModelTask task : tasks) {
                    task.mailbox.add(new ModelTask.Barrier(checkpoint.id));
                }
            }
        }
    }

    private void acknowledge(int index, ModelTask.Acknowledgement acknowledgement) {
        ModelCheckpoint checkpoint = pending.get(acknowledgement.checkpoint);
        if (checkpoint == null) {
            return;
        }
        checkpoint.acknowledged(index, acknowledgement.splits);
        if (checkpoint.isAcknowledgedBy(parallelism)) {
            complete(checkpoint);
        }
    }

    private void complete(ModelCheckpoint checkpoint) {
        last = checkpoint.complete();
        List<ModelTask> order = new ArrayList<>(List.of(tasks));
        Collections.shuffle(order, random);
        order.forEach(task -> task.commit(checkpoint.id, committed));
        pending.remove(checkpoint.id);
        new ArrayList<>(pending.headMap(checkpoint.id).keySet()).forEach(this::abort);
        for (ModelTask task : tasks) {
            task.open(checkpoint.id);
        }
        if (checkpoint.ends) {
            isStopping = false;
            hasStopped = true;
            for (ModelTask task : tasks) {
                task.ended = true;
            }
        }
        // The notification is best effort: it may be lost, or overtaken by what happens meanwhile.
        int fate = chaos ? random.nextInt(6) : 1;
        if (fate > 0) {
            notifications.add(checkpoint.id);
        }
        if (fate < 4) {
            announce();
        }
    }

    /** The coordinator hears of completed checkpoints. */
    void announce() {
        while (!notifications.isEmpty()) {
            long checkpoint = notifications.remove();
            loop.add(
                    () -> {
                        tracker.onCheckpointComplete(checkpoint);
                        coordination.completed(checkpoint, true);
                    });
        }
    }

    /** Longer than a move may take. */
    void longTimePasses() {
        for (int i = 0; i < 10; i++) {
            loop.add(coordination::timePassed);
        }
    }

    /** Gives up the newest checkpoint. */
    void abortNewest() {
        if (!pending.isEmpty()) {
            abort(pending.lastKey());
        }
    }

    private void abort(long checkpoint) {
        if (pending.remove(checkpoint).ends) {
            isStopping = false;
            for (ModelTask task : tasks) {
                // A source that has stopped does not start again: Flink fails its task.
                task.doomed |= task.stopped;
            }
        }
        for (ModelTask task : tasks) {
            task.open(checkpoint);
        }
    }

    /** A task dies; the coordinator hears of it. */
    void fail(int index) {
        if (down[index] || hasStopped) {
            return;
        }
        down[index] = true;
        ModelTask task = tasks[index];
        task.dead = true;
        new ArrayList<>(pending.keySet()).forEach(this::abort);
        loop.add(() -> registered.remove(index, task));
    }

    /** A dead task comes back with what it had in the last completed checkpoint. */
    void restart(int index) {
        if (!down[index] || hasStopped) {
            return;
        }
        long restored = last == null ? -1 : last.id;
        loop.add(
                () -> {
                    registered.remove(index);
                    coordination.readerReset(
                            index, tracker.getAndRemoveUncheckpointedAssignment(index, restored));
                });
        open(index);
    }

    /** Tasks whose lost events Flink has noticed, or that were killed. */
    boolean isFailing(int index) {
        return down[index] || tasks[index].lostEvent || tasks[index].doomed;
    }

    /** The job dies and comes back from its last completed checkpoint. */
    void restartAll(int newParallelism) {
        if (last != null) {
            last = last.dealtFor(newParallelism, random);
        }
        start(newParallelism);
    }

    /**
     * Whether the job has ended behind a savepoint; then it is for the caller to start it again.
     */
    boolean hasStopped() {
        return hasStopped;
    }

    private boolean chaos = true;

    /** From now on nothing goes wrong. */
    void calm() {
        chaos = false;
    }

    // What can be seen.

    /** Whether each bounded reader is at its end. */
    boolean isAtEnd() {
        for (int i = 0; i < parallelism; i++) {
            if (down[i] || !tasks[i].reader.isAtEnd()) {
                return false;
            }
        }
        return true;
    }

    long movedSplits() {
        return coordination.movedCount();
    }

    /** The reader that a split has moved away from last. */
    int lastHolder() {
        return gateways.lastHolder();
    }

    /** The splits that each reader reads. */
    List<Set<String>> splits() {
        List<Set<String>> splits = new ArrayList<>();
        for (ModelTask task : tasks) {
            splits.add(new HashSet<>(task.reader.splits()));
        }
        return splits;
    }

    /** Outputs that hold a watermark although no split of the reader is theirs. */
    List<String> holds() {
        List<String> holds = new ArrayList<>();
        for (ModelTask task : tasks) {
            for (String output : task.output.splits()) {
                if (!task.reader.splits().contains(output)) {
                    holds.add(output + " at reader " + task.index);
                }
            }
        }
        return holds;
    }
}
