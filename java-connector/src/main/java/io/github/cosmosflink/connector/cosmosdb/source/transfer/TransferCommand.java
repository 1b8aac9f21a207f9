// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.transfer;

import java.util.Objects;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.connector.source.SourceEvent;

/** From the enumerator to a reader: one step of a split's way from reader to reader. */
@Internal
public final class TransferCommand implements SourceEvent {

    private static final long serialVersionUID = 1L;

    /** A timestamp that no record was emitted with. */
    public static final long NO_TIMESTAMP = Long.MIN_VALUE;

    /** What the reader is to do. */
    public enum Kind {
        /** Keep the watermark where it is, for a split that may come. */
        HOLD_WATERMARK,
        /** Forget the hold: the split does not come, or is read elsewhere. */
        DROP_HOLD,
        /** Stop reading the split and park it, once it has emitted up to {@link #notBefore}. */
        RELEASE,
        /** Forget the parked copy: another reader has the split. The watermark stays held. */
        DROP_PARKED,
        /** Read the split on here, whether it is parked already or still on the way to it. */
        RESUME,
        /** All that this reader will be given after its start was sent before. */
        GO_ON
    }

    private final Kind kind;
    private final long transfer;
    private final String splitId;
    private final long notBefore;

    private TransferCommand(Kind kind, long transfer, String splitId, long notBefore) {
        this.kind = Objects.requireNonNull(kind, "kind");
        this.transfer = transfer;
        this.splitId = Objects.requireNonNull(splitId, "splitId");
        this.notBefore = notBefore;
    }

    public static TransferCommand of(Kind kind, long transfer, String splitId) {
        return new TransferCommand(kind, transfer, splitId, NO_TIMESTAMP);
    }

    /**
     * @param notBefore milliseconds since the epoch, or {@link #NO_TIMESTAMP}
     */
    public static TransferCommand release(long transfer, String splitId, long notBefore) {
        return new TransferCommand(Kind.RELEASE, transfer, splitId, notBefore);
    }

    public static TransferCommand goOn() {
        return new TransferCommand(Kind.GO_ON, 0, "", NO_TIMESTAMP);
    }

    public Kind kind() {
        return kind;
    }

    public long transfer() {
        return transfer;
    }

    public String splitId() {
        return splitId;
    }

    public long notBefore() {
        return notBefore;
    }

    @Override
    public boolean equals(Object other) {
        if (!(other instanceof TransferCommand)) {
            return false;
        }
        TransferCommand that = (TransferCommand) other;
        return kind == that.kind
                && transfer == that.transfer
                && splitId.equals(that.splitId)
                && notBefore == that.notBefore;
    }

    @Override
    public int hashCode() {
        return Objects.hash(kind, transfer, splitId, notBefore);
    }

    @Override
    public String toString() {
        return kind + " " + splitId + " (transfer " + transfer + ")";
    }
}
