// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.reader;

import io.github.cosmosflink.connector.cosmosdb.source.backend.ChangeFeedException;
import io.github.cosmosflink.connector.cosmosdb.source.backend.ChangeFeedPage;
import io.github.cosmosflink.connector.cosmosdb.source.backend.ChangeFeedSession;
import io.github.cosmosflink.connector.cosmosdb.source.reader.SplitEnds.End;
import io.github.cosmosflink.connector.cosmosdb.source.split.CosmosDBSplit;
import java.io.IOException;
import java.util.stream.Collectors;
import javax.annotation.Nullable;
import org.apache.flink.connector.base.source.reader.RecordsWithSplitIds;
import org.apache.flink.connector.base.source.reader.splitreader.SplitReader;
import org.apache.flink.connector.base.source.reader.splitreader.SplitsAddition;
import org.apache.flink.connector.base.source.reader.splitreader.SplitsChange;

/**
 * Takes pages from the session for Flink's fetcher thread. Only borrows the session: Flink closes a
 * split reader while its pages are still queued or being emitted.
 *
 * <p>A failure goes the way of the pages, through Flink's queue. Thrown here it would end the
 * fetcher, and Flink notifies the task of that in a way that gets lost when the task is just about
 * to find the queue empty: the job would run on and read nothing.
 */
final class CosmosDBSplitReader implements SplitReader<CommitGroup, CosmosDBSplit> {

    /** An upper bound on a quiet fetch; wake-ups, not this, make the fetcher react. */
    private static final long POLL_TIMEOUT_MILLIS = 1_000;

    private final ChangeFeedSession session;
    private final SplitEnds ends;

    /** Nothing is read after it. */
    @Nullable private Throwable failure;

    CosmosDBSplitReader(ChangeFeedSession session, SplitEnds ends) {
        this.session = session;
        this.ends = ends;
    }

    @Override
    public RecordsWithSplitIds<CommitGroup> fetch() {
        if (failure == null) {
            try {
                return next();
            } catch (Throwable e) {
                // Errors too: what is thrown here gets to the task by a notification that can be
                // lost.
                failure = e;
            }
        }
        return PageRecords.failed(failure);
    }

    private PageRecords next() throws ChangeFeedException {
        ChangeFeedPage page = session.poll(POLL_TIMEOUT_MILLIS);
        if (page == null) {
            return PageRecords.none();
        }
        switch (page.kind()) {
            case DOCUMENTS:
                return PageRecords.of(page);
            case RANGE_SPLIT:
                return ended(
                        page,
                        End.divided(
                                page.children().stream()
                                        .map(CosmosDBSplit::of)
                                        .collect(Collectors.toList())));
            case RANGE_FINISHED:
                return ended(page, End.FINISHED);
            case RANGE_RELEASED:
                return ended(page, End.RELEASED);
            default:
                throw new IllegalStateException("a page of an unknown kind: " + page.kind());
        }
    }

    private PageRecords ended(ChangeFeedPage page, End end) {
        String splitId = page.splitId();
        ends.put(splitId, end);
        page.recycle();
        return PageRecords.finished(splitId);
    }

    @Override
    public void handleSplitsChanges(SplitsChange<CosmosDBSplit> change) {
        if (!(change instanceof SplitsAddition)) {
            throw new UnsupportedOperationException(
                    "splits are only added here, found " + change.getClass().getName());
        }
        try {
            session.addSplits(
                    change.splits().stream()
                            .map(CosmosDBSplit::toSnapshot)
                            .collect(Collectors.toList()));
        } catch (Throwable e) {
            failure = new IOException("cannot read " + change.splits(), e);
        }
    }

    @Override
    public void wakeUp() {
        session.wakeUp();
    }

    @Override
    public void close() {
        // The session belongs to the source reader.
    }
}
