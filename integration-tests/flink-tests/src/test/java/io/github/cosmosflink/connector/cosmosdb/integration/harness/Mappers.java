// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.integration.harness;

import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.LockSupport;
import org.apache.flink.api.common.functions.MapFunction;
import org.apache.flink.api.common.functions.RichMapFunction;

/** Mappers that trouble a job. Tests and tasks share a JVM, so they meet in static fields. */
public final class Mappers {

    private static final AtomicBoolean FAIL = new AtomicBoolean();

    private Mappers() {}

    /**
     * Takes its time with each change, so that checkpoints fall into pages, and fails at the next
     * one after {@link #failNext}.
     */
    public static MapFunction<Change, Change> slowAndFailing(long nanosPerChange) {
        FAIL.set(false);
        return change -> {
            LockSupport.parkNanos(nanosPerChange);
            if (FAIL.compareAndSet(true, false)) {
                throw new IllegalStateException("asked to fail");
            }
            return change;
        };
    }

    /** Takes its time with each change in one of the readers' tasks. */
    public static MapFunction<Change, Change> slowIn(int reader, long nanosPerChange) {
        return new SlowIn(reader, nanosPerChange);
    }

    private static final class SlowIn extends RichMapFunction<Change, Change> {

        private static final long serialVersionUID = 1L;

        private final int reader;
        private final long nanosPerChange;

        SlowIn(int reader, long nanosPerChange) {
            this.reader = reader;
            this.nanosPerChange = nanosPerChange;
        }

        @Override
        public Change map(Change change) {
            if (getRuntimeContext().getTaskInfo().getIndexOfThisSubtask() == reader) {
                LockSupport.parkNanos(nanosPerChange);
            }
            return change;
        }
    }

    public static void failNext() {
        FAIL.set(true);
    }

    /** Whether a task has failed since {@link #failNext}. */
    public static boolean hasFailed() {
        return !FAIL.get();
    }
}
