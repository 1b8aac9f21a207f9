// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.integration.harness;

import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** Waiting for what happens elsewhere. */
public final class Await {

    private static final long PATIENCE_SECONDS = 60;

    private Await() {}

    /** A condition that may fail to be evaluated. */
    public interface Condition {
        boolean holds() throws Exception;
    }

    /**
     * Looks until the condition holds.
     *
     * @throws TimeoutException after a minute
     */
    public static void until(String what, Condition condition) throws Exception {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS);
        while (!condition.holds()) {
            if (System.nanoTime() > deadline) {
                throw new TimeoutException("still waiting for " + what);
            }
            Thread.sleep(10);
        }
    }
}
