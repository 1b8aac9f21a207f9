// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.reader;

import io.github.cosmosflink.connector.cosmosdb.source.backend.ChangeFeedPage;
import io.github.cosmosflink.connector.cosmosdb.source.reader.deserializer.ChangeOperation;
import io.github.cosmosflink.connector.cosmosdb.source.reader.deserializer.CosmosDBRecordMetadata;
import java.util.OptionalLong;
import javax.annotation.Nullable;

/** Shows one document of a page after the other; nothing is copied before it is asked for. */
final class PageRecordMetadata implements CosmosDBRecordMetadata {

    /** By the numbers that the page has for them. */
    private static final ChangeOperation[] OPERATIONS = {
        ChangeOperation.UNKNOWN,
        ChangeOperation.CREATE,
        ChangeOperation.REPLACE,
        ChangeOperation.DELETE
    };

    @Nullable private ChangeFeedPage page;
    private int index;
    private String feedRange;

    void show(ChangeFeedPage page, int index, String feedRange) {
        this.page = page;
        this.index = index;
        this.feedRange = feedRange;
    }

    void hide() {
        page = null;
    }

    private ChangeFeedPage page() {
        if (page == null) {
            throw new IllegalStateException(
                    "a record's metadata is valid only during the call of deserialize");
        }
        return page;
    }

    @Override
    public String splitId() {
        return page().splitId();
    }

    @Override
    public String feedRange() {
        page();
        return feedRange;
    }

    @Override
    public OptionalLong lsn() {
        return optional(page().lsn(index));
    }

    @Override
    public OptionalLong timestampMillis() {
        return optional(page().timestampMillis(index));
    }

    private static OptionalLong optional(long value) {
        return value == ChangeFeedPage.ABSENT ? OptionalLong.empty() : OptionalLong.of(value);
    }

    @Override
    public ChangeOperation operation() {
        byte code = page().operation(index);
        if (code < 0 || code >= OPERATIONS.length) {
            throw new IllegalStateException("an operation of an unknown code: " + code);
        }
        return OPERATIONS[code];
    }

    @Override
    public boolean isTimeToLiveExpired() {
        return page().isTimeToLiveExpired(index);
    }

    @Nullable
    @Override
    public String id() {
        return page().id(index);
    }

    @Nullable
    @Override
    public String partitionKey() {
        return page().partitionKey(index);
    }

    @Nullable
    @Override
    public byte[] previousDocument() {
        return page().previousDocument(index);
    }

    @Nullable
    @Override
    public String etag() {
        return page().etag(index);
    }

    @Override
    public String toString() {
        return page == null
                ? "no document"
                : "document " + index + " of a page of feed range " + feedRange + ", LSN " + lsn();
    }
}
