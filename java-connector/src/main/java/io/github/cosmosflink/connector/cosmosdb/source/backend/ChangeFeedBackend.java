// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.backend;

import java.io.Serializable;

/**
 * The seam between the Java shell and whatever reads the change feed: the native core in a job, a
 * scripted fake in unit tests. Travels in the job graph, so it holds no open resource and loads
 * nothing before {@link #open}.
 */
public interface ChangeFeedBackend extends Serializable {

    /**
     * Opens a session. Called on a JobManager (enumerator) or TaskManager (reader), never on the
     * client. Sends no request.
     *
     * @param configuration JSON as described in docs/native-interface.md; holds the account key,
     *     never log it
     * @throws ChangeFeedException when the configuration is refused or the native library cannot be
     *     used here
     */
    ChangeFeedSession open(byte[] configuration) throws ChangeFeedException;
}
