// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.integration.harness;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** What a job has committed, held against what was written. */
public final class CommittedChanges {

    private final List<Change> changes;

    public CommittedChanges(List<Change> changes) {
        this.changes = changes;
    }

    /** The committed files of Flink's file sink; those in progress and pending begin with a dot. */
    public static CommittedChanges in(Path folder) throws IOException {
        List<Change> changes = new ArrayList<>();
        List<Path> files;
        try (Stream<Path> listed = Files.list(folder)) {
            files =
                    listed.filter(file -> !file.getFileName().toString().startsWith("."))
                            .collect(Collectors.toList());
        }
        for (Path file : files) {
            for (String line : Files.readAllLines(file)) {
                changes.add(Change.parse(line));
            }
        }
        return new CommittedChanges(changes);
    }

    public List<Change> changes() {
        return changes;
    }

    /** Items whose last version was not emitted. */
    public List<String> lost(List<Write> writes) {
        Set<String> emitted =
                changes.stream().map(CommittedChanges::version).collect(Collectors.toSet());
        Map<String, Write> last = new HashMap<>();
        for (Write write : writes) {
            last.put(write.partitionKey + "/" + write.id, write);
        }
        return last.values().stream()
                .filter(write -> !write.deleted && !emitted.contains(version(write)))
                .map(Write::toString)
                .collect(Collectors.toList());
    }

    /** Versions that were emitted more than once. */
    public List<String> duplicated() {
        Set<String> seen = new HashSet<>();
        return changes.stream()
                .filter(change -> !seen.add(version(change)))
                .map(Change::toString)
                .collect(Collectors.toList());
    }

    /** What was emitted and never written. */
    public List<String> unknown(List<Write> writes) {
        Set<String> written =
                writes.stream().map(CommittedChanges::version).collect(Collectors.toSet());
        return changes.stream()
                .filter(change -> !written.contains(version(change)))
                .map(Change::toString)
                .collect(Collectors.toList());
    }

    /** Changes that were emitted behind a later one of their partition key. */
    public List<String> disordered() {
        Map<String, Long> lastLsn = new HashMap<>();
        return changes.stream()
                .sorted(Comparator.comparingLong(change -> change.emitted))
                .filter(
                        change -> {
                            Long before = lastLsn.put(change.partitionKey, change.lsn);
                            return before != null && change.lsn < before;
                        })
                .map(Change::toString)
                .collect(Collectors.toList());
    }

    private static String version(Change change) {
        return change.partitionKey + "/" + change.id + " " + change.etag;
    }

    private static String version(Write write) {
        return write.partitionKey + "/" + write.id + " " + write.etag;
    }
}
