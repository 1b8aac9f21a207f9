// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.reader;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.cosmosflink.connector.cosmosdb.source.split.CosmosDBSplit;
import io.github.cosmosflink.connector.cosmosdb.source.transfer.TransferCommand;
import io.github.cosmosflink.connector.cosmosdb.source.transfer.TransferCommand.Kind;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.apache.flink.api.connector.source.SourceEvent;
import org.junit.jupiter.api.Test;

class ReaderBookTest {

    private static final long NONE = TransferCommand.NO_TIMESTAMP;
    private static final String START = "start of the reader";

    private final List<String> done = new ArrayList<>();
    private final Set<String> outputs = new TreeSet<>();

    private final ReaderBook book =
            new ReaderBook(
                    new ReaderBook.Effects() {
                        @Override
                        public void read(List<CosmosDBSplit> splits) {
                            done.add("reads " + splits);
                            splits.forEach(split -> book().begin(split));
                        }

                        @Override
                        public void release(String splitId) {
                            done.add("releases " + splitId);
                        }

                        @Override
                        public void createOutput(String splitId) {
                            outputs.add(splitId);
                        }

                        @Override
                        public void releaseOutput(String splitId) {
                            assertThat(outputs.remove(splitId)).as(splitId).isTrue();
                        }

                        @Override
                        public void report(SourceEvent event) {
                            done.add("reports " + event);
                        }
                    });

    private final CosmosDBSplit split = new CosmosDBSplit("s", "[,FF)", new byte[] {1});

    private ReaderBook book() {
        return book;
    }

    private List<String> done() {
        List<String> copy = new ArrayList<>(done);
        done.clear();
        return copy;
    }

    private void command(Kind kind, long transfer) {
        book.command(TransferCommand.of(kind, transfer, "s"));
    }

    /** Flink assigns the split and polls. */
    private CosmosDBSplitState reading() {
        book.start();
        book.command(TransferCommand.goOn());
        book.outputsReady();
        CosmosDBSplitState state = begin();
        done();
        return state;
    }

    private CosmosDBSplitState begin() {
        outputs.add("s");
        return book.begin(book.added(List.of(split)).get(0));
    }

    /** As Flink: the output goes first. */
    private void end(SplitEnds.End end) {
        outputs.remove("s");
        book.finished(split, end);
    }

    private void park() {
        book.command(TransferCommand.release(1, "s", NONE));
        assertThat(done()).containsExactly("releases s");
        end(SplitEnds.End.RELEASED);
        assertThat(done()).containsExactly("reports PARKED (transfer 1) s [,FF) parked for 1");
    }

    private List<CosmosDBSplit> snapshot(CosmosDBSplit... read) {
        List<CosmosDBSplit> all = book.snapshot(1, List.of(read));
        done();
        return all;
    }

    @Test
    void theFirstPollAfterACheckpointReportsTheLoad() {
        reading();
        book.polled();
        assertThat(done()).as("nothing to report").isEmpty();

        book.snapshot(7, List.of(split));
        assertThat(done()).as("the checkpoint may end the job").isEmpty();
        book.polled();

        assertThat(done()).containsExactly("reports load after checkpoint 7: [s 0]");
        book.polled();
        assertThat(done()).isEmpty();
    }

    @Test
    void aParkedSplitIsInTheSnapshotAndHoldsTheWatermark() {
        reading();
        assertThat(snapshot(split)).containsExactly(split);

        park();

        assertThat(snapshot()).containsExactly(split.parkedFor(1));
        assertThat(outputs).containsExactly("s");
        assertThat(book.hasParked()).isTrue();
    }

    @Test
    void aDroppedCopyHoldsTheWatermarkUntilItIsTold() {
        reading();
        park();

        command(Kind.DROP_PARKED, 1);
        assertThat(snapshot()).isEmpty();
        assertThat(outputs).containsExactly("s");
        command(Kind.DROP_HOLD, 1);
        assertThat(outputs).isEmpty();
    }

    @Test
    void aCopyBesideTheSplitItselfHoldsTheWatermarkUntilItIsTold() {
        book.added(List.of(split.parkedFor(1)));
        reading();

        end(SplitEnds.End.divided(List.of(new CosmosDBSplit("t", "[,FF)", new byte[] {1}))));
        assertThat(outputs).containsExactlyInAnyOrder("s", "t");
        command(Kind.DROP_PARKED, 1);
        command(Kind.DROP_HOLD, 1);

        assertThat(outputs).containsExactly("t");
    }

    @Test
    void aResumedCopyIsRead() {
        reading();
        park();

        command(Kind.RESUME, 1);

        assertThat(done()).containsExactly("reads [s [,FF)]");
        assertThat(snapshot(split)).containsExactly(split);
        assertThat(outputs).containsExactly("s");
    }

    @Test
    void commandsOfAnotherTransferChangeNothing() {
        reading();
        park();

        command(Kind.RESUME, 2);
        command(Kind.DROP_PARKED, 2);
        command(Kind.DROP_HOLD, 2);

        assertThat(done()).isEmpty();
        assertThat(snapshot()).containsExactly(split.parkedFor(1));
    }

