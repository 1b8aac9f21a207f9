// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.reader;

import io.github.cosmosflink.connector.cosmosdb.source.backend.ChangeFeedPage;
import java.util.Collections;
import java.util.Set;
import javax.annotation.Nullable;
import org.apache.flink.connector.base.source.reader.RecordsWithSplitIds;

/** One page on its way through Flink's queue, or the end of a split, or nothing. */
final class PageRecords implements RecordsWithSplitIds<CommitGroup> {

    @Nullable private final ChangeFeedPage page;
    private final Set<String> finishedSplits;

    private boolean splitGiven;
    private int nextGroup;

    private PageRecords(@Nullable ChangeFeedPage page, Set<String> finishedSplits) {
        this.page = page;
        this.finishedSplits = finishedSplits;
    }

    static PageRecords of(ChangeFeedPage documents) {
        return new PageRecords(documents, Collections.emptySet());
    }

    static PageRecords finished(String splitId) {
        return new PageRecords(null, Collections.singleton(splitId));
    }

    /** After a wake-up or a timeout. */
    static PageRecords none() {
        return new PageRecords(null, Collections.emptySet());
    }

    @Nullable
    @Override
    public String nextSplit() {
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
