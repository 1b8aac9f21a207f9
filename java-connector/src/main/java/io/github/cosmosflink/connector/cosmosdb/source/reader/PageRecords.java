// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.reader;

import io.github.cosmosflink.connector.cosmosdb.source.backend.ChangeFeedPage;
import java.util.Collections;
import java.util.Set;
import javax.annotation.Nullable;
import org.apache.flink.connector.base.source.reader.RecordsWithSplitIds;
import org.apache.flink.util.FlinkRuntimeException;

/** One page on its way through Flink's queue, or the end of a split, or a failure, or nothing. */
final class PageRecords implements RecordsWithSplitIds<CommitGroup> {

    @Nullable private final ChangeFeedPage page;
    private final Set<String> finishedSplits;
    @Nullable private final Throwable failure;

    private boolean splitGiven;
    private int nextGroup;

    private PageRecords(
            @Nullable ChangeFeedPage page,
            Set<String> finishedSplits,
            @Nullable Throwable failure) {
        this.page = page;
        this.finishedSplits = finishedSplits;
        this.failure = failure;
    }

    static PageRecords of(ChangeFeedPage documents) {
        return new PageRecords(documents, Collections.emptySet(), null);
    }

    static PageRecords finished(String splitId) {
        return new PageRecords(null, Collections.singleton(splitId), null);
    }

    /** After a wake-up or a timeout. */
    static PageRecords none() {
        return new PageRecords(null, Collections.emptySet(), null);
    }

    /** Fails the task when it gets here. */
    static PageRecords failed(Throwable failure) {
        return new PageRecords(null, Collections.emptySet(), failure);
    }

    @Nullable
    @Override
    public String nextSplit() {
        if (failure != null) {
            throw new FlinkRuntimeException(failure.getMessage(), failure);
        }
        if (page == null || splitGiven) {
            return null;
        }
        splitGiven = true;
        return page.splitId();
    }

    @Nullable
    @Override
    public CommitGroup nextRecordFromSplit() {
        if (page == null || nextGroup == page.groupCount()) {
            return null;
        }
        return new CommitGroup(page, nextGroup++);
    }

    @Override
    public Set<String> finishedSplits() {
        return finishedSplits;
    }

    @Override
    public void recycle() {
        if (page != null) {
            page.recycle();
        }
    }
}