    @Test
    void resumedOnItsWayItIsReadAgainInTheTurnOfItsEnd() {
        reading();
        book.command(TransferCommand.release(1, "s", NONE));
        command(Kind.RESUME, 1);
        done();

        end(SplitEnds.End.RELEASED);

        assertThat(done()).containsExactly("reads [s [,FF)]");
        assertThat(outputs).containsExactly("s");
    }

    @Test
    void itIsReleasedWhenItHasComeAsFarAsTheReceiver() {
        CosmosDBSplitState state = reading();
        book.command(TransferCommand.release(1, "s", 5_000));
        book.polled();
        state.goneOn(4_999);
        book.polled();
        assertThat(done()).isEmpty();

        state.goneOn(5_000);
        book.polled();
        book.polled();

        assertThat(done()).containsExactly("releases s");
    }

    @Test
    void resumedBeforeItsReleaseItIsNeverReleased() {
        CosmosDBSplitState state = reading();
        book.command(TransferCommand.release(1, "s", 5_000));
        command(Kind.RESUME, 1);
        state.goneOn(5_000);
        book.polled();

        assertThat(done()).isEmpty();
    }

    @Test
    void aReleaseForAnEarlierTransferIsNoneForALaterOneThatAsksForMore() {
        CosmosDBSplitState state = reading();
        state.goneOn(1_000);
        book.command(TransferCommand.release(1, "s", 1_000));
        command(Kind.RESUME, 1);
        book.command(TransferCommand.release(2, "s", 2_000));
        done();

        end(SplitEnds.End.RELEASED);

        assertThat(done()).containsExactly("reads [s [,FF)]");
        book.polled();
        assertThat(done()).as("still at 1000").isEmpty();
    }

    @Test
    void aPausedSplitStays() {
        reading();
        book.paused(List.of("s"), List.of());
        book.command(TransferCommand.release(1, "s", NONE));
        assertThat(done()).containsExactly("reports DECLINED (transfer 1)");

        book.paused(List.of(), List.of("s"));
        assertThat(done()).isEmpty();
        book.command(TransferCommand.release(2, "s", NONE));
        assertThat(done()).containsExactly("releases s");
    }

    /** The watermark that it would have to wait for may be held for it. */
    @Test
    void aSplitThatIsPausedBeforeItIsReleasedStays() {
        reading();
        book.command(TransferCommand.release(1, "s", Long.MAX_VALUE));
        assertThat(done()).isEmpty();

        book.paused(List.of("s"), List.of());

        assertThat(done()).containsExactly("reports DECLINED (transfer 1)");
        book.polled();
        assertThat(done()).isEmpty();
    }

    @Test
    void whatIsNotReadIsDeclined() {
        book.command(TransferCommand.release(1, "s", NONE));

        assertThat(done()).containsExactly("reports DECLINED (transfer 1)");
    }

    @Test
    void whatIsDividedFirstIsDeclinedAndGoesOnAsItsChildren() {
        reading();
        book.command(TransferCommand.release(1, "s", NONE));
        done();

        end(SplitEnds.End.divided(List.of(new CosmosDBSplit("c", "[,80)", new byte[] {1}))));

        assertThat(done())
                .containsExactly(
                        "reports DECLINED (transfer 1)",
                        "reads [c [,80)]",
                        "reports range split: s -> [c [,80)]");
        assertThat(outputs).containsExactly("c");
    }

    @Test
    void anEndThatNobodyAskedForIsAnError() {
        reading();

        assertThatThrownBy(() -> end(SplitEnds.End.RELEASED))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("released without being asked: s");
    }

    @Test
    void aHoldBecomesTheOutputOfTheSplitThatComes() {
        book.start();
        book.command(TransferCommand.goOn());
        book.outputsReady();
        done();
        command(Kind.HOLD_WATERMARK, 1);
        assertThat(done()).containsExactly("reports WATERMARK_HELD (transfer 1)");
        assertThat(outputs).containsExactly("s");

        begin();
        command(Kind.DROP_HOLD, 1);

        assertThat(outputs).as("its own now").containsExactly("s");
    }

    @Test
    void aHoldThatIsDroppedIsGone() {
        reading();
        end(SplitEnds.End.FINISHED);
        command(Kind.HOLD_WATERMARK, 1);
        command(Kind.HOLD_WATERMARK, 2);
        command(Kind.DROP_HOLD, 1);
        assertThat(outputs).containsExactly("s");
        command(Kind.DROP_HOLD, 2);
        assertThat(outputs).isEmpty();
    }

    @Test
    void theWatermarkIsHeldFromTheStartUntilTheCoordinatorHasSpoken() {
        book.start();
        book.outputsReady();
        assertThat(outputs).containsExactly(START);

        book.command(TransferCommand.goOn());

        assertThat(outputs).isEmpty();
    }

    /** Flink makes the output of a restored split at the first poll, also of a parked one. */
    @Test
    void aRestoredCopyThatIsDroppedBeforeTheFirstPollHoldsNothing() {
        assertThat(book.added(List.of(split.parkedFor(1)))).isEmpty();
        book.start();
        assertThat(done()).containsExactly("reports holdings: [s [,FF) parked for 1]");
        command(Kind.DROP_PARKED, 1);
        command(Kind.DROP_HOLD, 1);
        book.command(TransferCommand.goOn());

        outputs.add("s");
        book.outputsReady();

        assertThat(outputs).isEmpty();
        assertThat(snapshot()).isEmpty();
    }
}
