// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.split;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

class CosmosDBSplitSerializerTest extends StateSerializerContract<CosmosDBSplit> {

    private static final CosmosDBSplitSerializer SERIALIZER = CosmosDBSplitSerializer.INSTANCE;
    private static final CosmosDBSplit SPLIT =
            new CosmosDBSplit("7-é", "[,05C1)", new byte[] {0, -1, 127});

    CosmosDBSplitSerializerTest() {
        super(SERIALIZER, "the state of a Cosmos DB split", SPLIT.parkedFor(7));
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
    void aNegativeLengthIsRefused() throws Exception {
        byte[] bytes = SERIALIZER.serialize(SPLIT);
        byte[] fields = Arrays.copyOf(bytes, bytes.length - 4);
        fields[0] = -1;

        assertThatThrownBy(() -> SERIALIZER.deserialize(1, StateBytesTest.sealed(fields)))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("is corrupt: a length of");
    }
}
