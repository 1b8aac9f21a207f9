// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.testing;

import io.github.cosmosflink.connector.cosmosdb.source.backend.ChangeFeedBackend;
import io.github.cosmosflink.connector.cosmosdb.source.backend.ChangeFeedSession;

/** Reads a {@link FeedModel} of this JVM. */
public final class ScriptedBackend implements ChangeFeedBackend {

    private static final long serialVersionUID = 1L;

    private final String modelId;

    ScriptedBackend(String modelId) {
        this.modelId = modelId;
    }

    @Override
    public ChangeFeedSession open(byte[] configuration) {
        FeedModel model = FeedModel.byId(modelId);
        ScriptedSession session = new ScriptedSession(model);
        model.opened(session);
        return session;
    }
}
