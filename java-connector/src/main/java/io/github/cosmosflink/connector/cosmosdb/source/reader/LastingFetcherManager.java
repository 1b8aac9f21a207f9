// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.reader;

import io.github.cosmosflink.connector.cosmosdb.source.split.CosmosDBSplit;
import java.util.List;
import java.util.function.Supplier;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.connector.base.source.reader.fetcher.SingleThreadFetcherManager;
import org.apache.flink.connector.base.source.reader.splitreader.SplitReader;

/**
 * Keeps one fetcher for the reader's whole life. For the task's thread.
 *
 * <p>Flink's own manager ends a fetcher that looks idle, also in the moment in which the end of its
 * last split is queued and the children that follow are not yet added. They then get a second
 * fetcher, and Flink's queue up to 1.20.3, 2.2.0 and 2.3.0 (FLINK-37663) can go on to wake the
 * first for the second, which waits for ever while the queue is empty: the job reads nothing more.
 */
final class LastingFetcherManager extends SingleThreadFetcherManager<CommitGroup, CosmosDBSplit> {

    /** Splits that were added and whose end the task has not seen. */
    private int unfinishedSplits;

    private boolean noMoreSplits;
    private boolean parked;

    LastingFetcherManager(
            Supplier<SplitReader<CommitGroup, CosmosDBSplit>> splitReaders,
            Configuration configuration) {
        super(splitReaders, configuration);
    }

    @Override
    public void addSplits(List<CosmosDBSplit> splits) {
        unfinishedSplits += splits.size();
        super.addSplits(splits);
    }

    /** The task has seen the end of splits; the children of those that were split are added. */
    void splitsFinished(int count) {
        unfinishedSplits -= count;
    }

    /** Whether there are splits that wait and may have to be read here again. */
    void parked(boolean parked) {
        this.parked = parked;
    }

    void noMoreSplits() {
        noMoreSplits = true;
    }

    /** Whether the reader is at its end; only then the fetcher goes. */
    @Override
    public boolean maybeShutdownFinishedFetchers() {
        return noMoreSplits
                && !parked
                && unfinishedSplits == 0
                && super.maybeShutdownFinishedFetchers();
    }
}
