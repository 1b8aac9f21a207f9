// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.simulation;

import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;

/**
 * What one session may say, as {@code integration-tests/simulation/contract/README.md} has it. Both
 * halves of the simulation keep these: what the core says was recorded there, and the model session
 * is held against them.
 */
final class SeamRules {

    /** Feed ranges of the splits that are read. */
    private final Map<String, String> reading = new HashMap<>();

    /** How often a release was asked for that has not come. */
    private final Map<String, Integer> releases = new HashMap<>();

    void added(String splitId, String feedRange) {
        require(reading.put(splitId, feedRange) == null, "a split is added once", splitId);
    }

    void releaseAsked(String splitId) {
        releases.merge(splitId, 1, Integer::sum);
    }

    /**
     * @param groups the LSNs of each group's documents; one empty group for a page that only moves
     */
    void documents(String splitId, List<List<Long>> groups, int positions) {
        require(reading.containsKey(splitId), "pages are of splits that are read", splitId);
        require(
                !groups.isEmpty() && groups.size() == positions,
                "a page has a group at least and a position for each",
                splitId);
        if (groups.size() == 1 && groups.get(0).isEmpty()) {
            return;
        }
        long last = Long.MIN_VALUE;
        for (List<Long> group : groups) {
            require(new HashSet<>(group).size() == 1, "a group is of one LSN", splitId);
            require(group.get(0) > last, "LSNs rise from group to group", splitId);
            last = group.get(0);
        }
    }

    void split(String splitId, List<String> childRanges) {
        String parent = ended(splitId);
        boolean covered = childRanges.size() > 1;
        String reached = min(parent);
        for (String child : childRanges) {
            covered &= min(child).equals(reached);
            reached = max(child);
        }
        require(
                covered && reached.equals(max(parent)),
                "the children are two or more and cover the parent's range in order",
                splitId);
    }

    void finished(String splitId) {
        ended(splitId);
    }

    void released(String splitId) {
        ended(splitId);
        Integer asked = releases.get(splitId);
        require(asked != null, "a split is released only if that was asked for", splitId);
        releases.computeIfPresent(splitId, (id, times) -> times == 1 ? null : times - 1);
    }

    private String ended(String splitId) {
        String range = reading.remove(splitId);
        require(range != null, "a split that is read ends once", splitId);
        return range;
    }

    private static String min(String range) {
        return range.substring(1, range.indexOf(','));
    }

    private static String max(String range) {
        return range.substring(range.indexOf(',') + 1, range.length() - 1);
    }

    private static void require(boolean holds, String rule, String splitId) {
        if (!holds) {
            throw new AssertionError(rule + ": " + splitId);
        }
    }
}
