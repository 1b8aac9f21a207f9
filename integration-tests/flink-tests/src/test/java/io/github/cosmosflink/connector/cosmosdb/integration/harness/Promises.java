// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.integration.harness;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;
import java.util.stream.Collectors;

/**
 * What the documentation promises of each way to read a container, held against the server's log.
 * LSNs are compared per root partition, so a container may have been split, but not merged where
 * nothing else is said.
 *
 * <p>The moment at which a job pinned a start or captured an end is known only to lie between two
 * looks at the container ({@link TestContainer#lsns}). Where a promise depends on it, there must be
 * one moment in between for which the promise holds, for each root partition.
 */
public final class Promises {

    private static final String STATE = "UNKNOWN";

    private final CommittedChanges committed;
    private final List<Change> emitted;
    private final List<Write> writes;

    /** The version of the item that each write has replaced or deleted. */
    private final Map<Write, Write> before = new HashMap<>();

    private final Map<String, String> rootOfKey = new HashMap<>();

    public Promises(CommittedChanges committed, List<Write> writes) {
        this.committed = committed;
        this.emitted = committed.changes();
        this.writes = writes;
        Map<String, Write> last = new HashMap<>();
        for (Write write : writes) {
            Write previous = last.put(write.item(), write);
            if (previous != null && !previous.deleted) {
                before.put(write, previous);
            }
            rootOfKey.put(write.partitionKey, write.root);
        }
    }

    private void assertInOrder() {
        assertThat(committed.disordered()).as("out of order").isEmpty();
    }

    /**
     * All versions and deletes of a container whose partitions were merged: every change of the
     * log, none that was not made; some of them again.
     */
    public void everyChangeAtLeastOnce() {
        Set<String> made = writes.stream().map(this::expectedAnywhere).collect(Collectors.toSet());
        Set<String> found =
                emitted.stream().map(Promises::foundAnywhere).collect(Collectors.toSet());
        assertThat(found).as("never made").isSubsetOf(made);
        made.removeAll(found);
        assertThat(made).as("missing").isEmpty();
    }

    /** Whether every change of the log has come, at least once. */
    public boolean isComplete() {
        Set<String> found =
                emitted.stream().map(Promises::foundAnywhere).collect(Collectors.toSet());
        return writes.stream().map(this::expectedAnywhere).allMatch(found::contains);
    }

    /**
     * All versions and deletes: every change behind the given LSNs, each once, with its operation
     * and previous image.
     */
    public void everyChange(Map<String, Long> after) {
        assertSame(emitted, write -> write.lsn > after.get(write.root));
    }

    /** As {@link #everyChange}, up to an end that was captured between two moments. */
    public void everyChangeUpTo(
            Map<String, Long> after, Map<String, Long> earliest, Map<String, Long> latest) {
        Map<String, Long> ends = new HashMap<>(earliest);
        for (Change change : emitted) {
            ends.merge(rootOfKey.get(change.partitionKey), change.lsn, Math::max);
        }
        assertThat(ends)
                .allSatisfy((root, end) -> assertThat(end).isLessThanOrEqualTo(latest.get(root)));
        assertSame(
                emitted,
                write -> write.lsn > after.get(write.root) && write.lsn <= ends.get(write.root));
    }

    /** As {@link #everyChange}, up to and with a second since the epoch. */
    public void everyChangeUpToSecond(Map<String, Long> after, long second) {
        assertSame(emitted, write -> write.lsn > after.get(write.root) && write.second <= second);
    }

    /**
     * The present state, then every change: each item that has not changed since the pin comes as
     * state, each change since the pin comes, and nothing comes twice.
     */
    public void presentStateThenEveryChange(Map<String, Long> earliest, Map<String, Long> latest) {
        presentStateThenEveryChange(earliest, latest, Long.MAX_VALUE);
    }

    /** As {@link #presentStateThenEveryChange}, the changes up to and with a second. */
    public void presentStateThenEveryChange(
            Map<String, Long> earliest, Map<String, Long> latest, long second) {
        List<Change> changes =
                emitted.stream()
                        .filter(change -> !change.operation.equals(STATE))
                        .collect(Collectors.toList());
        Map<String, Long> pins = pins(changes, earliest, latest);
        assertSame(changes, write -> write.lsn > pins.get(write.root) && write.second <= second);

        List<Change> state =
                emitted.stream()
                        .filter(change -> change.operation.equals(STATE))
                        .collect(Collectors.toList());
        for (String root : pins.keySet()) {
            assertThat(wrongInLatestVersions(state, root, pins.get(root)))
                    .as("present state of %s at %s", root, pins.get(root))
                    .isEmpty();
        }
    }

