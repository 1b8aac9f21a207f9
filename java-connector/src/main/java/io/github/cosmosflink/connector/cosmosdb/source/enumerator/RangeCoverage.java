// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.enumerator;

import io.github.cosmosflink.connector.cosmosdb.source.split.Shown;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;

/**
 * Whether feed ranges cover the same keys as others, each key once. Reads the ranges' text, {@code
 * [minInclusive,maxExclusive)} in hex.
 */
final class RangeCoverage {

    private static final class Bounds {

        final String min;
        final String max;

        Bounds(String min, String max) {
            this.min = min;
            this.max = max;
        }
    }

    private RangeCoverage() {}

    /**
     * @param live what is read or waits to be read
     * @param whole what must be covered; itself without holes
     * @param rangesEnd whether ranges come to an end, so that holes are right
     * @throws IllegalStateException naming the first hole or overlap
     */
    static void check(Collection<String> live, Collection<String> whole, boolean rangesEnd) {
        List<Bounds> covered = sorted(live);
        List<Bounds> wanted = sorted(whole);
        if (wanted.isEmpty()) {
            return;
        }
        String end = wanted.get(0).min;
        for (Bounds next : covered) {
            int gap = next.min.compareTo(end);
            if (gap > 0 && !rangesEnd) {
                throw broken("nobody reads [" + end + "," + next.min + ")", live);
            }
            if (gap < 0) {
                String to = next.max.compareTo(end) < 0 ? next.max : end;
                throw broken("two read [" + next.min + "," + to + ")", live);
            }
            end = next.max;
        }
        String last = wanted.get(wanted.size() - 1).max;
        if (!end.equals(last) && !rangesEnd) {
            throw broken("nobody reads [" + end + "," + last + ")", live);
        }
    }

    private static IllegalStateException broken(String what, Collection<String> live) {
        return new IllegalStateException(
                "the state does not cover the container's key space once: "
                        + what
                        + "; the ranges are "
                        + Shown.of(live));
    }

    private static List<Bounds> sorted(Collection<String> ranges) {
        List<Bounds> bounds = new ArrayList<>(ranges.size());
        for (String range : ranges) {
            bounds.add(parse(range));
        }
        bounds.sort(Comparator.comparing(b -> b.min));
        return bounds;
    }

    private static Bounds parse(String range) {
        int comma = range.indexOf(',');
        if (comma < 0 || !range.startsWith("[") || !range.endsWith(")")) {
            throw new IllegalStateException("not a feed range: " + range);
        }
        return new Bounds(
                canonical(range.substring(1, comma)),
                canonical(range.substring(comma + 1, range.length() - 1)));
    }

    /** The service pads bounds with zero bytes at will. */
    private static String canonical(String bound) {
        String text = bound;
        while (text.endsWith("00")) {
            text = text.substring(0, text.length() - 2);
        }
        return text;
    }
}
