// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.enumerator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.cosmosflink.connector.cosmosdb.source.enumerator.CosmosDBEnumeratorState.Entry;
import io.github.cosmosflink.connector.cosmosdb.source.enumerator.CosmosDBEnumeratorState.Move;
import io.github.cosmosflink.connector.cosmosdb.source.enumerator.CosmosDBEnumeratorState.Status;
import io.github.cosmosflink.connector.cosmosdb.source.split.CosmosDBSplit;
import io.github.cosmosflink.connector.cosmosdb.source.split.StateBytesTest;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

class CosmosDBEnumeratorStateSerializerTest {

    private static final CosmosDBEnumeratorStateSerializer SERIALIZER =
            CosmosDBEnumeratorStateSerializer.INSTANCE;

    private static final CosmosDBEnumeratorState STATE =
            new CosmosDBEnumeratorState(
                    List.of(
                            new Entry(split("a"), Status.PENDING, true),
                            new Entry(split("b"), Status.DIVIDED, true),
                            new Entry(split("c"), Status.ASSIGNED, false)),
                    12,
                    List.of(new Move("c", 11), new Move("x", 12)));

    private static CosmosDBSplit split(String id) {
        return new CosmosDBSplit(id, "[" + id + ")", new byte[] {1, 2});
    }

    @Test
    void aStateComesBack() throws Exception {
        assertThat(SERIALIZER.deserialize(1, SERIALIZER.serialize(STATE))).isEqualTo(STATE);
    }

    @Test
    void theStateBeforeDiscoveryComesBack() throws Exception {
        CosmosDBEnumeratorState empty = new CosmosDBEnumeratorState(List.of(), 0, List.of());

        assertThat(SERIALIZER.deserialize(1, SERIALIZER.serialize(empty))).isEqualTo(empty);
    }

    /** Version 1 as docs/state-format.md has it: never to be changed. */
    @Test
    void version1IsRead() throws Exception {
        byte[] split = {
            0, 0, 0, 1, 'c', 0, 0, 0, 3, '[', ',', ')', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 9
        };
        byte[] fields = {
            1, // split version
            0, 0, 0, 0, 0, 0, 0, 6, // last transfer
            0, 0, 0, 1, // moves
            0, 0, 0, 1, 'm', // split id
            0, 0, 0, 0, 0, 0, 0, 5, // transfer
            0, 0, 0, 1, // entries
            1, // assigned
            0, // a part of
            0, 0, 0, 29, // split
        };
        byte[] sealed = StateBytesTest.sealed(split);
        byte[] bytes = Arrays.copyOf(fields, fields.length + sealed.length);
        System.arraycopy(sealed, 0, bytes, fields.length, sealed.length);

        assertThat(SERIALIZER.deserialize(1, StateBytesTest.sealed(bytes)))
                .isEqualTo(
                        new CosmosDBEnumeratorState(
                                List.of(
                                        new Entry(
                                                new CosmosDBSplit("c", "[,)", new byte[] {9}),
                                                Status.ASSIGNED,
                                                false)),
                                6,
                                List.of(new Move("m", 5))));
    }

    @Test
    void everyTruncationIsRefused() throws Exception {
        byte[] bytes = SERIALIZER.serialize(STATE);

        for (int length = 0; length < bytes.length; length++) {
            byte[] truncated = Arrays.copyOf(bytes, length);
            assertThatThrownBy(() -> SERIALIZER.deserialize(1, truncated))
                    .as("%s of %s bytes", length, bytes.length)
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("is corrupt");
        }
    }

    @Test
    void trailingBytesAreRefused() throws Exception {
        byte[] bytes = SERIALIZER.serialize(STATE);
        byte[] longer = Arrays.copyOf(bytes, bytes.length + 1);

        assertThatThrownBy(() -> SERIALIZER.deserialize(1, longer))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("is corrupt");
        byte[] sealedAgain = StateBytesTest.sealed(Arrays.copyOf(bytes, bytes.length - 4 + 1));
        assertThatThrownBy(() -> SERIALIZER.deserialize(1, sealedAgain))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("1 bytes follow its end");
    }

    @Test
    void everyFlippedBitIsRefused() throws Exception {
        byte[] bytes = SERIALIZER.serialize(STATE);
        for (int bit = 0; bit < bytes.length * 8; bit++) {
            byte[] damaged = bytes.clone();
            damaged[bit / 8] ^= (byte) (1 << bit % 8);
            assertThatThrownBy(() -> SERIALIZER.deserialize(1, damaged))
                    .as("bit %s", bit)
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("the state of the Cosmos DB enumerator is corrupt");
        }
    }

    /** Whatever comes under a right checksum gives a state or an IOException. */
    @Test
    void damageUnderARightChecksumIsRefusedOrHarmless() throws Exception {
        byte[] bytes = SERIALIZER.serialize(STATE);
        byte[] fields = Arrays.copyOf(bytes, bytes.length - 4);
        for (int at = 0; at < fields.length; at++) {
            for (int flip : new int[] {0x01, 0x40, 0x80, 0xff}) {
                byte[] damaged = fields.clone();
                damaged[at] ^= (byte) flip;
                try {
                    assertThat(SERIALIZER.deserialize(1, StateBytesTest.sealed(damaged)))
                            .isNotEqualTo(STATE);
                } catch (IOException e) {
                    assertThat(e).hasMessageContaining("the state of");
                }
            }
        }
    }

    @Test
    void unknownVersionsAreRefused() throws Exception {
        byte[] bytes = SERIALIZER.serialize(STATE);
        assertThatThrownBy(() -> SERIALIZER.deserialize(2, bytes))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("the state of the Cosmos DB enumerator has format version 2");

        byte[] fields = Arrays.copyOf(bytes, bytes.length - 4);
        fields[0] = 3;
        assertThatThrownBy(() -> SERIALIZER.deserialize(1, StateBytesTest.sealed(fields)))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("the state of a Cosmos DB split has format version 3");
    }
}
