// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source;

import org.apache.flink.annotation.PublicEvolving;

/** Which of the service's two change feeds is read. */
@PublicEvolving
public enum ChangeFeedMode {
    /**
     * The last version of each item that exists, in the order of the last changes. No deletes, no
     * versions between two reads; reaches back to the container's beginning.
     */
    LATEST_VERSION,
    /**
     * Every create, replace and delete, also by time to live, with the previous image where the
     * service has it. Needs an account with continuous backup and the mode switched on, reaches
     * back as far as the service retains changes, and starts at now or at a token only.
     */
    ALL_VERSIONS_AND_DELETES
}
