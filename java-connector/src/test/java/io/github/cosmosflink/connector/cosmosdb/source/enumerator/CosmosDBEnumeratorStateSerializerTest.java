// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.enumerator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.cosmosflink.connector.cosmosdb.source.enumerator.CosmosDBEnumeratorState.Entry;
import io.github.cosmosflink.connector.cosmosdb.source.enumerator.CosmosDBEnumeratorState.Move;
import io.github.cosmosflink.connector.cosmosdb.source.enumerator.CosmosDBEnumeratorState.Status;
import io.github.cosmosflink.connector.cosmosdb.source.split.CosmosDBSplit;
import io.github.cosmosflink.connector.cosmosdb.source.split.StateBytesTest;
import io.github.cosmosflink.connector.cosmosdb.source.split.StateSerializerContract;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

class CosmosDBEnumeratorStateSerializerTest
        extends StateSerializerContract<CosmosDBEnumeratorState> {

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

    CosmosDBEnumeratorStateSerializerTest() {
        super(SERIALIZER, "the state of the Cosmos DB enumerator", STATE);
    }

    private static CosmosDBSplit split(String id) {
        return new CosmosDBSplit(id, "[" + id + ")", new byte[] {1, 2});
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
    void anUnknownVersionOfTheSplitsIsRefused() throws Exception {
        byte[] bytes = SERIALIZER.serialize(STATE);
        byte[] fields = Arrays.copyOf(bytes, bytes.length - 4);
        fields[0] = (byte) 200;
        assertThatThrownBy(() -> SERIALIZER.deserialize(1, StateBytesTest.sealed(fields)))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("the state of a Cosmos DB split has format version 200");
    }

    /** Numbers that were used once must not be given again, and a parked range is no range. */
    @Test
    void whatContradictsItselfIsRefused() throws Exception {
        CosmosDBEnumeratorState used =
                new CosmosDBEnumeratorState(List.of(), 4, List.of(new Move("a", 5)));
        CosmosDBEnumeratorState none =
                new CosmosDBEnumeratorState(List.of(), 4, List.of(new Move("a", 0)));
        CosmosDBEnumeratorState parked =
                new CosmosDBEnumeratorState(
                        List.of(new Entry(split("a").parkedFor(1), Status.PENDING, true)),
                        4,
                        List.of());
        for (CosmosDBEnumeratorState state : List.of(used, none, parked)) {
            byte[] bytes = SERIALIZER.serialize(state);
            assertThatThrownBy(() -> SERIALIZER.deserialize(1, bytes))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("the state of the Cosmos DB enumerator is corrupt")
                    .hasMessageContaining("a");
        }
    }
}
