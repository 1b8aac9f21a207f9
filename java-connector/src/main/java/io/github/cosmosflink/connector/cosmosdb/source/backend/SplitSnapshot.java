// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.backend;

import java.util.Objects;

/**
 * A split as the core hands it out: its id, its feed range for people, and position bytes that only
 * the core reads.
 */
public final class SplitSnapshot {

    private final String splitId;
    private final String feedRange;
    private final byte[] position;

    public SplitSnapshot(String splitId, String feedRange, byte[] position) {
        this.splitId = Objects.requireNonNull(splitId, "splitId");
        this.feedRange = Objects.requireNonNull(feedRange, "feedRange");
        this.position = Objects.requireNonNull(position, "position");
    }

    public String splitId() {
        return splitId;
    }

    /** {@code [minInclusive,maxExclusive)} in hex, for logs. */
    public String feedRange() {
        return feedRange;
    }

    /** Not copied: callers treat it as immutable. */
    public byte[] position() {
        return position;
    }

    @Override
    public String toString() {
        return splitId + " " + feedRange;
    }
}
