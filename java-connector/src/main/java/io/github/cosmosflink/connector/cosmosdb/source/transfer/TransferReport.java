// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.transfer;

import io.github.cosmosflink.connector.cosmosdb.source.split.CosmosDBSplit;
import java.util.Objects;
import javax.annotation.Nullable;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.connector.source.SourceEvent;

/** From a reader to the enumerator: how far its part of a transfer is. */
@Internal
public final class TransferReport implements SourceEvent {

    private static final long serialVersionUID = 1L;

    /** What the reader did. */
    public enum Kind {
        /** Its watermark stays where it is; {@link #highestTimestamp} says where at most. */
        WATERMARK_HELD,
        /** The split is parked; {@link #split} is the copy. */
        PARKED,
        /** The split ended here or was never here. */
        DECLINED
    }

    private final Kind kind;
    private final long transfer;
    private final long highestTimestamp;
    @Nullable private final CosmosDBSplit split;

    private TransferReport(
            Kind kind, long transfer, long highestTimestamp, @Nullable CosmosDBSplit split) {
        this.kind = Objects.requireNonNull(kind, "kind");
        this.transfer = transfer;
        this.highestTimestamp = highestTimestamp;
        this.split = split;
    }

    /**
     * @param highestTimestamp of all records that the reader has emitted since its start, or {@link
     *     TransferCommand#NO_TIMESTAMP}
     */
    public static TransferReport watermarkHeld(long transfer, long highestTimestamp) {
        return new TransferReport(Kind.WATERMARK_HELD, transfer, highestTimestamp, null);
    }

    /**
     * @param split the parked copy, which names the transfer
     */
    public static TransferReport parked(CosmosDBSplit split) {
        return new TransferReport(
                Kind.PARKED, split.transfer(), TransferCommand.NO_TIMESTAMP, split);
    }

    public static TransferReport declined(long transfer) {
        return new TransferReport(Kind.DECLINED, transfer, TransferCommand.NO_TIMESTAMP, null);
    }

    public Kind kind() {
        return kind;
    }

    public long transfer() {
        return transfer;
    }

    public long highestTimestamp() {
        return highestTimestamp;
    }

    /** Null but for {@link Kind#PARKED}. */
    @Nullable
    public CosmosDBSplit split() {
        return split;
    }

    @Override
    public String toString() {
        return kind + " (transfer " + transfer + ")" + (split == null ? "" : " " + split);
    }
}
