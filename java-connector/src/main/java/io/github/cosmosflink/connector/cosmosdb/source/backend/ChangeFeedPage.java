// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.backend;

import java.util.List;
import javax.annotation.Nullable;

/**
 * One page of one split, or one event of it. Documents are counted from 0 in feed order; commit
 * groups are contiguous runs of documents that share an LSN and must be emitted together.
 *
 * <p>Valid until {@link #recycle}. Everything handed out is a copy that outlives the page.
 */
public interface ChangeFeedPage {

    /** Value of an LSN or timestamp that the document does not have. */
    long ABSENT = Long.MIN_VALUE;

    /** The {@link #operation} of a delete. */
    byte DELETE = 3;

    /** What the page says about its split. */
    enum Kind {
        /** Documents, or none: then one empty group that only moves the position. */
        DOCUMENTS,
        /** A bounded range has reached its end; no more pages will come. */
        RANGE_FINISHED,
        /** The range was split; it has ended and {@link #children()} go on where it ended. */
        RANGE_SPLIT,
        /**
         * The range is read no more because {@link ChangeFeedSession#releaseSplits} asked for it.
         */
        RANGE_RELEASED
    }

    Kind kind();

    String splitId();

    int documentCount();

    /** At least 1 for {@link Kind#DOCUMENTS}, 0 otherwise. */
    int groupCount();

    /**
     * Index of the group's first document. {@code groupStart(groupCount())} is {@link
     * #documentCount()}.
     */
    int groupStart(int group);

    /** The document's JSON as UTF-8, a fresh array; empty for a delete. */
    byte[] document(int index);

    /** The document before the change like {@link #document}, or null when there is none. */
    @Nullable
    byte[] previousDocument(int index);

    /** Log sequence number, or {@link #ABSENT}. */
    long lsn(int index);

    /** {@code _ts} (or {@code crts}) in milliseconds since the epoch, or {@link #ABSENT}. */
    long timestampMillis(int index);

    /** 0 unknown (latest version), 1 create, 2 replace, {@link #DELETE}. */
    byte operation(int index);

    /** Whether it is a delete by time to live. */
    boolean isTimeToLiveExpired(int index);

    /** The item's id without decoding the document, or null when it has none. */
    @Nullable
    String id(int index);

    /** The partition key as JSON text, or null; there with deletes. */
    @Nullable
    String partitionKey(int index);

    /** The item's ETag without decoding the document, or null when it has none. */
    @Nullable
    String etag(int index);

    /**
     * Position bytes for "groups 0 to {@code group} of this page have been emitted". Made by the
     * core; opaque.
     */
    byte[] positionAfter(int group) throws ChangeFeedException;

    /**
     * The children of {@link Kind#RANGE_SPLIT}, positions inherited from the parent's end; empty
     * otherwise.
     */
    List<SplitSnapshot> children();

    /** The partition's newest LSN when it answered, or {@link #ABSENT}. */
    long partitionLsn();

    /** Request charge of the page, in request units. */
    double requestCharge();

    /** Gives the memory back. Idempotent, any thread, also after the session was closed. */
    void recycle();
}
