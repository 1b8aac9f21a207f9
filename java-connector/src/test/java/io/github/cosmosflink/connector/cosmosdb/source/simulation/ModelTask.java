// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.simulation;

import io.github.cosmosflink.connector.cosmosdb.source.reader.SimulatedReader;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * One attempt of a reader's task, with its sink: transactions that a checkpoint commits. And the
 * coordinator's gate to it, which keeps events back from a checkpoint's coordinator snapshot until
 * this task has taken its own.
 */
final class ModelTask {

    /** To the coordinator: it is there. */
    static final Object REGISTRATION = "registration";

    /** To the checkpoint coordinator: this task's snapshot is taken. */
    static final class Acknowledgement {

        final long checkpoint;
        final List<byte[]> splits;

        Acknowledgement(long checkpoint, List<byte[]> splits) {
            this.checkpoint = checkpoint;
            this.splits = splits;
        }
    }

    /** To this task: take a snapshot. */
    static final class Barrier {

        final long checkpoint;

        Barrier(long checkpoint) {
            this.checkpoint = checkpoint;
        }
    }

    final int index;
    final SimulatedReader reader;
    final ModelOutput output;

    /** What comes to the task's thread, in order. */
    final Deque<Object> mailbox = new ArrayDeque<>();

    /** What goes to the job manager, in order. */
    final Deque<Object> outbox = new ArrayDeque<>();

    private final TreeMap<Long, List<Object>> kept = new TreeMap<>();
    private final TreeSet<Long> marked = new TreeSet<>();

    private final TreeMap<Long, List<byte[]>> transactions = new TreeMap<>();
    private List<byte[]> written = new ArrayList<>();

    boolean dead;

    /** An event to it got lost: it will fail, and until then no checkpoint begins. */
    boolean lostEvent;

    /** An event of it got lost: it will fail. */
    boolean doomed;

    /** The coordinator has taken an event of it. */
    boolean isHeard;

    /** It emits no more: a savepoint is about to end the job. */
    boolean stopped;

    /** The job has ended; Flink fails it when an event comes to this task now. */
    boolean ended;

    ModelTask(int index, ModelSession session) {
        this.index = index;
        this.output = new ModelOutput(record -> written.add(record));
        this.reader = new SimulatedReader(session, output, outbox::add);
    }

    void send(Object event) {
        if (ended) {
            throw new IllegalStateException("to a reader that ends: " + event);
        }
        if (kept.isEmpty()) {
            mailbox.add(event);
        } else {
            kept.lastEntry().getValue().add(event);
        }
    }

    void mark(long checkpoint) {
        marked.add(checkpoint);
    }

    void close(long checkpoint) {
        if (marked.contains(checkpoint)) {
            kept.putIfAbsent(checkpoint, new ArrayList<>());
        }
    }

    void open(long checkpoint) {
        if (!marked.remove(checkpoint)) {
            return;
        }
        List<Object> events = kept.remove(checkpoint);
        if (events != null) {
            Map.Entry<Long, List<Object>> earlier = kept.floorEntry(checkpoint);
            if (earlier == null) {
                mailbox.addAll(events);
            } else {
                earlier.getValue().addAll(events);
            }
        }
    }

    /** Whether events wait that were sent before a checkpoint's coordinator snapshot. */
    boolean isHeldUpBefore(long checkpoint) {
        return kept.headMap(checkpoint).values().stream().anyMatch(events -> !events.isEmpty());
    }

    /** The sink's part of a snapshot. */
    void closeTransaction(long checkpoint) {
        transactions.put(checkpoint, written);
        written = new ArrayList<>();
    }

    /** What a completed checkpoint makes final. */
    void commit(long checkpoint, List<byte[]> committed) {
        Map<Long, List<byte[]>> done = transactions.headMap(checkpoint, true);
        done.values().forEach(committed::addAll);
        done.clear();
    }

    /** Whether it is an event of the coordinator, not a barrier. */
    static boolean isEvent(Object mail) {
        return mail != null && !(mail instanceof Barrier);
    }
}
