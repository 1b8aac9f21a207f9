// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.enumerator;

import io.github.cosmosflink.connector.cosmosdb.source.split.CosmosDBSplit;
import java.util.List;
import javax.annotation.Nullable;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.connector.source.SplitEnumerator;
import org.apache.flink.util.FlinkRuntimeException;

/**
 * Stands for state that could not be read, or taken up: fails the job when it is started, and does
 * nothing.
 */
@Internal
public final class UnreadableStateEnumerator
        implements SplitEnumerator<CosmosDBSplit, CosmosDBEnumeratorState> {

    private final Exception problem;

    public UnreadableStateEnumerator(Exception problem) {
        this.problem = problem;
    }

    @Override
    public void start() {
        throw new FlinkRuntimeException("The source cannot be restored", problem);
    }

    @Override
    public void handleSplitRequest(int subtask, @Nullable String host) {}

    @Override
    public void addSplitsBack(List<CosmosDBSplit> splits, int subtask) {}

    @Override
    public void addReader(int subtask) {}

    @Override
    public CosmosDBEnumeratorState snapshotState(long checkpointId) {
        throw new FlinkRuntimeException("The source was not restored", problem);
    }

    @Override
    public void close() {}
}
