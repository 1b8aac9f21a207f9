// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.nativelib;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** Writes page indexes as docs/native-interface.md lays them out, for tests. */
final class PageIndexes {

    static final int HEADER = 72;
    static final int ROW = 64;

    private final ByteArrayOutputStream rows = new ByteArrayOutputStream();
    private int kind = 1;
    private long pageId;
    private int documents;
    private int groups;
    private byte[] endPosition = new byte[0];
    private byte[] children = new byte[0];

    /** Of the documents to come. */
    private int previousOffset;

    private int previousLength;
    private byte flags;
    private int idOffset;
    private int idLength;
    private int keyOffset;
    private int keyLength;

    PageIndexes kind(int number) {
        kind = number;
        return this;
    }

    PageIndexes pageId(long id) {
        pageId = id;
        return this;
    }

    PageIndexes groups(int count) {
        groups = count;
        return this;
    }

    PageIndexes endPosition(byte[] position) {
        endPosition = position;
        return this;
    }

    PageIndexes children(byte[] framed) {
        children = framed;
        return this;
    }

    PageIndexes previous(int offset, int length) {
        previousOffset = offset;
        previousLength = length;
        return this;
    }

    PageIndexes flags(int bits) {
        flags = (byte) bits;
        return this;
    }

    PageIndexes id(int offset, int length) {
        idOffset = offset;
        idLength = length;
        return this;
    }

    PageIndexes partitionKey(int offset, int length) {
        keyOffset = offset;
        keyLength = length;
        return this;
    }

    PageIndexes document(
            int offset, int length, long lsn, int etagOffset, int etagLength, int group) {
        ByteBuffer row = ByteBuffer.allocate(ROW).order(ByteOrder.LITTLE_ENDIAN);
        row.putInt(offset).putInt(length).putLong(lsn).putLong(lsn * 1000);
        row.putInt(etagOffset).putInt(etagLength).putInt(previousOffset).putInt(previousLength);
        row.put((byte) (lsn % 4)).put(flags).put(new byte[2]).putInt(group);
        row.putInt(idOffset).putInt(idLength).putInt(keyOffset).putInt(keyLength);
        rows.writeBytes(row.array());
        documents++;
        return this;
    }

    byte[] bytes() {
        byte[] splitId = "split-7".getBytes(UTF_8);
        int tail = HEADER + rows.size();
        ByteBuffer index =
                ByteBuffer.allocate(tail + splitId.length + endPosition.length + children.length)
                        .order(ByteOrder.LITTLE_ENDIAN);
        index.putInt(2).putInt(kind).putLong(pageId).putInt(documents).putInt(groups);
        for (byte[] field : new byte[][] {splitId, endPosition, children}) {
            index.putInt(tail).putInt(field.length);
            tail += field.length;
        }
        index.putDouble(2.5).putLong(4096).putLong(77);
        index.put(rows.toByteArray()).put(splitId).put(endPosition).put(children);
        return index.array();
    }
}
