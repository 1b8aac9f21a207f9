// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.enumerator;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.cosmosflink.connector.cosmosdb.source.enumerator.CosmosDBEnumeratorState.Move;
import io.github.cosmosflink.connector.cosmosdb.source.split.CosmosDBSplit;
import io.github.cosmosflink.connector.cosmosdb.source.split.RangeSplitEvent;
import io.github.cosmosflink.connector.cosmosdb.source.transfer.ReaderHoldingsEvent;
import io.github.cosmosflink.connector.cosmosdb.source.transfer.ReaderHoldingsEvent.Held;
import io.github.cosmosflink.connector.cosmosdb.source.transfer.ReaderLoadEvent;
import io.github.cosmosflink.connector.cosmosdb.source.transfer.ReaderLoadEvent.SplitLoad;
import io.github.cosmosflink.connector.cosmosdb.source.transfer.TransferCommand;
import io.github.cosmosflink.connector.cosmosdb.source.transfer.TransferCommand.Kind;
import io.github.cosmosflink.connector.cosmosdb.source.transfer.TransferReport;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.apache.flink.api.connector.source.SourceEvent;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** One move, step by step; the simulation runs them all into each other. */
class FeedRangeCoordinationTest {

    private static final int A = 0;
    private static final int B = 1;
    private static final long NONE = TransferCommand.NO_TIMESTAMP;

    private final Set<Integer> registered = new TreeSet<>(Set.of(A, B));

    /** What was sent since it was looked at. */
    private final List<String> sent = new ArrayList<>();

    private final Readers readers =
            new Readers() {
                @Override
                public Set<Integer> registered() {
                    return registered;
                }

                @Override
                public int parallelism() {
                    return 2;
                }

                @Override
                public void assign(Map<Integer, List<CosmosDBSplit>> splits) {
                    splits.forEach((reader, some) -> sent.add(reader + " gets " + some));
                }

                @Override
                public void send(int reader, SourceEvent event) {
                    sent.add(reader + " " + event);
                }

                @Override
                public void noMoreSplits(int reader) {
                    sent.add(reader + " no more");
                }
            };

    private final CosmosDBSplit whole = split("w", "[,FF)");
    private final CosmosDBSplit left = split("l", "[,80)");
    private final CosmosDBSplit right = split("r", "[80,FF)");
    private final SplitLoad[] loadsOfA = {
        new SplitLoad("l", 3, 4_000, false), new SplitLoad("r", 3, 5_000, false)
    };
    private long begun;
    private FeedRangeCoordination coordination = FeedRangeCoordination.fresh(false, true, readers);

    private static CosmosDBSplit split(String id, String feedRange) {
        return new CosmosDBSplit(id, feedRange, new byte[] {1});
    }

    private List<String> sent() {
        List<String> copy = new ArrayList<>(sent);
        sent.clear();
        return copy;
    }

    private void holds(int reader, CosmosDBSplit... splits) {
        coordination.handle(
                reader,
                new ReaderHoldingsEvent(
                        Arrays.stream(splits).map(Held::of).collect(Collectors.toList())));
    }

    private void load(int reader, long highest, SplitLoad... splits) {
        coordination.handle(reader, new ReaderLoadEvent(begun, List.of(splits), highest));
    }

    /** A checkpoint begins; nobody has read on after it yet. */
    private CosmosDBEnumeratorState begin(long checkpoint) {
        begun = checkpoint;
        return coordination.snapshot(checkpoint);
    }

    /** A checkpoint begins, and one of the readers reads on. */
    private CosmosDBEnumeratorState pass(long checkpoint) {
        CosmosDBEnumeratorState state = begin(checkpoint);
        readOn();
        return state;
    }

    private void readOn() {
        if (registered.contains(A)) {
            load(A, 5_000, loadsOfA);
        }
        if (registered.contains(B)) {
            load(B, NONE);
        }
    }

    /** A reads both halves, B nothing. */
    @BeforeEach
    void uneven() {
        coordination.discovered(List.of(whole));
        holds(A);
        holds(B);
        coordination.handle(A, new RangeSplitEvent("w", List.of(left, right)));
        pass(1);
        sent();
    }

    private static String command(int reader, Kind kind) {
        return reader + " " + TransferCommand.of(kind, 1, "r");
    }

    private void parkAt(long notBefore) {
        coordination.completed(1, true);
        assertThat(sent()).containsExactly(command(B, Kind.HOLD_WATERMARK));
        coordination.handle(B, TransferReport.watermarkHeld(1, notBefore));
        assertThat(sent()).containsExactly("0 " + TransferCommand.release(1, "r", notBefore));
        coordination.handle(A, TransferReport.parked(right.parkedFor(1)));
        assertThat(sent()).isEmpty();
    }

    private void move() {
        parkAt(NONE);
        pass(2);
        coordination.completed(2, true);
        assertThat(sent()).containsExactly("1 gets [r [80,FF)]", command(A, Kind.DROP_PARKED));
    }

