// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source;

import org.apache.flink.annotation.PublicEvolving;

/**
 * What to do with a change that has no log sequence number, by which repeats are told after a
 * failure.
 */
@PublicEvolving
public enum ItemsWithoutLsn {
    /** The job fails. */
    FAIL,
    /** The whole page becomes one unit: emitted and recovered together. */
    PAGE
}
