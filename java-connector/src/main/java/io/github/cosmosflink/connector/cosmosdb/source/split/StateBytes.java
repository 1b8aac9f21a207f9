// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.split;

import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.zip.CRC32C;
import org.apache.flink.annotation.Internal;

/**
 * The framing that all state of the source shares: big-endian integers, texts and byte arrays
 * behind their length, and a checksum at the end. Reading refuses what is too short, too long,
 * damaged or not what its length says.
 */
@Internal
public final class StateBytes {

    /** The checksum: CRC-32C of all bytes before it. */
    private static final int CHECKSUM_BYTES = Integer.BYTES;

    private StateBytes() {}

    private static int checksum(byte[] bytes, int length) {
        CRC32C checksum = new CRC32C();
        checksum.update(bytes, 0, length);
        return (int) checksum.getValue();
    }

    /** Collects fields. */
    public static final class Writer {

        private final ByteArrayOutputStream bytes = new ByteArrayOutputStream(256);
        private final DataOutputStream out = new DataOutputStream(bytes);

        public void writeByte(int value) throws IOException {
            out.writeByte(value);
        }

        public void writeInt(int value) throws IOException {
            out.writeInt(value);
        }

        public void writeLong(long value) throws IOException {
            out.writeLong(value);
        }

        public void writeBytes(byte[] value) throws IOException {
            out.writeInt(value.length);
            out.write(value);
        }

        public void writeText(String value) throws IOException {
            writeBytes(value.getBytes(StandardCharsets.UTF_8));
        }

        /** Ends with the checksum; nothing is written after it. */
        public byte[] toBytes() throws IOException {
            byte[] fields = bytes.toByteArray();
            out.writeInt(checksum(fields, fields.length));
            return bytes.toByteArray();
        }
    }

    /** Gives the fields back; every refusal names the kind of state. */
    public static final class Reader {

        private final String what;
        private final ByteBuffer bytes;

        /**
         * @param what the kind of state, for errors
         */
        public Reader(String what, byte[] bytes) throws IOException {
            this.what = what;
            int length = bytes.length - CHECKSUM_BYTES;
            if (length < 0) {
                throw new IOException(
                        String.format("%s is corrupt: it has %d bytes", what, bytes.length));
            }
            int found = ByteBuffer.wrap(bytes).getInt(length);
            int expected = checksum(bytes, length);
            if (found != expected) {
                throw new IOException(
                        String.format(
                                "%s is corrupt: the checksum of its %d bytes is %08x, found %08x:"
                                        + " it was cut, continued or damaged",
                                what, bytes.length, expected, found));
            }
            this.bytes = ByteBuffer.wrap(bytes, 0, length);
        }

        /** 0 to 255. */
        public int readByte() throws IOException {
            try {
                return Byte.toUnsignedInt(bytes.get());
            } catch (BufferUnderflowException e) {
                throw truncated();
            }
        }

        /** A transfer's number, or 0 for none: never negative. */
        public long readTransfer() throws IOException {
            try {
                long transfer = bytes.getLong();
                if (transfer < 0) {
                    throw new IOException(
                            String.format("%s is corrupt: a transfer %d", what, transfer));
                }
                return transfer;
            } catch (BufferUnderflowException e) {
                throw truncated();
            }
        }

        /** A count or length: never negative. */
        public int readCount() throws IOException {
            int count;
            try {
                count = bytes.getInt();
            } catch (BufferUnderflowException e) {
                throw truncated();
            }
            // Nothing counted here takes less than a byte, so this also keeps a damaged count from
            // allocating much.
            if (count < 0 || count > bytes.remaining()) {
                throw new IOException(
                        String.format(
                                "%s is corrupt: a length of %d at byte %d, where %d bytes are left",
                                what, count, bytes.position() - 4, bytes.remaining()));
            }
            return count;
        }

        public byte[] readBytes() throws IOException {
            byte[] value = new byte[readCount()];
            bytes.get(value);
            return value;
        }

        public String readText() throws IOException {
            int start = bytes.position();
            try {
                // A new decoder refuses what is not UTF-8; a String would replace it.
                return StandardCharsets.UTF_8
                        .newDecoder()
                        .decode(ByteBuffer.wrap(readBytes()))
                        .toString();
            } catch (CharacterCodingException e) {
                throw new IOException(
                        String.format(
                                "%s is corrupt: the text at byte %d is not UTF-8", what, start),
                        e);
            }
        }

        public void expectEnd() throws IOException {
            if (bytes.hasRemaining()) {
                throw new IOException(
                        String.format(
                                "%s is corrupt: %d bytes follow its end", what, bytes.remaining()));
            }
        }

        private IOException truncated() {
            return new IOException(
                    String.format("%s is corrupt: it ends at byte %d", what, bytes.limit()));
        }
    }

    /** The refusal of a version that this connector does not know. */
    public static IOException unknownVersion(String what, int found, int known) {
        return new IOException(
                String.format(
                        "%s has format version %d, this connector reads versions 1 to %d:"
                                + " it was written by a newer connector or is corrupt",
                        what, found, known));
    }
}
