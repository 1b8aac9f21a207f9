// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.split;

import java.io.IOException;
import org.apache.flink.annotation.Internal;
import org.apache.flink.core.io.SimpleVersionedSerializer;

/** A split's form in checkpoints and on the way between coordinator and readers. */
@Internal
public final class CosmosDBSplitSerializer implements SimpleVersionedSerializer<CosmosDBSplit> {

    public static final CosmosDBSplitSerializer INSTANCE = new CosmosDBSplitSerializer();

    /** Split id, feed range, transfer, position. */
    private static final int VERSION_1 = 1;

    private static final String WHAT = "the state of a Cosmos DB split";

    private CosmosDBSplitSerializer() {}

    @Override
    public int getVersion() {
        return VERSION_1;
    }

    @Override
    public byte[] serialize(CosmosDBSplit split) throws IOException {
        StateBytes.Writer out = new StateBytes.Writer();
        out.writeText(split.splitId());
        out.writeText(split.feedRange());
        out.writeLong(split.transfer());
        out.writeBytes(split.position());
        return out.toBytes();
    }

    @Override
    public CosmosDBSplit deserialize(int version, byte[] serialized) throws IOException {
        if (version != VERSION_1) {
            throw StateBytes.unknownVersion(WHAT, version, VERSION_1);
        }
        StateBytes.Reader in = new StateBytes.Reader(WHAT, serialized);
        String splitId = in.readText();
        String feedRange = in.readText();
        long transfer = in.readTransfer();
        CosmosDBSplit split = new CosmosDBSplit(splitId, feedRange, in.readBytes(), transfer);
        in.expectEnd();
        return split;
    }
}
