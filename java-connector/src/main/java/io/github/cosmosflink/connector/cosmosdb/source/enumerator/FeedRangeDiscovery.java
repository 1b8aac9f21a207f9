// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.enumerator;

import io.github.cosmosflink.connector.cosmosdb.source.ChangeFeedConfiguration;
import io.github.cosmosflink.connector.cosmosdb.source.backend.ChangeFeedBackend;
import io.github.cosmosflink.connector.cosmosdb.source.backend.ChangeFeedException;
import io.github.cosmosflink.connector.cosmosdb.source.backend.ChangeFeedSession;
import io.github.cosmosflink.connector.cosmosdb.source.split.CosmosDBSplit;
import java.util.List;
import java.util.stream.Collectors;
import javax.annotation.Nullable;

/**
 * Finds the feed ranges on a thread that may block, and can be ended from another. Its session
 * lives that long only.
 */
final class FeedRangeDiscovery implements AutoCloseable {

    private final ChangeFeedBackend backend;
    private final ChangeFeedConfiguration configuration;

    @Nullable private ChangeFeedSession running;
    private boolean closed;

    FeedRangeDiscovery(ChangeFeedBackend backend, ChangeFeedConfiguration configuration) {
        this.backend = backend;
        this.configuration = configuration;
    }

    /**
     * Blocks on the network, and on loading the native library the first time.
     *
     * @param known empty on a fresh start; on a restore the discovered ranges, which are checked
     *     against the container
     * @return the ranges that are not among the known
     */
    List<CosmosDBSplit> discover(List<CosmosDBSplit> known) throws ChangeFeedException {
        try (ChangeFeedSession session = backend.open(configuration.toJson())) {
            running(session);
            return session
                    .discover(
                            known.stream()
                                    .map(CosmosDBSplit::toSnapshot)
                                    .collect(Collectors.toList()))
                    .stream()
                    .map(CosmosDBSplit::of)
                    .collect(Collectors.toList());
        } finally {
            running(null);
        }
    }

    private synchronized void running(@Nullable ChangeFeedSession session) {
        running = session;
        if (session != null && closed) {
            session.close();
        }
    }

    /** Frees a blocked {@link #discover}, which then fails. */
    @Override
    public void close() {
        ChangeFeedSession session;
        synchronized (this) {
            closed = true;
            session = running;
        }
        if (session != null) {
            session.close();
        }
    }
}
