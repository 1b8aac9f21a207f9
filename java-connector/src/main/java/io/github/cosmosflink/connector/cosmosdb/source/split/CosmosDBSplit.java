// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.split;

import io.github.cosmosflink.connector.cosmosdb.source.backend.SplitSnapshot;
import java.io.Serializable;
import java.util.Arrays;
import java.util.Objects;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.connector.source.SourceSplit;

/**
 * One feed range and how far it was read. Immutable. The position's bytes are made and read by the
 * core only.
 *
 * <p>An id carries a generation and is never used for another range or another life of the same
 * range.
 */
@Internal
public final class CosmosDBSplit implements SourceSplit, Serializable {

    private static final long serialVersionUID = 1L;

    private final String splitId;
    private final String feedRange;
    private final byte[] position;

    /**
     * @param feedRange {@code [minInclusive,maxExclusive)} in hex, for people
     * @param position not copied: the caller leaves it as it is
     */
    public CosmosDBSplit(String splitId, String feedRange, byte[] position) {
        this.splitId = Objects.requireNonNull(splitId, "splitId");
        this.feedRange = Objects.requireNonNull(feedRange, "feedRange");
        this.position = Objects.requireNonNull(position, "position");
    }

    public static CosmosDBSplit of(SplitSnapshot snapshot) {
        return new CosmosDBSplit(snapshot.splitId(), snapshot.feedRange(), snapshot.position());
    }

    public SplitSnapshot toSnapshot() {
        return new SplitSnapshot(splitId, feedRange, position);
    }

    @Override
    public String splitId() {
        return splitId;
    }

    public String feedRange() {
        return feedRange;
    }

    /** Not copied: callers leave it as it is. */
    public byte[] position() {
        return position;
    }

    @Override
    public boolean equals(Object other) {
        if (!(other instanceof CosmosDBSplit)) {
            return false;
        }
        CosmosDBSplit that = (CosmosDBSplit) other;
        return splitId.equals(that.splitId)
                && feedRange.equals(that.feedRange)
                && Arrays.equals(position, that.position);
    }

    @Override
    public int hashCode() {
        return 31 * Objects.hash(splitId, feedRange) + Arrays.hashCode(position);
    }

    @Override
    public String toString() {
        return splitId + ' ' + feedRange;
    }
}
