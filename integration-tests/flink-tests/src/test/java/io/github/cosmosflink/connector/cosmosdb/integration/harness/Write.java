// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.integration.harness;

/** A write that took effect in a container, as the server or the writer itself has noted it. */
public final class Write {

    final String id;
    final String partitionKey;

    /** The version that it made, without quotes. */
    final String etag;

    final boolean deleted;

    Write(String id, String partitionKey, String etag, boolean deleted) {
        this.id = id;
        this.partitionKey = partitionKey;
        this.etag = etag;
        this.deleted = deleted;
    }

    public String id() {
        return id;
    }

    public String etag() {
        return etag;
    }

    @Override
    public String toString() {
        return partitionKey + "/" + id + " " + etag + (deleted ? " deleted" : "");
    }
}
