// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.integration.harness;

import java.util.concurrent.atomic.AtomicLong;
import org.apache.flink.api.common.functions.MapFunction;
import org.apache.flink.api.common.state.CheckpointListener;

/** Makes lines of changes, and tells the test which checkpoints have completed. */
final class ToLine implements MapFunction<Change, String>, CheckpointListener {

    private static final long serialVersionUID = 1L;

    /** The last completed one of the job that runs; tests and tasks share a JVM. */
    private static final AtomicLong LAST_COMPLETED = new AtomicLong();

    /** For a new job, which may count from the start again. */
    static void reset() {
        LAST_COMPLETED.set(0);
    }

    static long lastCompletedCheckpoint() {
        return LAST_COMPLETED.get();
    }

    @Override
    public String map(Change change) {
        return change.toLine();
    }

    @Override
    public void notifyCheckpointComplete(long checkpointId) {
        LAST_COMPLETED.accumulateAndGet(checkpointId, Math::max);
    }
}