    @Test
    void aMoveIsCommittedByACheckpointThatBeganBehindItsReport() {
        pass(2);
        parkAt(2_000);

        coordination.completed(2, true);
        assertThat(sent()).as("2 began before").isEmpty();
        pass(3);
        coordination.completed(3, true);

        assertThat(sent()).containsExactly("1 gets [r [80,FF)]", command(A, Kind.DROP_PARKED));
        assertThat(coordination.movedCount()).isEqualTo(1);
    }

    @Test
    void nothingIsSentUntilAReaderReadsOnAfterACheckpoint() {
        parkAt(NONE);
        begin(2);
        coordination.completed(2, true);
        assertThat(sent()).as("2 may be the end of the job").isEmpty();

        begun = 1;
        readOn();
        assertThat(sent()).as("said before 2").isEmpty();
        begun = 2;
        readOn();

        assertThat(sent()).containsExactly("1 gets [r [80,FF)]", command(A, Kind.DROP_PARKED));
    }

    @Test
    void reportsWaitAsWell() {
        coordination.completed(1, true);
        sent();
        begin(2);

        coordination.handle(B, TransferReport.watermarkHeld(1, NONE));
        assertThat(sent()).isEmpty();
        readOn();

        assertThat(sent()).containsExactly("0 " + TransferCommand.release(1, "r", NONE));
    }

    @Test
    void whatAReaderSaidBeforeItsResetIsForgotten() {
        coordination.completed(1, true);
        sent();
        begin(2);
        coordination.handle(A, TransferReport.declined(1));
        coordination.handle(B, TransferReport.watermarkHeld(1, NONE));
        registered.remove(B);
        coordination.readerReset(B, List.of());
        registered.add(B);
        holds(B);
        sent();

        readOn();

        assertThat(sent()).isEmpty();
    }

    @Test
    void theHolderLetsGoOfItsWatermarkWhenTheReceiverReads() {
        move();
        load(A, 5_000, new SplitLoad("l", 3, 4_000, false));
        load(B, NONE);
        assertThat(sent()).isEmpty();

        load(B, NONE, new SplitLoad("r", 0, NONE, false));

        assertThat(sent()).containsExactly(command(A, Kind.DROP_HOLD));
        load(B, NONE, new SplitLoad("r", 0, NONE, false));
        assertThat(sent()).isEmpty();
    }

    @Test
    void aMoveIsForgottenWithACheckpointThatBeganBehindIt() {
        move();
        assertThat(pass(3).moves()).containsExactly(new Move("r", 1));
        coordination.completed(3, true);
        assertThat(pass(4).moves()).isEmpty();
        assertThat(pass(5).lastTransfer()).isEqualTo(1);
    }

    @Test
    void aMoveIsKeptUntilItsHolderHasSpokenAfterItsReset() {
        move();
        registered.remove(A);
        coordination.readerReset(A, List.of());
        pass(3);
        coordination.completed(3, true);
        assertThat(pass(4).moves()).hasSize(1);

        registered.add(A);
        holds(A, left, right.parkedFor(1));
        assertThat(sent())
                .containsExactly(
                        command(A, Kind.DROP_PARKED),
                        command(A, Kind.DROP_HOLD),
                        A + " " + TransferCommand.goOn());
        coordination.completed(4, true);
        assertThat(pass(5).moves()).as("4 may have the copy").hasSize(1);
        coordination.completed(5, true);
        assertThat(pass(6).moves()).isEmpty();
    }

    @Test
    void aReaderThatCannotBeToldHasNotSpoken() {
        move();
        registered.remove(A);
        coordination.readerReset(A, List.of());

        holds(A, left, right.parkedFor(1));

        assertThat(sent()).isEmpty();
        pass(3);
        coordination.completed(3, true);
        assertThat(pass(4).moves()).hasSize(1);
    }

    @Test
    void aRestoredMoveDropsTheCopyWhereverItIs() {
        move();
        CosmosDBEnumeratorState state = pass(3);
        coordination = FeedRangeCoordination.restored(false, true, readers, state);
        coordination.discovered(List.of());

        holds(B, left, right.parkedFor(1));
        assertThat(sent())
                .containsExactly(command(B, Kind.DROP_PARKED), command(B, Kind.DROP_HOLD));
        holds(A, right);

        assertThat(sent())
                .containsExactly(
                        A + " " + TransferCommand.goOn(), B + " " + TransferCommand.goOn());
    }

    @Test
    void aCopyWithoutAMoveIsResumed() {
        parkAt(NONE);
        coordination = FeedRangeCoordination.restored(false, true, readers, pass(2));
        coordination.discovered(List.of());

        holds(B, right.parkedFor(1));

        assertThat(sent()).containsExactly(command(B, Kind.RESUME));
    }

    @Test
    void aHolderThatIsResetCancels() {
        parkAt(NONE);
        registered.remove(A);
        coordination.readerReset(A, List.of());
        assertThat(sent()).containsExactly(command(B, Kind.DROP_HOLD));

        pass(2);
        coordination.completed(2, true);
        assertThat(sent()).isEmpty();
        assertThat(coordination.cancelledCount()).isEqualTo(1);
    }

