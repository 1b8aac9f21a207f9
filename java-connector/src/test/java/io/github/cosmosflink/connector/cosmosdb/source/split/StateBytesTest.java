// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.split;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.Test;

public class StateBytesTest {

    /** Fields with their checksum behind them. */
    public static byte[] sealed(byte[] fields) {
        CRC32C checksum = new CRC32C();
        checksum.update(fields, 0, fields.length);
        return ByteBuffer.allocate(fields.length + Integer.BYTES)
                .put(fields)
                .putInt((int) checksum.getValue())
                .array();
    }

    @Test
    void whatIsWrittenIsRead() throws Exception {
        StateBytes.Writer out = new StateBytes.Writer();
        out.writeByte(0xfd);
        out.writeInt(2);
        out.writeText("é");
        out.writeLong(1L << 40);
        byte[] bytes = out.toBytes();
        assertThat(bytes.length).isEqualTo(1 + 4 + 4 + 2 + 8 + 4);

        StateBytes.Reader in = new StateBytes.Reader("this", bytes);
        assertThat(in.readByte()).isEqualTo(0xfd);
        assertThat(in.readCount()).isEqualTo(2);
        assertThat(in.readText()).isEqualTo("é");
        assertThat(in.readTransfer()).isEqualTo(1L << 40);
        in.expectEnd();
    }

    @Test
    void aNegativeTransferIsRefused() throws Exception {
        StateBytes.Writer out = new StateBytes.Writer();
        out.writeLong(-1);
        StateBytes.Reader in = new StateBytes.Reader("this", out.toBytes());

        assertThatThrownBy(in::readTransfer)
                .isInstanceOf(IOException.class)
                .hasMessage("this is corrupt: a transfer -1");
    }

    @Test
    void fewerBytesThanAChecksumHasAreRefused() {
        assertThatThrownBy(() -> new StateBytes.Reader("this", new byte[3]))
                .isInstanceOf(IOException.class)
                .hasMessage("this is corrupt: it has 3 bytes");
    }
}
