// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.split;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

class CosmosDBSplitSerializerTest {

    private static final CosmosDBSplitSerializer SERIALIZER = CosmosDBSplitSerializer.INSTANCE;
    private static final CosmosDBSplit SPLIT =
            new CosmosDBSplit("7-é", "[,05C1)", new byte[] {0, -1, 127});

    @Test
    void aSplitComesBack() throws Exception {
        byte[] bytes = SERIALIZER.serialize(SPLIT);

        assertThat(SERIALIZER.deserialize(SERIALIZER.getVersion(), bytes)).isEqualTo(SPLIT);
    }

    @Test
    void aParkedSplitComesBack() throws Exception {
        CosmosDBSplit parked = SPLIT.parkedFor(0x0102030405060708L);

        assertThat(SERIALIZER.deserialize(1, SERIALIZER.serialize(parked))).isEqualTo(parked);
        assertThat(parked.isParked()).isTrue();
        assertThat(parked.unparked()).isEqualTo(SPLIT);
    }

    /** Version 1 as docs/state-format.md has it: never to be changed. */
    @Test
    void version1IsRead() throws Exception {
        byte[] bytes = {
            0,
            0,
            0,
            4,
            '7',
            '-',
            (byte) 0xc3,
            (byte) 0xa9, // id
            0,
            0,
            0,
            7,
            '[',
            ',',
            '0',
            '5',
            'C',
            '1',
            ')', // feed range
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0, // not parked
            0,
            0,
            0,
            3,
            0,
            -1,
            127 // position
        };

        assertThat(SERIALIZER.deserialize(1, StateBytesTest.sealed(bytes))).isEqualTo(SPLIT);
    }

    @Test
    void everyTruncationIsRefused() throws Exception {
        byte[] bytes = SERIALIZER.serialize(SPLIT);

        for (int length = 0; length < bytes.length; length++) {
            byte[] truncated = Arrays.copyOf(bytes, length);
            assertThatThrownBy(() -> SERIALIZER.deserialize(1, truncated))
                    .as("%s of %s bytes", length, bytes.length)
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("the state of a Cosmos DB split is corrupt");
        }
    }

    @Test
    void trailingBytesAreRefused() throws Exception {
        byte[] bytes = SERIALIZER.serialize(SPLIT);
        byte[] longer = Arrays.copyOf(bytes, bytes.length + 2);
        assertThatThrownBy(() -> SERIALIZER.deserialize(1, longer))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("is corrupt");

        byte[] sealedAgain = StateBytesTest.sealed(Arrays.copyOf(bytes, bytes.length - 4 + 2));
        assertThatThrownBy(() -> SERIALIZER.deserialize(1, sealedAgain))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("2 bytes follow its end");
    }

    @Test
    void everyFlippedBitIsRefused() throws Exception {
        byte[] bytes = SERIALIZER.serialize(SPLIT);
        for (int bit = 0; bit < bytes.length * 8; bit++) {
            byte[] damaged = bytes.clone();
            damaged[bit / 8] ^= (byte) (1 << bit % 8);
            assertThatThrownBy(() -> SERIALIZER.deserialize(1, damaged))
                    .as("bit %s", bit)
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("the checksum");
        }
    }

    @Test
    void aNegativeLengthIsRefused() throws Exception {
        byte[] bytes = SERIALIZER.serialize(SPLIT);
        byte[] fields = Arrays.copyOf(bytes, bytes.length - 4);
        fields[0] = -1;

        assertThatThrownBy(() -> SERIALIZER.deserialize(1, StateBytesTest.sealed(fields)))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("is corrupt: a length of");
    }

    @Test
    void anUnknownVersionIsRefused() throws Exception {
        byte[] bytes = SERIALIZER.serialize(SPLIT);

        for (int version : new int[] {-1, 0, 2}) {
            assertThatThrownBy(() -> SERIALIZER.deserialize(version, bytes))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("format version " + version)
                    .hasMessageContaining("versions 1 to 1");
        }
    }
}
