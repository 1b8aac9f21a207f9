// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.simulation;

import io.github.cosmosflink.connector.cosmosdb.source.enumerator.Readers;
import io.github.cosmosflink.connector.cosmosdb.source.split.CosmosDBSplit;
import io.github.cosmosflink.connector.cosmosdb.source.transfer.TransferCommand;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.flink.api.connector.source.SourceEvent;
import org.apache.flink.api.connector.source.SplitsAssignment;
import org.apache.flink.runtime.source.coordinator.SplitAssignmentTracker;

/** The coordinator's way to the readers' tasks. */
final class ModelGateways implements Readers {

    static final Object NO_MORE_SPLITS = "no more splits";

    private final Map<Integer, ModelTask> registered;
    private final SplitAssignmentTracker<CosmosDBSplit> tracker;
    private final int parallelism;

    /** The reader that a split has moved away from last. */
    private int lastHolder;

    ModelGateways(
            Map<Integer, ModelTask> registered,
            SplitAssignmentTracker<CosmosDBSplit> tracker,
            int parallelism) {
        this.registered = registered;
        this.tracker = tracker;
        this.parallelism = parallelism;
    }

    @Override
    public Set<Integer> registered() {
        return registered.keySet();
    }

    @Override
    public int parallelism() {
        return parallelism;
    }

    private ModelTask task(int reader) {
        ModelTask task = registered.get(reader);
        if (task == null) {
            throw new IllegalStateException("reader " + reader + " is not registered");
        }
        return task;
    }

    @Override
    public void assign(Map<Integer, List<CosmosDBSplit>> splits) {
        splits.keySet().forEach(this::task);
        tracker.recordSplitAssignment(new SplitsAssignment<>(splits));
        splits.forEach((reader, assigned) -> task(reader).send(ModelState.of(assigned)));
    }

    @Override
    public void send(int reader, SourceEvent event) {
        task(reader).send(event);
        if (event instanceof TransferCommand
                && ((TransferCommand) event).kind() == TransferCommand.Kind.DROP_PARKED) {
            lastHolder = reader;
        }
    }

    int lastHolder() {
        return lastHolder;
    }

    @Override
    public void noMoreSplits(int reader) {
        task(reader).send(NO_MORE_SPLITS);
    }
}