    @Test
    void aReceiverThatIsResetCancels() {
        parkAt(NONE);
        registered.remove(B);
        coordination.readerReset(B, List.of());

        assertThat(sent()).containsExactly(command(A, Kind.RESUME));
    }

    @Test
    void aReceiverThatIsNotThereAtTheCommitCancels() {
        parkAt(NONE);
        pass(2);
        registered.remove(B);
        coordination.completed(2, true);

        assertThat(sent()).containsExactly(command(A, Kind.RESUME));
    }

    @Test
    void aSplitThatEndsIsNotMoved() {
        coordination.completed(1, true);
        coordination.handle(B, TransferReport.watermarkHeld(1, NONE));
        sent();

        coordination.handle(A, TransferReport.declined(1));

        assertThat(sent()).containsExactly(command(B, Kind.DROP_HOLD), command(A, Kind.RESUME));
    }

    @Test
    void patienceEndsAndTheSplitRests() {
        coordination.completed(1, true);
        sent();
        for (int checkpoint = 2; checkpoint < 2 + TransferLedger.PATIENCE; checkpoint++) {
            pass(checkpoint);
            assertThat(sent()).isEmpty();
            coordination.completed(checkpoint, true);
        }
        assertThat(sent())
                .as("the other split is tried instead")
                .containsExactly(
                        command(B, Kind.DROP_HOLD),
                        B + " " + TransferCommand.of(Kind.HOLD_WATERMARK, 2, "l"));
    }

    /** No checkpoint completes any more: what is parked for one would stand still for ever. */
    @Test
    void aMoveThatTakesTooLongIsGivenUpWithoutACheckpoint() {
        parkAt(NONE);
        begin(2);
        for (int part = 0; part <= TransferLedger.PARTS_OF_THE_LONGEST + 1; part++) {
            coordination.timePassed();
            assertThat(sent()).as("checkpoint 2 may be one that ends the job").isEmpty();
        }
        readOn();
        assertThat(sent()).containsExactly(command(B, Kind.DROP_HOLD), command(A, Kind.RESUME));
        assertThat(coordination.cancelledCount()).isEqualTo(1);

        coordination.completed(2, true);
        assertThat(coordination.movedCount()).as("given up for good").isZero();
    }

    @Test
    void aMoveHasItsTime() {
        parkAt(NONE);
        for (int part = 0; part < TransferLedger.PARTS_OF_THE_LONGEST; part++) {
            coordination.timePassed();
        }
        pass(2);
        coordination.completed(2, true);
        assertThat(coordination.movedCount()).isEqualTo(1);
    }

    /** As in a source of sources, which keeps an empty reset to itself. */
    @Test
    void aReaderThatStartsAnewWithoutAResetIsOneThatWasReset() {
        parkAt(NONE);
        holds(A, left, right);
        assertThat(sent()).contains(command(B, Kind.DROP_HOLD));
        pass(2);
        coordination.completed(2, false);
        assertThat(coordination.movedCount()).as("A reads it").isZero();
    }

    /** Flink does not poll it: it is ahead of B's watermark, which is held for its split. */
    @Test
    void aHolderThatIsNotPolledIsNotWaitedForNorAskedAgain() {
        coordination.completed(1, true);
        coordination.handle(B, TransferReport.watermarkHeld(1, NONE));
        sent();
        for (int checkpoint = 2; checkpoint < 2 + TransferLedger.SILENCE; checkpoint++) {
            assertThat(sent()).isEmpty();
            begin(checkpoint);
            load(B, NONE);
            coordination.completed(checkpoint, true);
        }
        assertThat(sent()).containsExactly(command(B, Kind.DROP_HOLD), command(A, Kind.RESUME));

        // Nor when it is polled again, now and then, for it may stand still again the next moment.
        int end = 3 + TransferLedger.REST_OF_SILENT;
        for (int checkpoint = 4; checkpoint <= end; checkpoint++) {
            assertThat(sent()).isEmpty();
            pass(checkpoint);
            coordination.completed(checkpoint, true);
        }
        assertThat(sent()).hasSize(1);
    }

    @Test
    void aLateNotificationOfAnEarlierLifeIsIgnored() {
        move();
        coordination = FeedRangeCoordination.restored(false, true, readers, pass(3));
        coordination.discovered(List.of());
        holds(A, left);
        holds(B, right);
        coordination.completed(2, true);
        pass(4);
        coordination.completed(3, true);

        assertThat(pass(5).moves()).hasSize(1);
        coordination.completed(4, true);
        assertThat(pass(6).moves()).isEmpty();
    }

    @Test
    void nothingMovesWhenSwitchedOffOrBounded() {
        for (boolean bounded : new boolean[] {false, true}) {
            coordination = FeedRangeCoordination.fresh(bounded, bounded, readers);
            uneven();
            coordination.completed(1, true);
            assertThat(sent()).isEmpty();
        }
    }
}
