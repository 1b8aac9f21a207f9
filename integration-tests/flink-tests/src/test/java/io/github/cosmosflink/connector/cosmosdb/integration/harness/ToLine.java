// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.integration.harness;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.flink.api.common.functions.RichMapFunction;
import org.apache.flink.api.common.state.CheckpointListener;

/**
 * Makes lines of changes, and tells the test which checkpoints have completed and which reader had
 * the changes of which split: it runs in the reader's task.
 */
final class ToLine extends RichMapFunction<Change, String> implements CheckpointListener {

    private static final long serialVersionUID = 1L;

    /** The last completed one of the job that runs; tests and tasks share a JVM. */
    private static final AtomicLong LAST_COMPLETED = new AtomicLong();

    /** The last one that emitted a change of the split, of the job that runs. */
    private static final Map<String, Integer> READER_OF_SPLIT = new ConcurrentHashMap<>();

    /** For a new job, which may count from the start again. */
    static void reset() {
        LAST_COMPLETED.set(0);
        READER_OF_SPLIT.clear();
    }

    static long lastCompletedCheckpoint() {
        return LAST_COMPLETED.get();
    }

    static Map<String, Integer> readerOfSplit() {
        return READER_OF_SPLIT;
    }

    @Override
    public String map(Change change) {
        READER_OF_SPLIT.put(
                change.splitId, getRuntimeContext().getTaskInfo().getIndexOfThisSubtask());
        return change.toLine();
    }

    @Override
    public void notifyCheckpointComplete(long checkpointId) {
        LAST_COMPLETED.accumulateAndGet(checkpointId, Math::max);
    }
}
