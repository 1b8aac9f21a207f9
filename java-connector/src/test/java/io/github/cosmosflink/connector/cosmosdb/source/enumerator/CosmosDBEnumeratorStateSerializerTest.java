// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.enumerator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.cosmosflink.connector.cosmosdb.source.enumerator.CosmosDBEnumeratorState.Entry;
import io.github.cosmosflink.connector.cosmosdb.source.enumerator.CosmosDBEnumeratorState.Status;
import io.github.cosmosflink.connector.cosmosdb.source.split.CosmosDBSplit;
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
                            new Entry(split("a"), Status.PENDING, true, null),
                            new Entry(split("b"), Status.DIVIDED, true, null),
                            new Entry(split("c"), Status.ASSIGNED, false, "b"),
                            new Entry(split("d"), Status.ASSIGNED, false, null)));

    private static CosmosDBSplit split(String id) {
        return new CosmosDBSplit(id, "[" + id + ")", new byte[] {1, 2});
    }

    @Test
    void aStateComesBack() throws Exception {
        assertThat(SERIALIZER.deserialize(1, SERIALIZER.serialize(STATE))).isEqualTo(STATE);
    }

    @Test
    void theStateBeforeDiscoveryComesBack() throws Exception {
        CosmosDBEnumeratorState empty = new CosmosDBEnumeratorState(List.of());

        assertThat(SERIALIZER.deserialize(1, SERIALIZER.serialize(empty))).isEqualTo(empty);
    }

    /** Version 1 as it stands in users' savepoints: never to be changed. */
    @Test
    void version1IsRead() throws Exception {
        byte[] bytes = {
            1, // split version
            0, 0, 0, 1, // entries
            1, // assigned
            0, // a part of
            0, 0, 0, 1, 'b', // b
            0, 0, 0, 17, // split
            0, 0, 0, 1, 'c', 0, 0, 0, 3, '[', 'c', ')', 0, 0, 0, 1, 9
        };

        assertThat(SERIALIZER.deserialize(1, bytes))
                .isEqualTo(
                        new CosmosDBEnumeratorState(
                                List.of(
                                        new Entry(
                                                new CosmosDBSplit("c", "[c)", new byte[] {9}),
                                                Status.ASSIGNED,
                                                false,
                                                "b"))));
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
                .hasMessageContaining("1 bytes follow its end");
    }

    /** Damage anywhere gives a state or an IOException, nothing else and no great allocation. */
    @Test
    void damageIsRefusedOrHarmless() throws Exception {
        byte[] bytes = SERIALIZER.serialize(STATE);
        for (int at = 0; at < bytes.length; at++) {
            for (int flip : new int[] {0x01, 0x40, 0x80, 0xff}) {
                byte[] damaged = bytes.clone();
                damaged[at] ^= (byte) flip;
                try {
                    assertThat(SERIALIZER.deserialize(1, damaged)).isNotEqualTo(STATE);
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

        bytes[0] = 3;
        assertThatThrownBy(() -> SERIALIZER.deserialize(1, bytes))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("the state of a Cosmos DB split has format version 3");
    }
}
