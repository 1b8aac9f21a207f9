// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.nativelib;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.github.cosmosflink.connector.cosmosdb.source.backend.ChangeFeedPage.Kind;
import io.github.cosmosflink.connector.cosmosdb.source.backend.SplitSnapshot;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;

/**
 * "A page's index" of docs/native-interface.md, read in place. What an accessor returns has been
 * checked to lie within the index or the body, so a wrong layout is an {@link
 * IllegalArgumentException} here and not a wild read later.
 */
final class PageIndex {

    private static final int LAYOUT_VERSION = 2;
    private static final int HEADER_BYTES = 72;
    private static final int ROW_BYTES = 64;

    /** Where a row says what lies in the body: document, ETag, previous image, id, key. */
    private static final int[] BODY_FIELDS = {0, 24, 32, 48, 56};

    /** Flag of a row: a delete by time to live. */
    private static final int TIME_TO_LIVE_EXPIRED = 1;

    private final byte[] bytes;
    private final ByteBuffer buffer;
    private final Kind kind;
    private final int documents;
    private final String splitId;

    /** First document of each group, and the number of documents at the end. */
    private final int[] groupStarts;

    /**
     * @param bodyBytes length of the page's body, 0 when it has none
     */
    PageIndex(byte[] bytes, int bodyBytes) {
        this.bytes = bytes;
        this.buffer = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
        if (bytes.length < HEADER_BYTES) {
            throw malformed("of " + bytes.length + " bytes");
        }
        if (buffer.getInt(0) != LAYOUT_VERSION) {
            throw malformed("of layout version " + buffer.getInt(0));
        }
        this.kind = kind(buffer.getInt(4));
        this.documents = buffer.getInt(16);
        if (documents < 0 || documents > (bytes.length - HEADER_BYTES) / ROW_BYTES) {
            throw malformed("of " + bytes.length + " bytes with " + documents + " documents");
        }
        for (int field : new int[] {24, 32, 40}) {
            requireWithin(field, bytes.length);
        }
        for (int document = 0; document < documents; document++) {
            for (int field : BODY_FIELDS) {
                requireWithin(row(document) + field, bodyBytes);
            }
        }
        this.groupStarts = groupStarts(buffer.getInt(20));
        this.splitId = new String(field(24), UTF_8);
    }

    private static Kind kind(int number) {
        Kind[] kinds = Kind.values();
        if (number < 1 || number > kinds.length) {
            throw malformed("of kind " + number);
        }
        return kinds[number - 1];
    }

    private int[] groupStarts(int groups) {
        int most = kind != Kind.DOCUMENTS ? 0 : Math.max(1, documents);
        if (groups < Math.min(1, most) || groups > most) {
            throw malformed("of " + documents + " documents with " + groups + " groups");
        }
        int[] starts = new int[groups + 1];
        int last = -1;
        for (int document = 0; document < documents; document++) {
            int group = buffer.getInt(row(document) + 44);
            if (group != last) {
                if (group != last + 1 || group >= groups) {
                    throw malformed(
                            "with group " + group + " after group " + last + " of " + groups);
                }
                starts[group] = document;
                last = group;
            }
        }
        if (documents > 0 && last != groups - 1) {
            throw malformed("with rows of " + (last + 1) + " groups of " + groups);
        }
        starts[groups] = documents;
        return starts;
    }

    /** Checks an offset and a length against what they point into. */
    private void requireWithin(int field, int limit) {
        long offset = Integer.toUnsignedLong(buffer.getInt(field));
        long length = Integer.toUnsignedLong(buffer.getInt(field + 4));
        if (length != 0 && offset + length > limit) {
            throw malformed("with a field that ends at " + (offset + length) + " of " + limit);
        }
    }

    private byte[] field(int field) {
        int length = buffer.getInt(field + 4);
        int offset = length == 0 ? 0 : buffer.getInt(field);
        return Arrays.copyOfRange(bytes, offset, offset + length);
    }

    private static IllegalArgumentException malformed(String what) {
        return new IllegalArgumentException("a page index " + what);
    }

    private int row(int document) {
        return HEADER_BYTES + ROW_BYTES * document;
    }

    private int checkedRow(int document) {
        if (document < 0 || document >= documents) {
            throw new IndexOutOfBoundsException("document " + document + " of " + documents);
        }
        return row(document);
    }

    Kind kind() {
        return kind;
    }

    long pageId() {
        return buffer.getLong(8);
    }

    int documents() {
        return documents;
    }

    int groups() {
        return groupStarts.length - 1;
    }

    int groupStart(int group) {
        return groupStarts[group];
    }

    String splitId() {
        return splitId;
    }

    byte[] endPosition() {
        return field(32);
    }

    List<SplitSnapshot> children() {
        return buffer.getInt(44) == 0
                ? Collections.emptyList()
                : SplitFraming.decode(ByteBuffer.wrap(field(40)));
    }

    long partitionLsn() {
        return buffer.getLong(64);
    }

    double requestCharge() {
        return buffer.getDouble(48);
    }

    int documentOffset(int document) {
        return buffer.getInt(checkedRow(document));
    }

    int documentLength(int document) {
        return buffer.getInt(checkedRow(document) + 4);
    }

    long lsn(int document) {
        return buffer.getLong(checkedRow(document) + 8);
    }

    long timestampMillis(int document) {
        return buffer.getLong(checkedRow(document) + 16);
    }

    int etagOffset(int document) {
        return buffer.getInt(checkedRow(document) + 24);
    }

    int etagLength(int document) {
        return buffer.getInt(checkedRow(document) + 28);
    }

    int previousOffset(int document) {
        return buffer.getInt(checkedRow(document) + 32);
    }

    int previousLength(int document) {
        return buffer.getInt(checkedRow(document) + 36);
    }

    byte operation(int document) {
        return buffer.get(checkedRow(document) + 40);
    }

    boolean isTimeToLiveExpired(int document) {
        return (buffer.get(checkedRow(document) + 41) & TIME_TO_LIVE_EXPIRED) != 0;
    }

    int idOffset(int document) {
        return buffer.getInt(checkedRow(document) + 48);
    }

    int idLength(int document) {
        return buffer.getInt(checkedRow(document) + 52);
    }

    int partitionKeyOffset(int document) {
        return buffer.getInt(checkedRow(document) + 56);
    }

    int partitionKeyLength(int document) {
        return buffer.getInt(checkedRow(document) + 60);
    }
}
