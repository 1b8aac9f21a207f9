// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.reader;

import io.github.cosmosflink.connector.cosmosdb.source.backend.ChangeFeedException;
import io.github.cosmosflink.connector.cosmosdb.source.backend.ChangeFeedPage;
import io.github.cosmosflink.connector.cosmosdb.source.split.CosmosDBSplit;
import javax.annotation.Nullable;

/**
 * How far a split was emitted: either position bytes, or a page and the last group emitted from it,
 * of which the core makes position bytes when a snapshot is taken. For the task's thread.
 */
final class CosmosDBSplitState {

    private final String splitId;
    private final String feedRange;
    private byte[] position;

    /** Null unless a page is emitted in part; then it has not been recycled. */
    @Nullable private ChangeFeedPage page;

    private int lastGroup;

    CosmosDBSplitState(CosmosDBSplit split) {
        this.splitId = split.splitId();
        this.feedRange = split.feedRange();
        this.position = split.position();
    }

    String feedRange() {
        return feedRange;
    }

    /** All documents of the group have been emitted. */
    void emitted(CommitGroup group) throws ChangeFeedException {
        if (group.index() == group.page().groupCount() - 1) {
            // Flink recycles the page before the next snapshot: take its end now.
            position = group.page().positionAfter(group.index());
            page = null;
        } else {
            page = group.page();
            lastGroup = group.index();
        }
    }

    CosmosDBSplit toSplit() throws ChangeFeedException {
        return new CosmosDBSplit(
                splitId, feedRange, page == null ? position : page.positionAfter(lastGroup));
    }
}
