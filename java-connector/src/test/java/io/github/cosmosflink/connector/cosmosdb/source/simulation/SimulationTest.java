// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.simulation;

import static org.assertj.core.api.Assertions.assertThat;

import org.apache.logging.log4j.Level;
import org.apache.logging.log4j.LogManager;
import org.apache.logging.log4j.core.config.Configurator;
import org.junit.jupiter.api.Test;

class SimulationTest {

    /** A first look; {@code scripts/simulate} runs many more. */
    @Test
    void schedulesEndWithWhatTheFeedSays() {
        Level before = LogManager.getRootLogger().getLevel();
        Configurator.setRootLevel(Level.OFF);
        try {
            Simulate.Result result = Simulate.run(1, 1_000, true);

            assertThat(result.failures)
                    .as("seed %s: %s", result.firstFailure, result.account)
                    .isZero();
            assertThat(result.moved).as("splits moved").isGreaterThan(500);
        } finally {
            Configurator.setRootLevel(before);
        }
    }
}
