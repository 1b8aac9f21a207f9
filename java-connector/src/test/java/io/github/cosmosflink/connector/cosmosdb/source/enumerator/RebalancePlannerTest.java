// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.enumerator;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.cosmosflink.connector.cosmosdb.source.transfer.ReaderLoadEvent;
import io.github.cosmosflink.connector.cosmosdb.source.transfer.ReaderLoadEvent.SplitLoad;
import io.github.cosmosflink.connector.cosmosdb.source.transfer.TransferCommand;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

class RebalancePlannerTest {

    private final List<Set<String>> splits = new ArrayList<>();
    private final ReaderLoads loads = new ReaderLoads();
    private final Set<String> settled = new HashSet<>();
    private final Set<Integer> leftAlone = new HashSet<>();

    private static SplitLoad emitting(String id, long lastTimestamp) {
        return new SplitLoad(id, 10, lastTimestamp, false);
    }

    private static SplitLoad behind(String id) {
        return new SplitLoad(id, 10, 1, true);
    }

    private static SplitLoad idle(String id, long lastTimestamp) {
        return new SplitLoad(id, 0, lastTimestamp, false);
    }

    private void reader(SplitLoad... reads) {
        Set<String> ids = new LinkedHashSet<>();
        long highest = TransferCommand.NO_TIMESTAMP;
        for (SplitLoad split : reads) {
            ids.add(split.splitId());
            highest = Math.max(highest, split.lastTimestamp());
        }
        loads.reported(splits.size(), new ReaderLoadEvent(1, List.of(reads), highest));
        splits.add(ids);
    }

    private String next() {
        RebalancePlanner.Plan plan = RebalancePlanner.next(splits, loads, settled, leftAlone);
        return plan == null ? "nothing" : plan.splitId + " " + plan.from + "->" + plan.to;
    }

    @Test
    void aDifferenceOfOneIsEven() {
        reader(emitting("a", 1), emitting("b", 2));
        reader(emitting("c", 1));

        assertThat(next()).isEqualTo("nothing");
    }

    @Test
    void fromTheReaderThatHasMostToTheOneThatHasLeast() {
        reader(emitting("a", 1), emitting("b", 1), emitting("c", 1));
        reader(emitting("d", 1), emitting("e", 2), emitting("f", 1), emitting("g", 1));
        reader(emitting("h", 1));

        assertThat(next()).isEqualTo("e 1->2");
    }

    @Test
    void whatRestsStays() {
        settled.add("b");
        reader(emitting("a", 1), emitting("b", 9));
        reader();

        assertThat(next()).isEqualTo("a 0->1");
        settled.add("a");
        assertThat(next()).isEqualTo("nothing");
    }

    /** It would hold the receiver's watermark until it emits again. */
    @Test
    void whatIsIdleAndBehindTheReceiverInTimeStays() {
        reader(idle("a", 5), idle("b", 6), idle("c", 7));
        reader(emitting("d", 7));

        assertThat(next()).isEqualTo("c 0->1");
        settled.add("c");
        assertThat(next()).isEqualTo("nothing");
    }

    @Test
    void theNextBestPairIsTriedWhenTheFirstCannot() {
        reader(idle("a", 1), idle("b", 1), idle("c", 1), idle("d", 1));
        reader(emitting("e", 5), emitting("f", 5), emitting("g", 5));
        reader(emitting("h", 9));

        assertThat(next()).isEqualTo("e 1->2");
    }

    @Test
    void aReaderThatFallsBehindIsRelieved() {
        reader(behind("a"), behind("b"));
        reader(emitting("c", 1), emitting("d", 1));
        reader(emitting("e", 1));

        assertThat(next()).isEqualTo("a 0->2");
    }

    @Test
    void oneSplitBehindIsNoReason() {
        reader(behind("a"), emitting("b", 1));
        reader(emitting("c", 1));

        assertThat(next()).isEqualTo("nothing");
    }

    @Test
    void aReaderThatIsLeftAloneGivesNothingAndMayGet() {
        leftAlone.add(1);
        reader(emitting("a", 1), emitting("b", 1), emitting("c", 1));
        reader(emitting("d", 1), emitting("e", 1), emitting("f", 1), emitting("g", 1));
        reader();
        assertThat(next()).isEqualTo("a 0->2");

        leftAlone.clear();
        leftAlone.add(2);
        assertThat(next()).isEqualTo("d 1->2");
    }

    /** It is not polled: it would not give anything, and not read what it gets. */
    @Test
    void aReaderThatReportsNoMoreIsLeftAlone() {
        reader(emitting("a", 1), emitting("b", 1), emitting("c", 1));
        reader();
        loads.completed();
        assertThat(next()).isEqualTo("a 0->1");

        loads.reported(1, new ReaderLoadEvent(2, List.of(), TransferCommand.NO_TIMESTAMP));
        loads.completed();
        assertThat(next()).isEqualTo("nothing");

        loads.reported(0, new ReaderLoadEvent(3, List.of(emitting("a", 1)), 1));
        loads.completed();
        assertThat(next()).isEqualTo("nothing");
    }

    /** It would come back as soon as it had arrived. */
    @Test
    void aReaderWithAsManySplitsRelievesNobody() {
        reader(behind("a"), behind("b"));
        reader(emitting("c", 1), emitting("d", 1));

        assertThat(next()).isEqualTo("nothing");
    }

    @Test
    void aReaderThatIsBehindItselfRelievesNobody() {
        reader(behind("a"), behind("b"));
        reader(behind("c"));

        assertThat(next()).isEqualTo("nothing");
    }
}
