// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.enumerator;

import java.time.Duration;

/**
 * Whether checkpoints are so close to each other that a split may stand still until one that has it
 * parked is complete.
 */
final class CheckpointPace {

    /** A split that moves stands still for at most about so many intervals. */
    private static final int INTERVALS_OF_A_MOVE = 2;

    private final long longestIntervalNanos;

    private boolean anyCompleted;
    private long lastNanos;

    CheckpointPace(Duration longestMove) {
        this.longestIntervalNanos = longestMove.toNanos() / INTERVALS_OF_A_MOVE;
    }

    /**
     * A checkpoint is complete.
     *
     * @param nanos the time now, of a clock that only goes forward
     * @return whether a split may set out: not after the first checkpoint, whose distance is not
     *     known
     */
    boolean completed(long nanos) {
        boolean closeEnough = anyCompleted && nanos - lastNanos <= longestIntervalNanos;
        anyCompleted = true;
        lastNanos = nanos;
        return closeEnough;
    }
}
