// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.simulation;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.TreeSet;

/**
 * A container with a few partition keys, numbered in the order of the key space, and its change
 * feed: commit groups of one key each, LSNs that go on through splits of partitions. What merges do
 * to LSNs is the core's affair and not modelled here.
 */
final class ModelContainer {

    static final int KEYS = 16;

    /** A transaction. */
    static final class Group {

        final long lsn;
        final int key;
        final int documents;
        final long timestamp;

        Group(long lsn, int key, int documents, long timestamp) {
            this.lsn = lsn;
            this.key = key;
            this.documents = documents;
            this.timestamp = timestamp;
        }

        byte[] document(int index) {
            return (key + ":" + lsn + ":" + index).getBytes(StandardCharsets.UTF_8);
        }
    }

    private static final int GROUPS_OF_ONE_TIME = 3;

    final List<Group> feed = new ArrayList<>();

    /** The first key of each physical partition but the first. */
    private final TreeSet<Integer> borders = new TreeSet<>();

    void write(Random random, int key) {
        long lsn = feed.size() + 1L;
        feed.add(new Group(lsn, key, 1 + random.nextInt(3), lsn / GROUPS_OF_ONE_TIME * 1_000));
    }

    long lastLsn() {
        return feed.size();
    }

    /** Splits the partition that the key lies in, in front of the key. */
    void split(int key) {
        if (key > 0) {
            borders.add(key);
        }
    }

    /** The borders strictly inside a range. */
    List<Integer> bordersInside(int from, int to) {
        return new ArrayList<>(borders.subSet(from, false, to, false));
    }

    /** The groups of a range above an LSN, in order. */
    List<Group> read(int from, int to, long aboveLsn, long upToLsn, int limit) {
        List<Group> groups = new ArrayList<>();
        // The LSN of a group is its place in the feed.
        for (int i = (int) aboveLsn; i < feed.size() && groups.size() < limit; i++) {
            Group group = feed.get(i);
            if (group.lsn > upToLsn) {
                break;
            }
            if (group.key >= from && group.key < to) {
                groups.add(group);
            }
        }
        return groups;
    }

    static String feedRange(int from, int to) {
        return "[" + bound(from) + "," + bound(to) + ")";
    }

    private static String bound(int key) {
        return key == 0 ? "" : key == KEYS ? "FF" : String.format("%X0", key);
    }
}
