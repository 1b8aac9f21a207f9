// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.examples;

/**
 * What the example keeps of a change. Public fields and a constructor without arguments: a POJO to
 * Flink.
 */
public class Change {

    /** Id of the item, unique within its partition key. */
    public String id;

    /** Value of the partition key. */
    public String partitionKey;

    /** Names the version of the item. */
    public String etag;

    /** Log sequence number, -1 when the item came without one. */
    public long lsn;

    /** When the change was made, milliseconds since the epoch, -1 when the item came without it. */
    public long timestamp;
}
