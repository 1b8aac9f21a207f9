// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.split;

import io.github.cosmosflink.connector.cosmosdb.source.backend.SplitSnapshot;
import java.io.Serializable;
import java.util.Arrays;
import java.util.Objects;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.connector.source.SourceSplit;

/**
 * One feed range, how far it was read, and whether it is being read. Immutable. The position's
 * bytes are made and read by the core only.
 *
 * <p>An id carries a generation and is never used for another range or another life of the same
 * range.
 */
@Internal
public final class CosmosDBSplit implements SourceSplit, Serializable {

    private static final long serialVersionUID = 1L;

    /** Transfers count from 1. */
    public static final long NO_TRANSFER = 0;

    private final String splitId;
    private final String feedRange;
    private final byte[] position;
    private final long transfer;

    /**
     * A split to be read.
     *
     * @param feedRange {@code [minInclusive,maxExclusive)} in hex
     * @param position not copied: the caller leaves it as it is
     */
    public CosmosDBSplit(String splitId, String feedRange, byte[] position) {
        this(splitId, feedRange, position, NO_TRANSFER);
    }

    /**
     * @param transfer the number of the transfer that it is parked for, or {@link #NO_TRANSFER}
     */
    public CosmosDBSplit(String splitId, String feedRange, byte[] position, long transfer) {
        this.splitId = Objects.requireNonNull(splitId, "splitId");
        this.feedRange = Objects.requireNonNull(feedRange, "feedRange");
        this.position = Objects.requireNonNull(position, "position");
        this.transfer = transfer;
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

    /** Whether it waits in a reader's state for its way to another reader, and is not read. */
    public boolean isParked() {
        return transfer != NO_TRANSFER;
    }

    /** Of a parked split, else {@link #NO_TRANSFER}. */
    public long transfer() {
        return transfer;
    }

    /** Stopped here, to go on in the transfer's name elsewhere. */
    public CosmosDBSplit parkedFor(long transfer) {
        return new CosmosDBSplit(splitId, feedRange, position, transfer);
    }

    /** To be read. */
    public CosmosDBSplit unparked() {
        return new CosmosDBSplit(splitId, feedRange, position);
    }

    @Override
    public boolean equals(Object other) {
        if (!(other instanceof CosmosDBSplit)) {
            return false;
        }
        CosmosDBSplit that = (CosmosDBSplit) other;
        return splitId.equals(that.splitId)
                && feedRange.equals(that.feedRange)
                && Arrays.equals(position, that.position)
                && transfer == that.transfer;
    }

    @Override
    public int hashCode() {
        return 31 * Objects.hash(splitId, feedRange) + Arrays.hashCode(position);
    }

    @Override
    public String toString() {
        return splitId + ' ' + feedRange + (isParked() ? " parked for " + transfer : "");
    }
}
