// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.enumerator;

import io.github.cosmosflink.connector.cosmosdb.source.enumerator.CosmosDBEnumeratorState.Entry;
import io.github.cosmosflink.connector.cosmosdb.source.enumerator.CosmosDBEnumeratorState.Move;
import io.github.cosmosflink.connector.cosmosdb.source.enumerator.CosmosDBEnumeratorState.Status;
import io.github.cosmosflink.connector.cosmosdb.source.split.CosmosDBSplit;
import io.github.cosmosflink.connector.cosmosdb.source.split.CosmosDBSplitSerializer;
import io.github.cosmosflink.connector.cosmosdb.source.split.StateBytes;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.annotation.Internal;
import org.apache.flink.core.io.SimpleVersionedSerializer;

/** The enumerator state's form in checkpoints. */
@Internal
public final class CosmosDBEnumeratorStateSerializer
        implements SimpleVersionedSerializer<CosmosDBEnumeratorState> {

    public static final CosmosDBEnumeratorStateSerializer INSTANCE =
            new CosmosDBEnumeratorStateSerializer();

    /**
     * The split serializer's version; the last transfer's number; the number of moves, then per
     * move: split id, transfer; the number of entries, then per entry: status, origin, split.
     */
    private static final int VERSION_1 = 1;

    private static final String WHAT = "the state of the Cosmos DB enumerator";

    private static final int DISCOVERED = 1;
    private static final int PART_OF_ANOTHER = 0;

    private CosmosDBEnumeratorStateSerializer() {}

    @Override
    public int getVersion() {
        return VERSION_1;
    }

    @Override
    public byte[] serialize(CosmosDBEnumeratorState state) throws IOException {
        StateBytes.Writer out = new StateBytes.Writer();
        out.writeByte(CosmosDBSplitSerializer.INSTANCE.getVersion());
        out.writeLong(state.lastTransfer());
        out.writeInt(state.moves().size());
        for (Move move : state.moves()) {
            out.writeText(move.splitId());
            out.writeLong(move.transfer());
        }
        out.writeInt(state.entries().size());
        for (Entry entry : state.entries()) {
            out.writeByte(code(entry.status()));
            out.writeByte(entry.isDiscovered() ? DISCOVERED : PART_OF_ANOTHER);
            out.writeBytes(CosmosDBSplitSerializer.INSTANCE.serialize(entry.split()));
        }
        return out.toBytes();
    }

    @Override
    public CosmosDBEnumeratorState deserialize(int version, byte[] serialized) throws IOException {
        if (version != VERSION_1) {
            throw StateBytes.unknownVersion(WHAT, version, VERSION_1);
        }
        StateBytes.Reader in = new StateBytes.Reader(WHAT, serialized);
        int splitVersion = in.readByte();
        long lastTransfer = in.readTransfer();
        int moved = in.readCount();
        List<Move> moves = new ArrayList<>(moved);
        for (int i = 0; i < moved; i++) {
            Move move = new Move(in.readText(), in.readTransfer());
            if (move.transfer() < 1 || move.transfer() > lastTransfer) {
                throw corrupt(move + ", where transfers are numbered 1 to " + lastTransfer);
            }
            moves.add(move);
        }
        int count = in.readCount();
        List<Entry> entries = new ArrayList<>(count);
        for (int i = 0; i < count; i++) {
            Status status = status(in.readByte());
            boolean discovered = origin(in.readByte());
            CosmosDBSplit split =
                    CosmosDBSplitSerializer.INSTANCE.deserialize(splitVersion, in.readBytes());
            if (split.isParked()) {
                throw corrupt("parked splits are a reader's: " + split);
            }
            entries.add(new Entry(split, status, discovered));
        }
        in.expectEnd();
        return new CosmosDBEnumeratorState(entries, lastTransfer, moves);
    }

    /** Codes are fixed by the format, not by the order of the enum. */
    private static int code(Status status) {
        switch (status) {
            case PENDING:
                return 0;
            case ASSIGNED:
                return 1;
            case DIVIDED:
                return 2;
            default:
                throw new IllegalStateException("a status without a code: " + status);
        }
    }

    private static Status status(int code) throws IOException {
        switch (code) {
            case 0:
                return Status.PENDING;
            case 1:
                return Status.ASSIGNED;
            case 2:
                return Status.DIVIDED;
            default:
                throw corrupt("a feed range's status is " + code);
        }
    }

    private static boolean origin(int code) throws IOException {
        switch (code) {
            case DISCOVERED:
                return true;
            case PART_OF_ANOTHER:
                return false;
            default:
                throw corrupt("a feed range's origin is " + code);
        }
    }

    private static IOException corrupt(String what) {
        return new IOException(WHAT + " is corrupt: " + what);
    }
}
