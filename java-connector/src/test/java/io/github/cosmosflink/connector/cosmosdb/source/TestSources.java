// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source;

import io.github.cosmosflink.connector.cosmosdb.source.backend.ChangeFeedBackend;
import io.github.cosmosflink.connector.cosmosdb.source.reader.deserializer.CosmosDBChange;
import io.github.cosmosflink.connector.cosmosdb.source.reader.deserializer.CosmosDBDeserializationSchema;

/** Valid sources for tests; what a test is about it sets itself. */
public final class TestSources {

    /** A key by its form only. */
    public static final String KEY = "c2VjcmV0LXNlY3JldC1zZWNyZXQ=";

    private TestSources() {}

    public static CosmosDBSourceBuilder<String> builder() {
        return CosmosDBSource.<String>builder()
                .endpoint("https://account.documents.azure.com:443/")
                .key(KEY)
                .database("shop")
                .container("orders")
                .deserializer(CosmosDBDeserializationSchema.json());
    }

    public static CosmosDBSourceBuilder<String> builder(ChangeFeedBackend backend) {
        return builder().backend(backend);
    }

    /** Of changes, for both modes. */
    static CosmosDBSourceBuilder<CosmosDBChange<String>> changes() {
        return CosmosDBSource.<CosmosDBChange<String>>builder()
                .endpoint("https://account.documents.azure.com:443/")
                .key(KEY)
                .database("shop")
                .container("orders")
                .deserializer(
                        CosmosDBDeserializationSchema.changes(
                                CosmosDBDeserializationSchema.json()));
    }

    /** Of a source that ignores deletes. */
    public static ChangeFeedConfiguration ignoringDeletes() {
        return new ChangeFeedConfiguration(builder().ignoreDeletes(true));
    }

    public static ChangeFeedConfiguration configuration(StopPosition stopAt) {
        return new ChangeFeedConfiguration(builder().stopAt(stopAt));
    }
}
