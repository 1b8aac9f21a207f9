// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source;

import org.apache.flink.annotation.PublicEvolving;

/**
 * What to do when reading all versions and deletes goes on at a position that is older than the
 * changes that the service retains: what was changed in between cannot be read any more.
 */
@PublicEvolving
public enum RetentionExpired {
    /** The job fails with code {@code RETENTION_EXPIRED}. */
    FAIL,
    /**
     * The feed range goes on at the latest change. What was changed before is lost, which a warning
     * and the metric {@code retentionExpired} say.
     */
    START_FROM_NOW,
    /**
     * The feed range is read as by {@link StartPosition#presentStateThenChanges()}: every item that
     * exists comes again, then what changes. Deletes and intermediate versions from before are
     * lost.
     */
    PRESENT_STATE_THEN_CHANGES
}
