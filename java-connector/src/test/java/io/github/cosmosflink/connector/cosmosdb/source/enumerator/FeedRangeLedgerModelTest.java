// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.enumerator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;

import io.github.cosmosflink.connector.cosmosdb.source.split.CosmosDBSplit;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/**
 * Drives the ledger through generated histories of a job: registrations, checkpoints, splits of
 * ranges, failures of single readers, restores at other parallelisms. After each step every part of
 * the container is read by one reader or waits for one, and by no two.
 *
 * <p>To see one history again, put the seed that the failure names into {@link #histories}.
 */
class FeedRangeLedgerModelTest {

    private static final int HISTORIES = 2_000;
    private static final int STEPS = 60;

    /**
     * The container's key space. Discovered ranges are 64 wide, so that each can be split six
     * times.
     */
    private static final int WIDTH = 64;

    @Test
    void histories() throws Exception {
        for (long seed = 0; seed < HISTORIES; seed++) {
            Job job = new Job(new Random(seed));
            for (int step = 0; step < STEPS; step++) {
                String did = job.step();
                job.check("seed " + seed + ", step " + step + ": " + did);
            }
        }
    }

    private static CosmosDBSplit split(String id, int from, int to) {
        return new CosmosDBSplit(id, from + "-" + to, new byte[] {1});
    }

    private static int from(CosmosDBSplit split) {
        return Integer.parseInt(split.feedRange().substring(0, split.feedRange().indexOf('-')));
    }

    private static int to(CosmosDBSplit split) {
        return Integer.parseInt(split.feedRange().substring(split.feedRange().indexOf('-') + 1));
    }

    /** What a completed checkpoint holds. */
    private static final class Checkpoint {

        byte[] coordinator;
        final Map<Integer, List<CosmosDBSplit>> readers = new HashMap<>();
    }

    private static final class Job {

        private final Random random;
        private final int keys;
        private final boolean bounded;

        private int parallelism;
        private FeedRangeLedger ledger = new FeedRangeLedger();
        private final Set<Integer> registered = new TreeSet<>();
        private final Set<Integer> dismissed = new HashSet<>();
        private int nextId;

        /** What the readers read, also those that have restored state and have yet to register. */
        private final Map<Integer, List<CosmosDBSplit>> reading = new TreeMap<>();

        /** What was assigned since the last checkpoint, which Flink gives back. */
        private final Map<Integer, List<CosmosDBSplit>> sinceCheckpoint = new HashMap<>();

        private Checkpoint last;

        Job(Random random) {
            this.random = random;
            this.keys = WIDTH * (1 + random.nextInt(5));
            this.bounded = random.nextBoolean();
            this.parallelism = 1 + random.nextInt(4);
        }

        String step() throws Exception {
            switch (random.nextInt(6)) {
                case 0:
                    return discover();
                case 1:
                    return register();
                case 2:
                    return splitOneRange();
                case 3:
                    return checkpoint();
                case 4:
                    return failOneReader();
                default:
                    return random.nextInt(4) == 0 ? restore() : splitOneRange();
            }
        }

        private String discover() {
            if (ledger.isDiscovered()) {
                return "nothing";
            }
            List<CosmosDBSplit> found = new ArrayList<>();
            if (ledger.discoveredRanges().isEmpty()) {
                for (int from = 0; from < keys; from += WIDTH) {
                    found.add(split("r" + nextId++, from, from + WIDTH));
                }
            }
            ledger.discovered(found);
            assign();
            return "discovered " + found;
        }

        private String register() {
            int reader = random.nextInt(parallelism);
            if (!registered.add(reader)) {
                return "nothing";
            }
            assign();
            return "registered " + reader;
        }

        private void assign() {
            ledger.assign(registered, parallelism)
                    .forEach(
                            (reader, splits) -> {
                                assertThat(registered).contains(reader);
                                assertThat(dismissed).doesNotContain(reader);
                                list(reading, reader).addAll(splits);
                                list(sinceCheckpoint, reader).addAll(splits);
                            });
            if (bounded) {
                for (int reader : ledger.readersToDismiss(registered)) {
                    assertThat(registered).contains(reader);
                    assertThat(dismissed.add(reader)).as("dismissed twice").isTrue();
                }
            }
        }

