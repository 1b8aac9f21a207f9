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

    /** Version 1 as it stands in users' savepoints: never to be changed. */
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
            3,
            0,
            -1,
            127 // position
        };

        assertThat(SERIALIZER.deserialize(1, bytes)).isEqualTo(SPLIT);
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
                .hasMessageContaining("2 bytes follow its end");
    }

    @Test
    void aNegativeLengthIsRefused() throws Exception {
        byte[] bytes = SERIALIZER.serialize(SPLIT);
        bytes[0] = -1;

        assertThatThrownBy(() -> SERIALIZER.deserialize(1, bytes))
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