    /**
     * Latest version, up to an end that was captured between two moments: what was the last version
     * of its item at the end, each at most once; of the items that were not changed behind the end,
     * each.
     */
    public void latestVersionsUpTo(Map<String, Long> earliest, Map<String, Long> latest) {
        assertInOrder();
        for (String root : earliest.keySet()) {
            Set<Long> ends = new HashSet<>(Set.of(earliest.get(root)));
            writes.stream()
                    .filter(write -> write.root.equals(root))
                    .map(write -> write.lsn)
                    .filter(lsn -> lsn > earliest.get(root) && lsn <= latest.get(root))
                    .forEach(ends::add);
            assertThat(ends)
                    .as(
                            "ends of %s: %s",
                            root, wrongInLatestVersions(emitted, root, latest.get(root)))
                    .anyMatch(end -> wrongInLatestVersions(emitted, root, end).isEmpty());
        }
    }

    /**
     * Latest version, up to and with a second that was to come when the job started: no version
     * twice, none of a later second, and each item whose last change is not later, in the version
     * that it made.
     */
    public void latestVersionsUpToSecond(long second) {
        assertInOrder();
        Map<String, Write> last = new HashMap<>();
        Map<String, Long> secondOf = new HashMap<>();
        for (Write write : writes) {
            last.put(write.item(), write);
            secondOf.put(write.item() + " " + write.etag, write.second);
        }
        Set<String> versions = new HashSet<>();
        for (Change change : emitted) {
            String version = change.partitionKey + "/" + change.id + " " + change.etag;
            assertThat(versions.add(version)).as("emitted twice: %s", change).isTrue();
            assertThat(secondOf.get(version)).as("of %s", change).isLessThanOrEqualTo(second);
        }
        assertThat(last.values())
                .filteredOn(write -> write.second <= second && !write.deleted)
                .filteredOn(write -> !versions.contains(write.item() + " " + write.etag))
                .as("missing")
                .isEmpty();
    }

    /**
     * What is wrong with the latest versions of a root partition as they are read up to an end: in
     * words, for the error.
     */
    private List<String> wrongInLatestVersions(List<Change> read, String root, long end) {
        Map<String, Write> atEnd = new HashMap<>();
        Set<String> changedSince = new HashSet<>();
        for (Write write : writes) {
            if (write.root.equals(root)) {
                if (write.lsn <= end) {
                    atEnd.put(write.item(), write);
                } else {
                    changedSince.add(write.item());
                }
            }
        }
        List<String> wrong = new ArrayList<>();
        Set<String> seen = new HashSet<>();
        for (Change change : read) {
            String item = change.partitionKey + "/" + change.id;
            if (!root.equals(rootOfKey.get(change.partitionKey))) {
                continue;
            }
            Write version = atEnd.get(item);
            if (!seen.add(item)) {
                wrong.add("twice: " + change);
            } else if (version == null || !version.etag.equals(change.etag)) {
                wrong.add("not the version at the end, " + version + ": " + change);
            }
        }
        for (Write version : atEnd.values()) {
            String item = version.item();
            if (!version.deleted && !seen.contains(item) && !changedSince.contains(item)) {
                wrong.add("missing: " + version);
            }
        }
        return wrong;
    }

    /** The LSN before the first change of each root, which must lie between two moments. */
    private Map<String, Long> pins(
            List<Change> changes, Map<String, Long> earliest, Map<String, Long> latest) {
        Map<String, Long> first = new HashMap<>();
        for (Change change : changes) {
            first.merge(rootOfKey.get(change.partitionKey), change.lsn, Math::min);
        }
        Map<String, Long> pins = new HashMap<>();
        for (String root : earliest.keySet()) {
            long pin = 0;
            for (Write write : writes) {
                if (write.root.equals(root)
                        && write.lsn < first.getOrDefault(root, Long.MAX_VALUE)) {
                    pin = Math.max(pin, write.lsn);
                }
            }
            assertThat(pin)
                    .as("the pinned LSN of %s", root)
                    .isBetween(earliest.get(root), latest.get(root));
            pins.put(root, pin);
        }
        return pins;
    }

    private void assertSame(List<Change> changes, Predicate<Write> wanted) {
        assertInOrder();
        Set<String> missing =
                writes.stream()
                        .filter(wanted)
                        .map(this::expected)
                        .collect(Collectors.toCollection(HashSet::new));
        List<String> tooMuch =
                changes.stream()
                        .filter(change -> !missing.remove(found(change)))
                        .map(Change::toString)
                        .collect(Collectors.toList());
        assertThat(missing).as("missing").isEmpty();
        assertThat(tooMuch).as("emitted twice, or not as it was written").isEmpty();
    }

    private String expected(Write write) {
        return write.lsn + " " + expectedAnywhere(write);
    }

    /** Without the LSN, which a merge may make another. */
    private String expectedAnywhere(Write write) {
        Write previous = before.get(write);
        String operation = write.deleted ? "DELETE" : previous == null ? "CREATE" : "REPLACE";
        return String.join(
                " ",
                write.item(),
                operation,
                write.etag,
                previous == null ? "" : previous.etag,
                Boolean.toString(write.timeToLiveExpired));
    }

    private static String found(Change change) {
        return change.lsn + " " + foundAnywhere(change);
    }

    private static String foundAnywhere(Change change) {
        return String.join(
                " ",
                change.partitionKey + "/" + change.id,
                change.operation,
                change.etag,
                change.previousEtag,
                Boolean.toString(change.timeToLiveExpired));
    }
}