        private String splitOneRange() {
            List<Integer> readers =
                    reading.keySet().stream()
                            .filter(reader -> !reading.get(reader).isEmpty())
                            .collect(Collectors.toList());
            if (readers.isEmpty()) {
                return "nothing";
            }
            int reader = readers.get(random.nextInt(readers.size()));
            List<CosmosDBSplit> splits = reading.get(reader);
            CosmosDBSplit parent = splits.get(random.nextInt(splits.size()));
            int middle = (from(parent) + to(parent)) / 2;
            if (middle == from(parent)) {
                return "nothing";
            }
            List<CosmosDBSplit> children =
                    List.of(
                            split("c" + nextId++, from(parent), middle),
                            split("c" + nextId++, middle, to(parent)));
            splits.remove(parent);
            splits.addAll(children);
            // A reader that has restored state and has not registered yet cannot report; a report
            // may also be lost
            // with the coordinator. The ledger must do without.
            if (registered.contains(reader)) {
                ledger.rangeSplit(reader, parent.splitId(), children);
            }
            return parent + " split into " + children;
        }

        /**
         * The coordinator goes first; until the readers have gone, they may split ranges but are
         * assigned nothing.
         */
        private String checkpoint() throws Exception {
            if (registered.size() < parallelism) {
                return "nothing";
            }
            Checkpoint checkpoint = new Checkpoint();
            checkpoint.coordinator =
                    CosmosDBEnumeratorStateSerializer.INSTANCE.serialize(ledger.snapshot());
            for (int i = random.nextInt(3); i > 0; i--) {
                splitOneRange();
            }
            reading.forEach(
                    (reader, splits) -> checkpoint.readers.put(reader, new ArrayList<>(splits)));
            sinceCheckpoint.clear();
            last = checkpoint;
            return "checkpoint";
        }

        private String failOneReader() {
            if (registered.isEmpty()) {
                return "nothing";
            }
            int reader = new ArrayList<>(registered).get(random.nextInt(registered.size()));
            registered.remove(reader);
            dismissed.remove(reader);
            List<CosmosDBSplit> returned = sinceCheckpoint.remove(reader);
            reading.put(
                    reader,
                    last == null
                            ? new ArrayList<>()
                            : new ArrayList<>(last.readers.getOrDefault(reader, List.of())));
            ledger.readerReset(reader, returned == null ? List.of() : returned);
            assign();
            return "failed " + reader + ", returned " + returned;
        }

        private String restore() throws Exception {
            registered.clear();
            dismissed.clear();
            sinceCheckpoint.clear();
            reading.clear();
            parallelism = 1 + random.nextInt(4);
            if (last == null) {
                ledger = new FeedRangeLedger();
                return "restart without state";
            }
            ledger =
                    FeedRangeLedger.restore(
                            CosmosDBEnumeratorStateSerializer.INSTANCE.deserialize(
                                    1, last.coordinator));
            last.readers
                    .values()
                    .forEach(
                            splits ->
                                    splits.forEach(
                                            split ->
                                                    list(reading, random.nextInt(parallelism))
                                                            .add(split)));
            // The next failure of a single reader goes back to what it was given here.
            Checkpoint redistributed = new Checkpoint();
            redistributed.coordinator = last.coordinator;
            reading.forEach(
                    (reader, splits) -> redistributed.readers.put(reader, new ArrayList<>(splits)));
            last = redistributed;
            return "restored at " + parallelism;
        }

        void check(String when) {
            if (ledger.discoveredRanges().isEmpty()) {
                return;
            }
            List<CosmosDBSplit> owned = new ArrayList<>();
            reading.values().forEach(owned::addAll);
            ledger.snapshot().entries().stream()
                    .filter(e -> e.status() == CosmosDBEnumeratorState.Status.PENDING)
                    .forEach(e -> owned.add(e.split()));
            assertCoversOnce(owned, when);
            assertCoversOnce(ledger.discoveredRanges(), when);
        }

        private void assertCoversOnce(List<CosmosDBSplit> splits, String when) {
            int[] readers = new int[keys];
            for (CosmosDBSplit split : splits) {
                for (int key = from(split); key < to(split); key++) {
                    readers[key]++;
                }
            }
            for (int key = 0; key < keys; key++) {
                if (readers[key] != 1) {
                    fail("%s: %d has %d owners among %s", when, key, readers[key], splits);
                }
            }
        }

        private static List<CosmosDBSplit> list(
                Map<Integer, List<CosmosDBSplit>> lists, int reader) {
            return lists.computeIfAbsent(reader, r -> new ArrayList<>());
        }
    }
}
