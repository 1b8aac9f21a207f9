// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.simulation;

import io.github.cosmosflink.connector.cosmosdb.source.enumerator.CosmosDBEnumeratorState;
import io.github.cosmosflink.connector.cosmosdb.source.enumerator.CosmosDBEnumeratorStateSerializer;
import io.github.cosmosflink.connector.cosmosdb.source.split.CosmosDBSplit;
import io.github.cosmosflink.connector.cosmosdb.source.split.CosmosDBSplitSerializer;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;

/**
 * State is what its bytes say: whatever goes into a checkpoint or over the wire is written and
 * read.
 */
final class ModelState {

    private static final int VERSION = 1;

    private ModelState() {}

    static byte[] of(CosmosDBSplit split) {
        try {
            return CosmosDBSplitSerializer.INSTANCE.serialize(split);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static List<byte[]> of(List<CosmosDBSplit> splits) {
        List<byte[]> bytes = new ArrayList<>(splits.size());
        splits.forEach(split -> bytes.add(of(split)));
        return bytes;
    }

    static List<CosmosDBSplit> splits(List<byte[]> bytes) {
        List<CosmosDBSplit> splits = new ArrayList<>(bytes.size());
        for (byte[] each : bytes) {
            try {
                splits.add(CosmosDBSplitSerializer.INSTANCE.deserialize(VERSION, each));
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
        return splits;
    }

    static byte[] of(CosmosDBEnumeratorState state) {
        try {
            return CosmosDBEnumeratorStateSerializer.INSTANCE.serialize(state);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static CosmosDBEnumeratorState enumeratorState(byte[] bytes) {
        try {
            return CosmosDBEnumeratorStateSerializer.INSTANCE.deserialize(VERSION, bytes);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
