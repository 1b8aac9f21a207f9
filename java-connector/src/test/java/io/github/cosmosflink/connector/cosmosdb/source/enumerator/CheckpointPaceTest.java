// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.enumerator;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import org.junit.jupiter.api.Test;

class CheckpointPaceTest {

    private static final long SECOND = Duration.ofSeconds(1).toNanos();

    /** Also with a clock that passes the largest number. */
    private static final long START = Long.MAX_VALUE - 20 * SECOND;

    private final CheckpointPace pace = new CheckpointPace(Duration.ofMinutes(1));

    @Test
    void nothingMovesBeforeTwoCheckpoints() {
        assertThat(pace.completed(START)).isFalse();
        assertThat(pace.completed(START + SECOND)).isTrue();
    }

    @Test
    void checkpointsMayBeHalfOfAMoveApart() {
        pace.completed(START);

        assertThat(pace.completed(START + 30 * SECOND)).isTrue();
        assertThat(pace.completed(START + 61 * SECOND)).isFalse();
        assertThat(pace.completed(START + 62 * SECOND)).isTrue();
    }
}
