// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.reader.deserializer;

import org.apache.flink.annotation.PublicEvolving;

/** What was done to an item. */
@PublicEvolving
public enum ChangeOperation {
    /**
     * Created or replaced, some time ago: the latest-version feed does not tell which, nor does the
     * present state before the changes.
     */
    UNKNOWN,
    CREATE,
    REPLACE,
    /** By a client or by time to live; {@link CosmosDBRecordMetadata#isTimeToLiveExpired} tells. */
    DELETE
}
