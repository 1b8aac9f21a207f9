// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.enumerator;

import java.io.IOException;
import org.apache.flink.annotation.Internal;
import org.apache.flink.core.io.SimpleVersionedSerializer;

/**
 * {@link CosmosDBEnumeratorStateSerializer} as Flink gets it. State that cannot be read becomes one
 * that says why: the enumerator made of it fails when it is started.
 *
 * <p>Thrown here, while a job is restored from a savepoint, the exception can be lost: Flink fails
 * the job through a coordinator context that may not have been initialized yet, and goes on. The
 * job would run without an enumerator and never complete a checkpoint.
 */
@Internal
public final class LenientStateSerializer
        implements SimpleVersionedSerializer<CosmosDBEnumeratorState> {

    public static final LenientStateSerializer INSTANCE = new LenientStateSerializer();

    private static final CosmosDBEnumeratorStateSerializer STRICT =
            CosmosDBEnumeratorStateSerializer.INSTANCE;

    private LenientStateSerializer() {}

    @Override
    public int getVersion() {
        return STRICT.getVersion();
    }

    @Override
    public byte[] serialize(CosmosDBEnumeratorState state) throws IOException {
        return STRICT.serialize(state);
    }

    @Override
    public CosmosDBEnumeratorState deserialize(int version, byte[] serialized) {
        try {
            return STRICT.deserialize(version, serialized);
        } catch (IOException | RuntimeException e) {
            return CosmosDBEnumeratorState.unreadable(e);
        }
    }
}
