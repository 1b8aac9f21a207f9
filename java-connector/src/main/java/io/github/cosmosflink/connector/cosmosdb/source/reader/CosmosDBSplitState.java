// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.reader;

import io.github.cosmosflink.connector.cosmosdb.source.backend.ChangeFeedException;
import io.github.cosmosflink.connector.cosmosdb.source.backend.ChangeFeedPage;
import io.github.cosmosflink.connector.cosmosdb.source.split.CosmosDBSplit;
import io.github.cosmosflink.connector.cosmosdb.source.transfer.ReaderLoadEvent.SplitLoad;
import io.github.cosmosflink.connector.cosmosdb.source.transfer.TransferCommand;
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

    private long lastTimestamp = TransferCommand.NO_TIMESTAMP;
    private long recordsSinceReport;
    private boolean behind;

    CosmosDBSplitState(CosmosDBSplit split) {
        this.splitId = split.splitId();
        this.feedRange = split.feedRange();
        this.position = split.position();
    }

    String splitId() {
        return splitId;
    }

    String feedRange() {
        return feedRange;
    }

    /** All documents of the group have been emitted. */
    void emitted(CommitGroup group) throws ChangeFeedException {
        measure(group);
        if (group.index() == group.page().groupCount() - 1) {
            // Flink recycles the page before the next snapshot: take its end now.
            position = group.page().positionAfter(group.index());
            page = null;
        } else {
            page = group.page();
            lastGroup = group.index();
        }
    }

    private void measure(CommitGroup group) {
        ChangeFeedPage page = group.page();
        for (int i = group.firstDocument(); i < group.endDocument(); i++) {
            // Absent is the lowest of all.
            lastTimestamp = Math.max(lastTimestamp, page.timestampMillis(i));
        }
        behind =
                group.endDocument() > group.firstDocument()
                        && page.partitionLsn() > page.lsn(group.endDocument() - 1);
        recordsSinceReport += group.endDocument() - group.firstDocument();
    }

    /** The highest emitted, or {@link TransferCommand#NO_TIMESTAMP}. */
    long lastTimestamp() {
        return lastTimestamp;
    }

    /** The split goes on where another life of it has emitted so far. */
    void goneOn(long timestamp) {
        lastTimestamp = timestamp;
    }

    /** Counts anew from here. */
    SplitLoad takeLoad() {
        // A range without news is not behind, whatever its partition has for others.
        SplitLoad load =
                new SplitLoad(
                        splitId,
                        recordsSinceReport,
                        lastTimestamp,
                        behind && recordsSinceReport > 0);
        recordsSinceReport = 0;
        return load;
    }

    CosmosDBSplit toSplit() throws ChangeFeedException {
        return new CosmosDBSplit(
                splitId, feedRange, page == null ? position : page.positionAfter(lastGroup));
    }
}
