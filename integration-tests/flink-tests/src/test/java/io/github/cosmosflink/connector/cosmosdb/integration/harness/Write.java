// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.integration.harness;

/** A write that took effect in a container, as the server or the writer itself has noted it. */
public final class Write {

    final String id;
    final String partitionKey;

    /** The version that it made, without quotes; empty for a delete. */
    final String etag;

    final boolean deleted;

    /** Whether it is a delete by time to live. */
    final boolean timeToLiveExpired;

    /** 0 when only the service knows it. */
    final long lsn;

    /** Since the epoch; 0 when only the service knows it. */
    final long second;

    /**
     * The physical partition that the one which took the write has come from by splits; empty when
     * only the service knows it. LSNs can be compared within.
     */
    final String root;

    Write(
            String id,
            String partitionKey,
            String etag,
            boolean deleted,
            boolean timeToLiveExpired,
            long lsn,
            long second,
            String root) {
        this.id = id;
        this.partitionKey = partitionKey;
        this.etag = etag;
        this.deleted = deleted;
        this.timeToLiveExpired = timeToLiveExpired;
        this.lsn = lsn;
        this.second = second;
        this.root = root;
    }

    /** As the one who writes knows it. */
    static Write noted(String id, String partitionKey, String etag, boolean deleted) {
        return new Write(id, partitionKey, etag, deleted, false, 0, 0, "");
    }

    public String id() {
        return id;
    }

    public String partitionKey() {
        return partitionKey;
    }

    public long lsn() {
        return lsn;
    }

    public String etag() {
        return etag;
    }

    public boolean isDelete() {
        return deleted;
    }

    public boolean isTimeToLiveExpired() {
        return timeToLiveExpired;
    }

    /** What stays when the item changes. */
    String item() {
        return partitionKey + "/" + id;
    }

    @Override
    public String toString() {
        return item() + " " + etag + (deleted ? " deleted" : "") + " at " + root + ":" + lsn;
    }
}
