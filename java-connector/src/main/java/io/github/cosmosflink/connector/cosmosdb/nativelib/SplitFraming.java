// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.nativelib;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.github.cosmosflink.connector.cosmosdb.source.backend.SplitSnapshot;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.stream.Collectors;

/** "Framed splits" of docs/native-interface.md. Positions pass through unread. */
final class SplitFraming {

    private static final byte[] NO_POSITION = new byte[0];

    private SplitFraming() {}

    static byte[] encode(Collection<SplitSnapshot> splits) {
        List<byte[]> fields = new ArrayList<>(3 * splits.size());
        int length = Integer.BYTES;
        for (SplitSnapshot split : splits) {
            for (byte[] field :
                    new byte[][] {
                        split.splitId().getBytes(UTF_8),
                        split.feedRange().getBytes(UTF_8),
                        split.position()
                    }) {
                fields.add(field);
                length = Math.addExact(length, Integer.BYTES + field.length);
            }
        }
        ByteBuffer out = ByteBuffer.allocate(length).order(ByteOrder.LITTLE_ENDIAN);
        out.putInt(splits.size());
        for (byte[] field : fields) {
            out.putInt(field.length).put(field);
        }
        return out.array();
    }

    /** Splits of which only the ids matter. */
    static byte[] encodeIds(Collection<String> splitIds) {
        return encode(
                splitIds.stream()
                        .map(id -> new SplitSnapshot(id, "", NO_POSITION))
                        .collect(Collectors.toList()));
    }

    /**
     * @throws IllegalArgumentException when the bytes are truncated or go on after the last split
     */
    static List<SplitSnapshot> decode(ByteBuffer bytes) {
        ByteBuffer in = bytes.duplicate().order(ByteOrder.LITTLE_ENDIAN);
        int count = length(in, "count");
        List<SplitSnapshot> splits = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            String splitId = new String(field(in), UTF_8);
            String feedRange = new String(field(in), UTF_8);
            splits.add(new SplitSnapshot(splitId, feedRange, field(in)));
        }
        if (in.hasRemaining()) {
            throw new IllegalArgumentException(
                    "framed splits: " + in.remaining() + " bytes left over");
        }
        return splits;
    }

    private static byte[] field(ByteBuffer in) {
        int length = length(in, "length");
        if (length > in.remaining()) {
            throw new IllegalArgumentException(
                    "framed splits: a field of "
                            + length
                            + " bytes, "
                            + in.remaining()
                            + " are left");
        }
        byte[] field = new byte[length];
        in.get(field);
        return field;
    }

    private static int length(ByteBuffer in, String what) {
        if (in.remaining() < Integer.BYTES) {
            throw new IllegalArgumentException("framed splits: truncated " + what);
        }
        int length = in.getInt();
        if (length < 0) {
            throw new IllegalArgumentException("framed splits: " + what + " " + length);
        }
        return length;
    }
}
