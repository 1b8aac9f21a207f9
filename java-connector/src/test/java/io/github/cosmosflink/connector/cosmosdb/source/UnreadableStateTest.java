// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.cosmosflink.connector.cosmosdb.source.enumerator.CosmosDBEnumeratorState;
import io.github.cosmosflink.connector.cosmosdb.source.enumerator.CosmosDBEnumeratorState.Entry;
import io.github.cosmosflink.connector.cosmosdb.source.enumerator.CosmosDBEnumeratorState.Status;
import io.github.cosmosflink.connector.cosmosdb.source.split.CosmosDBSplit;
import java.io.IOException;
import java.util.List;
import org.apache.flink.core.io.SimpleVersionedSerializer;
import org.junit.jupiter.api.Test;

/** State that cannot be read fails the job where Flink hears of it: when the enumerator starts. */
class UnreadableStateTest {

    private final CosmosDBSource<String> source = TestSources.builder().build();
    private final SimpleVersionedSerializer<CosmosDBEnumeratorState> serializer =
            source.getEnumeratorCheckpointSerializer();
    private final CosmosDBEnumeratorState state =
            new CosmosDBEnumeratorState(List.of(), 7, List.of());

    @Test
    void whatCanBeReadIsRead() throws Exception {
        CosmosDBEnumeratorState read =
                serializer.deserialize(serializer.getVersion(), serializer.serialize(state));

        assertThat(read).isEqualTo(state);
        assertThat(read.problem()).isNull();
    }

    @Test
    void damageIsToldAtTheStart() throws Exception {
        byte[] damaged = serializer.serialize(state);
        damaged[2] ^= 1;

        assertThatThrownBy(
                        () ->
                                source.restoreEnumerator(
                                                null,
                                                serializer.deserialize(
                                                        serializer.getVersion(), damaged))
                                        .start())
                .hasRootCauseInstanceOf(IOException.class)
                .rootCause()
                .hasMessageContaining("is corrupt");
    }

    @Test
    void aNewerVersionIsToldAtTheStart() throws Exception {
        CosmosDBEnumeratorState newer =
                serializer.deserialize(serializer.getVersion() + 1, serializer.serialize(state));

        assertThatThrownBy(() -> source.restoreEnumerator(null, newer).start())
                .rootCause()
                .hasMessageContaining("version");
    }

    /** Right in form, wrong in itself. */
    @Test
    void aRangeThatIsThereTwiceIsToldAtTheStart() throws Exception {
        CosmosDBSplit split = new CosmosDBSplit("-FF@0", "[,FF)", new byte[] {1});
        CosmosDBEnumeratorState twice =
                serializer.deserialize(
                        serializer.getVersion(),
                        serializer.serialize(
                                new CosmosDBEnumeratorState(
                                        List.of(
                                                new Entry(split, Status.PENDING, true),
                                                new Entry(split, Status.ASSIGNED, true)),
                                        0,
                                        List.of())));

        assertThatThrownBy(() -> source.restoreEnumerator(null, twice).start())
                .hasMessageContaining("cannot be restored")
                .rootCause()
                .hasMessageContaining("-FF@0");
    }
}
