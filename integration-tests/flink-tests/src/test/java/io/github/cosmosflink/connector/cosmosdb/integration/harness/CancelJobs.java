// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.integration.harness;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/**
 * Cancels what a test has left running, as a failed one does: the next test needs the slots. To be
 * registered by each class that submits a {@link ReadJob}.
 */
public final class CancelJobs implements AfterEachCallback {

    private static final List<RunningJob> SUBMITTED =
            Collections.synchronizedList(new ArrayList<>());

    static RunningJob submitted(RunningJob job) {
        SUBMITTED.add(job);
        return job;
    }

    @Override
    public void afterEach(ExtensionContext context) throws Exception {
        for (RunningJob job : SUBMITTED) {
            if (!job.status().isGloballyTerminalState()) {
                job.cancel();
            }
        }
        SUBMITTED.clear();
    }
}
