// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.integration.harness;

import java.io.Serializable;

/** A change as a job has seen it. Public fields and a constructor without arguments: a POJO. */
public class Change implements Serializable {

    private static final long serialVersionUID = 1L;

    public String id;
    public String partitionKey;

    /** Names the version of the item, without its quotes; empty for a delete. */
    public String etag;

    public String operation;

    /** Of the previous image; empty without one. */
    public String previousEtag;

    public boolean timeToLiveExpired;

    public long lsn;

    /** Milliseconds since the epoch. */
    public long timestamp;

    public String splitId;

    /** When it was deserialized, in nanoseconds of this JVM: the order in which it was emitted. */
    public long emitted;

    /** What {@link #parse} reads; none of the values holds a tab. */
    public String toLine() {
        return String.join(
                "\t",
                id,
                partitionKey,
                etag,
                operation,
                previousEtag,
                Boolean.toString(timeToLiveExpired),
                Long.toString(lsn),
                Long.toString(timestamp),
                splitId,
                Long.toString(emitted));
    }

    public static Change parse(String line) {
        String[] fields = line.split("\t", -1);
        Change change = new Change();
        change.id = fields[0];
        change.partitionKey = fields[1];
        change.etag = fields[2];
        change.operation = fields[3];
        change.previousEtag = fields[4];
        change.timeToLiveExpired = Boolean.parseBoolean(fields[5]);
        change.lsn = Long.parseLong(fields[6]);
        change.timestamp = Long.parseLong(fields[7]);
        change.splitId = fields[8];
        change.emitted = Long.parseLong(fields[9]);
        return change;
    }

    @Override
    public String toString() {
        return toLine();
    }
}
