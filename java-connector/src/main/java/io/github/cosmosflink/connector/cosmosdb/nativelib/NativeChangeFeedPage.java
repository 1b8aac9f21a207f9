// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.nativelib;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.github.cosmosflink.connector.cosmosdb.source.backend.ChangeFeedException;
import io.github.cosmosflink.connector.cosmosdb.source.backend.ChangeFeedPage;
import io.github.cosmosflink.connector.cosmosdb.source.backend.SplitSnapshot;
import java.nio.ByteBuffer;
import java.util.List;
import javax.annotation.Nullable;

/**
 * A page of the core: its index on the heap, its documents in the core's memory. The memory is the
 * core's again from {@link #recycle} on, which another thread may call; so it is read under this
 * page's lock only, and never after.
 */
final class NativeChangeFeedPage implements ChangeFeedPage {

    private static final byte[] NO_DOCUMENT = new byte[0];

    private final NativeChangeFeedSession session;
    private final PageIndex index;

    /** The core's memory; null for events. Guarded by this, as is the flag. */
    @Nullable private ByteBuffer body;

    private boolean recycled;

    NativeChangeFeedPage(NativeChangeFeedSession session, byte[] index, @Nullable ByteBuffer body) {
        this.session = session;
        this.index = new PageIndex(index, body == null ? 0 : body.capacity());
        this.body = body;
    }

    /** Whether there is something to give back. */
    boolean holdsMemory() {
        return index.pageId() != 0;
    }

    @Override
    public Kind kind() {
        return index.kind();
    }

    @Override
    public String splitId() {
        return index.splitId();
    }

    @Override
    public int documentCount() {
        return index.documents();
    }

    @Override
    public int groupCount() {
        return index.groups();
    }

    @Override
    public int groupStart(int group) {
        return index.groupStart(group);
    }

    @Override
    public byte[] document(int document) {
        int length = index.documentLength(document);
        return length == 0 ? NO_DOCUMENT : copy(index.documentOffset(document), length);
    }

    @Override
    public long lsn(int document) {
        return index.lsn(document);
    }

    @Override
    public long timestampMillis(int document) {
        return index.timestampMillis(document);
    }

    @Override
    public byte operation(int document) {
        return index.operation(document);
    }

    @Override
    @Nullable
    public byte[] previousDocument(int document) {
        int length = index.previousLength(document);
        return length == 0 ? null : copy(index.previousOffset(document), length);
    }

    @Override
    public boolean isTimeToLiveExpired(int document) {
        return index.isTimeToLiveExpired(document);
    }

    @Override
    @Nullable
    public String id(int document) {
        return escapedText(index.idOffset(document), index.idLength(document));
    }

    @Override
    @Nullable
    public String partitionKey(int document) {
        int length = index.partitionKeyLength(document);
        return length == 0
                ? null
                : new String(copy(index.partitionKeyOffset(document), length), UTF_8);
    }

    @Override
    @Nullable
    public String etag(int document) {
        return escapedText(index.etagOffset(document), index.etagLength(document));
    }

    @Override
    public byte[] positionAfter(int group) throws ChangeFeedException {
        if (group < 0 || group >= index.groups()) {
            throw new IndexOutOfBoundsException("group " + group + " of " + index.groups());
        }
        // The usual case travels with the page: no call, and no need for the page to live.
        return group == index.groups() - 1
                ? index.endPosition()
                : session.positionAfter(index.pageId(), group);
    }

    @Override
    public List<SplitSnapshot> children() {
        return index.children();
    }

    @Override
    public long partitionLsn() {
        return index.partitionLsn();
    }

    @Override
    public double requestCharge() {
        return index.requestCharge();
    }

    @Override
    public void recycle() {
        synchronized (this) {
            if (recycled) {
                return;
            }
            recycled = true;
            body = null;
        }
        if (holdsMemory()) {
            session.recycle(this, index.pageId());
        }
    }

    @Nullable
    private String escapedText(int offset, int length) {
        return length == 0 ? null : EscapedText.unescape(new String(copy(offset, length), UTF_8));
    }

    private byte[] copy(int offset, int length) {
        byte[] bytes = new byte[length];
        synchronized (this) {
            if (body == null) {
                throw new IllegalStateException(
                        "the page of split " + splitId() + " has been given back");
            }
            body.position(offset);
            body.get(bytes);
        }
        return bytes;
    }

    @Override
    public String toString() {
        return index.kind() + " of " + splitId() + ", " + index.documents() + " documents";
    }
}
