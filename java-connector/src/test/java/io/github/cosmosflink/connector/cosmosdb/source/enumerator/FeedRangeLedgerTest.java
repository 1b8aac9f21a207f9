// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.enumerator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.cosmosflink.connector.cosmosdb.source.enumerator.CosmosDBEnumeratorState.Entry;
import io.github.cosmosflink.connector.cosmosdb.source.enumerator.CosmosDBEnumeratorState.Status;
import io.github.cosmosflink.connector.cosmosdb.source.split.CosmosDBSplit;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class FeedRangeLedgerTest {

    private final FeedRangeLedger ledger = new FeedRangeLedger();

    private static CosmosDBSplit split(String id) {
        return new CosmosDBSplit(id, "[" + id + ")", new byte[] {7});
    }

    private static List<CosmosDBSplit> splits(int count) {
        return IntStream.range(0, count).mapToObj(i -> split("s" + i)).collect(Collectors.toList());
    }

    private static Entry entry(String id, Status status, String ancestorId) {
        return new Entry(split(id), status, false, ancestorId);
    }

    private static Entry discovered(String id, Status status) {
        return new Entry(split(id), status, true, null);
    }

    @Test
    void nothingIsHandedOutBeforeDiscovery() {
        assertThat(ledger.assign(Set.of(0), 1)).isEmpty();
        assertThat(ledger.readersToDismiss(Set.of(0))).isEmpty();
        assertThat(ledger.snapshot().entries()).isEmpty();
    }

    @Test
    void rangesAreSpreadEvenlyWhateverTheOrderOfRegistration() {
        ledger.discovered(splits(10));

        assertThat(ledger.assign(Set.of(3), 4).get(3)).hasSize(2);
        assertThat(ledger.assign(Set.of(0, 3), 4).get(0)).hasSize(3);
        Map<Integer, List<CosmosDBSplit>> rest = ledger.assign(Set.of(0, 1, 2, 3), 4);
        assertThat(rest.keySet()).containsExactly(1, 2);
        assertThat(rest.get(1)).hasSize(3);
        assertThat(rest.get(2)).hasSize(2);
        assertThat(ledger.pendingCount()).isZero();
    }

    @Test
    void aRangeIsHandedOutOnce() {
        ledger.discovered(splits(2));

        assertThat(ledger.assign(Set.of(0), 1).get(0)).isEqualTo(splits(2));
        assertThat(ledger.assign(Set.of(0), 1)).isEmpty();
    }

    @Test
    void aRangeDiscoveredTwiceIsAnError() {
        ledger.discovered(splits(1));

        assertThatThrownBy(() -> ledger.discovered(splits(1)))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("s0");
    }

    @Test
    void whatAResetReaderGivesBackWaitsForThatReader() {
        ledger.discovered(splits(2));
        ledger.assign(Set.of(0, 1), 2);

        ledger.readerReset(0, List.of(split("s0")));

        assertThat(ledger.assign(Set.of(1), 2)).isEmpty();
        assertThat(ledger.assign(Set.of(0, 1), 2)).isEqualTo(Map.of(0, List.of(split("s0"))));
    }

    @Test
    void aResetReaderThatGivesBackNothingGetsNothing() {
        ledger.discovered(splits(1));
        ledger.assign(Set.of(0), 1);

        ledger.readerReset(0, List.of());

        assertThat(ledger.assign(Set.of(0), 1)).isEmpty();
    }

    @Test
    void anAssignedRangeIsNotHandedOutAfterARestoreAtAnyParallelism() {
        ledger.discovered(splits(3));
        ledger.assign(Set.of(0), 2);
        CosmosDBEnumeratorState state = ledger.snapshot();
        assertThat(state.entries())
                .extracting(Entry::status)
                .containsExactly(Status.ASSIGNED, Status.PENDING, Status.ASSIGNED);

        FeedRangeLedger restored = FeedRangeLedger.restore(state);
        assertThat(restored.discoveredRanges()).isEqualTo(splits(3));
        assertThat(restored.assign(Set.of(0, 1, 2), 3)).as("before it is confirmed").isEmpty();
        restored.discovered(List.of());

        assertThat(restored.assign(Set.of(0, 1, 2), 3)).isEqualTo(Map.of(0, List.of(split("s1"))));
    }

    @Test
    void eachReaderIsDismissedOnceUntilItIsReset() {
        ledger.discovered(splits(2));
        ledger.assign(Set.of(0), 3);
        assertThat(ledger.readersToDismiss(Set.of(0))).containsExactly(0);
        assertThat(ledger.readersToDismiss(Set.of(0))).isEmpty();

        assertThat(ledger.readersToDismiss(Set.of(0, 1, 2)))
                .as("reader 1 has a range to come, reader 2 none")
                .containsExactly(2);
        ledger.assign(Set.of(0, 1, 2), 3);
        assertThat(ledger.readersToDismiss(Set.of(0, 1, 2))).containsExactly(1);

        ledger.readerReset(0, List.of());
        assertThat(ledger.readersToDismiss(Set.of(0, 1, 2))).containsExactly(0);
    }

    @Test
    void aSplitRangeIsKnownByItsChildren() {
        ledger.discovered(splits(1));
        ledger.assign(Set.of(0), 1);

        ledger.rangeSplit(0, "s0", List.of(split("a"), split("b")));
        assertThat(ledger.snapshot().entries())
                .containsExactly(
                        discovered("s0", Status.DIVIDED),
                        entry("a", Status.ASSIGNED, "s0"),
                        entry("b", Status.ASSIGNED, "s0"));

        ledger.rangeSplit(0, "a", List.of(split("a1"), split("a2")));
        assertThat(ledger.snapshot().entries())
                .containsExactly(
                        discovered("s0", Status.DIVIDED),
                        entry("b", Status.ASSIGNED, "s0"),
                        entry("a1", Status.ASSIGNED, "s0"),
                        entry("a2", Status.ASSIGNED, "s0"));
        assertThat(ledger.discoveredRanges()).isEqualTo(splits(1));
        assertThat(ledger.assign(Set.of(0), 1)).isEmpty();
    }

    @Test
    void hearingASplitAgainChangesNothing() {
        ledger.discovered(splits(1));
        ledger.assign(Set.of(0), 1);
        for (String parent : List.of("s0", "a")) {
            List<CosmosDBSplit> children = List.of(split(parent + 1), split("a"));
            if (parent.equals("a")) {
                children = List.of(split("x"), split("y"));
            }
            ledger.rangeSplit(0, parent, children);
            CosmosDBEnumeratorState once = ledger.snapshot();
            ledger.rangeSplit(0, parent, children);
            assertThat(ledger.snapshot()).isEqualTo(once);
        }
    }

    @Test
    void aSplitFoundAgainAfterGoingBackReplacesTheEarlierChildren() {
        ledger.discovered(splits(1));
        ledger.assign(Set.of(0), 1);
        ledger.rangeSplit(0, "s0", List.of(split("a"), split("b")));

        ledger.rangeSplit(0, "s0", List.of(split("c"), split("d")));

        assertThat(ledger.snapshot().entries())
                .containsExactly(
                        discovered("s0", Status.DIVIDED),
                        entry("c", Status.ASSIGNED, "s0"),
                        entry("d", Status.ASSIGNED, "s0"));
    }

    @Test
    void aDividedRangeThatIsGivenBackIsWholeAgain() {
        ledger.discovered(splits(1));
        ledger.assign(Set.of(0), 1);
        ledger.rangeSplit(0, "s0", List.of(split("a"), split("b")));

        ledger.readerReset(0, List.of(split("s0")));
        ledger.rangeSplit(0, "s0", List.of(split("a"), split("b")));

        assertThat(ledger.snapshot().entries())
                .as("a report from before the reset is ignored")
                .containsExactly(discovered("s0", Status.PENDING));
        assertThat(ledger.assign(Set.of(0), 1)).isEqualTo(Map.of(0, List.of(split("s0"))));
    }

    @Test
    void theSplitOfARangeThatIsNotKnownIsNoted() {
        ledger.discovered(splits(1));
        ledger.assign(Set.of(0), 1);

        ledger.rangeSplit(0, "known to a reader's state only", List.of(split("x")));

        assertThat(ledger.snapshot().entries())
                .containsExactly(
                        discovered("s0", Status.ASSIGNED), entry("x", Status.ASSIGNED, null));
        assertThat(ledger.discoveredRanges()).isEqualTo(splits(1));
    }
}
