// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.nativelib;

import io.github.cosmosflink.connector.cosmosdb.source.backend.ChangeFeedBackend;
import io.github.cosmosflink.connector.cosmosdb.source.backend.ChangeFeedException;
import io.github.cosmosflink.connector.cosmosdb.source.backend.ChangeFeedSession;

/**
 * The backend of a job: the Rust core. The native library is loaded by the first {@link #open},
 * never before.
 */
public final class NativeChangeFeedBackend implements ChangeFeedBackend {

    private static final long serialVersionUID = 1L;

    @Override
    public ChangeFeedSession open(byte[] configuration) throws ChangeFeedException {
        NativeLoader.load();
        return new NativeChangeFeedSession(Natives.open(configuration));
    }
}
