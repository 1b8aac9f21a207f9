// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.enumerator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.tuple;

import io.github.cosmosflink.connector.cosmosdb.source.enumerator.CosmosDBEnumeratorState.Entry;
import io.github.cosmosflink.connector.cosmosdb.source.enumerator.CosmosDBEnumeratorState.Status;
import io.github.cosmosflink.connector.cosmosdb.source.split.CosmosDBSplit;
import io.github.cosmosflink.connector.cosmosdb.source.transfer.ReaderHoldingsEvent.Held;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class FeedRangeLedgerTest {

    private final FeedRangeLedger ledger = new FeedRangeLedger();

    private static CosmosDBSplit split(String id) {
        return new CosmosDBSplit(id, "[" + id + ",)", new byte[] {7});
    }

    private static List<CosmosDBSplit> splits(int count) {
        return IntStream.range(0, count).mapToObj(i -> split("s" + i)).collect(Collectors.toList());
    }

    private static Entry entry(String id, Status status) {
        return new Entry(split(id), status, false);
    }

    private static Entry discovered(String id, Status status) {
        return new Entry(split(id), status, true);
    }

    @Test
    void nothingIsHandedOutBeforeDiscovery() {
        assertThat(ledger.assign(Set.of(0), 1)).isEmpty();
        assertThat(ledger.readersToDismiss(Set.of(0))).isEmpty();
        assertThat(ledger.entries()).isEmpty();
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

    private static FeedRangeLedger restored(Entry... entries) {
        return FeedRangeLedger.restore(new CosmosDBEnumeratorState(List.of(entries), 0, List.of()));
    }

    private static Held held(String id) {
        return Held.of(split(id));
    }

    @Test
    void anAssignedRangeIsNotHandedOutAfterARestoreAtAnyParallelism() {
        FeedRangeLedger restored =
                restored(
                        discovered("s0", Status.ASSIGNED),
                        discovered("s1", Status.PENDING),
                        discovered("s2", Status.ASSIGNED));
        assertThat(restored.discoveredRanges()).isEqualTo(splits(3));
        assertThat(restored.assign(Set.of(0, 1, 2), 3)).as("before it is confirmed").isEmpty();
        restored.discovered(List.of());
        restored.held(0, List.of(held("s0"), held("s2")));
        assertThat(restored.assign(Set.of(0), 3)).as("before all have spoken").isEmpty();
        restored.held(1, List.of());
        restored.held(2, List.of());
        assertThat(restored.isSettled()).isFalse();
        restored.settle(true);

        assertThat(restored.assign(Set.of(0, 1, 2), 3))
                .as("for the reader that has the fewest")
                .isEqualTo(Map.of(1, List.of(split("s1"))));
        assertThat(restored.byReader(3))
                .containsExactly(Set.of("s0", "s2"), Set.of("s1"), Set.of());
    }

    @Test
    void aRestoredRangeThatNobodyHoldsHasGoneOnAsItsChildren() {
        FeedRangeLedger restored =
                restored(
                        new Entry(whole(), Status.ASSIGNED, true),
                        new Entry(range("left", "[,80)"), Status.ASSIGNED, false));
        restored.discovered(List.of());
        restored.held(
                0,
                List.of(
                        Held.of(range("l1", "[,40)")),
                        Held.of(range("l2", "[40,8000)")),
                        Held.of(range("right", "[80,FF)"))));
        restored.settle(false);

        assertThat(restored.entries())
                .extracting(e -> e.split().splitId(), Entry::status)
                .containsExactly(
                        tuple("whole", Status.DIVIDED),
                        tuple("l1", Status.ASSIGNED),
                        tuple("l2", Status.ASSIGNED),
                        tuple("right", Status.ASSIGNED));
    }

    private static CosmosDBSplit whole() {
        return range("whole", "[,FF)");
    }

    private static CosmosDBSplit range(String id, String feedRange) {
        return new CosmosDBSplit(id, feedRange, new byte[] {7});
    }

    @Test
    void aHoleIsAnErrorThatNamesIt() {
        FeedRangeLedger restored = restored(new Entry(whole(), Status.ASSIGNED, true));
        restored.discovered(List.of());
        restored.held(0, List.of(Held.of(range("l", "[,40)")), Held.of(range("right", "[80,FF)"))));

        assertThatThrownBy(() -> restored.settle(false))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("nobody reads [40,80)");
        restored.settle(true);
    }

    @Test
    void aMissingEndIsAnError() {
        FeedRangeLedger restored = restored(new Entry(whole(), Status.ASSIGNED, true));
        restored.discovered(List.of());
        restored.held(0, List.of(Held.of(range("l", "[,40)"))));

        assertThatThrownBy(() -> restored.settle(false)).hasMessageContaining("[40,FF)");
    }

    @Test
    void anOverlapIsAnErrorAlsoWhereRangesEnd() {
        FeedRangeLedger restored = restored(new Entry(whole(), Status.ASSIGNED, true));
        restored.discovered(List.of());
        restored.held(0, List.of(Held.of(range("l", "[,40)"))));
        restored.held(1, List.of(Held.of(range("m", "[30,FF)"))));

        for (boolean rangesEnd : new boolean[] {false, true}) {
            assertThatThrownBy(() -> restored.settle(rangesEnd))
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("two read [30,40)");
        }
    }

    @Test
    void aRangeThatTwoReadersHoldIsAnError() {
        FeedRangeLedger restored = restored(new Entry(whole(), Status.ASSIGNED, true));
        restored.discovered(List.of());
        restored.held(0, List.of(Held.of(whole())));

        assertThatThrownBy(() -> restored.held(1, List.of(Held.of(whole()))))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("readers 0 and 1 both read whole");
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
        assertThat(ledger.entries())
                .containsExactly(
                        discovered("s0", Status.DIVIDED),
                        entry("a", Status.ASSIGNED),
                        entry("b", Status.ASSIGNED));

        ledger.rangeSplit(0, "a", List.of(split("a1"), split("a2")));
        assertThat(ledger.entries())
                .containsExactly(
                        discovered("s0", Status.DIVIDED),
                        entry("b", Status.ASSIGNED),
                        entry("a1", Status.ASSIGNED),
                        entry("a2", Status.ASSIGNED));
        assertThat(ledger.discoveredRanges()).isEqualTo(splits(1));
        assertThat(ledger.assign(Set.of(0), 1)).isEmpty();
    }

    @Test
    void aReaderThatGoesBackReadsTheParentAgain() {
        ledger.discovered(splits(1));
        ledger.assign(Set.of(0), 1);
        ledger.rangeSplit(0, "s0", List.of(split("a"), split("b")));
        ledger.rangeSplit(0, "a", List.of(split("a1"), split("a2")));

        ledger.readerReset(0, List.of());
        ledger.held(0, List.of(held("a"), held("b")));
        assertThat(ledger.entries())
                .containsExactlyInAnyOrder(
                        discovered("s0", Status.DIVIDED),
                        new Entry(
                                new CosmosDBSplit("a", "[a,)", new byte[0]),
                                Status.ASSIGNED,
                                false),
                        entry("b", Status.ASSIGNED));

        ledger.readerReset(0, List.of());
        ledger.held(0, List.of(held("s0")));
        assertThat(ledger.entries()).containsExactly(discovered("s0", Status.ASSIGNED));
    }

    @Test
    void aDividedRangeThatIsGivenBackIsWholeAgain() {
        ledger.discovered(splits(1));
        ledger.assign(Set.of(0), 1);
        ledger.rangeSplit(0, "s0", List.of(split("a"), split("b")));

        ledger.readerReset(0, List.of(split("s0")));
        ledger.rangeSplit(0, "s0", List.of(split("a"), split("b")));
        ledger.held(0, List.of());

        assertThat(ledger.entries())
                .as("a report from before the reset is ignored")
                .containsExactly(discovered("s0", Status.PENDING));
        assertThat(ledger.assign(Set.of(0), 1)).isEqualTo(Map.of(0, List.of(split("s0"))));
    }

    @Test
    void whatWasAssignedSinceTheResetNeedNotBeHeld() {
        ledger.discovered(splits(2));
        ledger.assign(Set.of(0), 1);
        ledger.readerReset(0, List.of(split("s1")));
        ledger.assign(Set.of(0), 1);
        ledger.held(0, List.of(held("s0")));

        assertThat(ledger.byReader(1)).containsExactly(Set.of("s0", "s1"));
    }
}
