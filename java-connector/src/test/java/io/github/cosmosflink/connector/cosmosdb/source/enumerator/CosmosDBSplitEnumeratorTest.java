// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.enumerator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.cosmosflink.connector.cosmosdb.source.StopPosition;
import io.github.cosmosflink.connector.cosmosdb.source.TestSources;
import io.github.cosmosflink.connector.cosmosdb.source.backend.ChangeFeedBackend;
import io.github.cosmosflink.connector.cosmosdb.source.backend.ChangeFeedException;
import io.github.cosmosflink.connector.cosmosdb.source.backend.SplitSnapshot;
import io.github.cosmosflink.connector.cosmosdb.source.split.CosmosDBSplit;
import io.github.cosmosflink.connector.cosmosdb.source.split.RangeSplitEvent;
import io.github.cosmosflink.connector.cosmosdb.source.testing.FeedModel;
import io.github.cosmosflink.connector.cosmosdb.source.transfer.ReaderHoldingsEvent;
import io.github.cosmosflink.connector.cosmosdb.source.transfer.ReaderHoldingsEvent.Held;
import io.github.cosmosflink.connector.cosmosdb.source.transfer.TransferCommand;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.apache.flink.api.connector.source.SourceEvent;
import org.apache.flink.connector.testutils.source.reader.TestingSplitEnumeratorContext;
import org.apache.flink.connector.testutils.source.reader.TestingSplitEnumeratorContext.SplitAssignmentState;
import org.apache.flink.util.FlinkException;
import org.apache.flink.util.FlinkRuntimeException;
import org.junit.jupiter.api.Test;

class CosmosDBSplitEnumeratorTest {

    private final FeedModel model = new FeedModel();
    private final TestingSplitEnumeratorContext<CosmosDBSplit> context =
            new TestingSplitEnumeratorContext<>(2);

    CosmosDBSplitEnumeratorTest() {
        model.root("a");
        model.root("b");
        model.root("c");
    }

    private CosmosDBSplitEnumerator enumerator(StopPosition stopAt) {
        return enumerator(model.backend(), stopAt);
    }

    private CosmosDBSplitEnumerator enumerator(ChangeFeedBackend backend, StopPosition stopAt) {
        return new CosmosDBSplitEnumerator(
                backend, TestSources.configuration(stopAt), null, context);
    }

    private CosmosDBSplitEnumerator started(StopPosition stopAt) {
        CosmosDBSplitEnumerator enumerator = enumerator(stopAt);
        enumerator.start();
        context.triggerAllActions();
        return enumerator;
    }

    private void register(CosmosDBSplitEnumerator enumerator, int reader) {
        context.registerReader(reader, "host");
        enumerator.addReader(reader);
        enumerator.handleSourceEvent(reader, new ReaderHoldingsEvent(List.of()));
    }

    private List<CosmosDBSplit> assignedSplits(int reader) {
        SplitAssignmentState<CosmosDBSplit> state = context.getSplitAssignments().get(reader);
        return state == null ? List.of() : state.getAssignedSplits();
    }

    private List<String> assigned(int reader) {
        return assignedSplits(reader).stream()
                .map(CosmosDBSplit::feedRange)
                .collect(Collectors.toList());
    }

    private boolean dismissed(int reader) {
        SplitAssignmentState<CosmosDBSplit> state = context.getSplitAssignments().get(reader);
        return state != null && state.hasReceivedNoMoreSplitsSignal();
    }

    @Test
    void startDoesNotOpenASessionInTheCoordinatorsThread() {
        CosmosDBSplitEnumerator enumerator = enumerator(StopPosition.never());

        enumerator.start();
        assertThat(model.sessions()).isEmpty();

        context.triggerAllActions();
        assertThat(model.sessions()).hasSize(1);
        assertThat(model.lastSession().isClosed()).isTrue();
    }

    /** What moves that no checkpoint completes are given up by. */
    @Test
    void aClockRunsWhereSplitsMay() {
        started(StopPosition.latest());
        assertThat(context.getExecutorService().getAllPeriodicScheduledTask()).isEmpty();
        started(StopPosition.never());
        assertThat(context.getExecutorService().getAllPeriodicScheduledTask()).hasSize(1);
    }

    @Test
    void readersGetTheirRangesWhicheverComesFirst() {
        CosmosDBSplitEnumerator enumerator = enumerator(StopPosition.never());
        enumerator.start();
        register(enumerator, 0);
        assertThat(assigned(0)).isEmpty();

        context.triggerAllActions();
        assertThat(assigned(0)).containsExactly("[01,02)", "[03,04)");

        register(enumerator, 1);
        assertThat(assigned(1)).containsExactly("[02,03)");
        assertThat(dismissed(0) || dismissed(1)).as("an unbounded source does not end").isFalse();
    }

    @Test
    void aReaderGetsNothingBeforeItHasSaidWhatItHolds() {
        CosmosDBSplitEnumerator enumerator = started(StopPosition.never());
        context.registerReader(0, "host");
        enumerator.addReader(0);
        enumerator.handleSplitRequest(0, "host");
        assertThat(assigned(0)).isEmpty();

        enumerator.handleSourceEvent(0, new ReaderHoldingsEvent(List.of()));

        assertThat(assigned(0)).hasSize(2);
        assertThat(context.getSentEvents().get(0))
                .as("after what it gets")
                .containsExactly(TransferCommand.goOn());
    }

    @Test
    void aBoundedSourceEndsItsReaders() {
        CosmosDBSplitEnumerator enumerator = started(StopPosition.latest());

        register(enumerator, 1);
        assertThat(dismissed(1)).isTrue();
        register(enumerator, 0);
        assertThat(dismissed(0)).isTrue();
    }

    @Test
    void aReaderWithoutARangeIsEndedToo() {
        FeedModel empty = new FeedModel();
        empty.root("only");
        CosmosDBSplitEnumerator enumerator = enumerator(empty.backend(), StopPosition.latest());
        enumerator.start();
        context.triggerAllActions();

        register(enumerator, 1);

        assertThat(assigned(1)).isEmpty();
        assertThat(dismissed(1)).isTrue();
    }

    @Test
    void whatComesBackGoesOutAgain() {
        CosmosDBSplitEnumerator enumerator = started(StopPosition.latest());
        register(enumerator, 1);
        List<CosmosDBSplit> lost = context.getSplitAssignments().get(1).getAssignedSplits();

        enumerator.addSplitsBack(List.copyOf(lost), 1);
        enumerator.handleSourceEvent(1, new ReaderHoldingsEvent(List.of()));

        assertThat(assigned(1)).containsExactly("[02,03)", "[02,03)");
    }

    @Test
    void aRestoreChecksTheDiscoveredRangesAndHandsOutWhatWasPending() throws Exception {
        CosmosDBSplitEnumerator first = started(StopPosition.never());
        register(first, 0);
        byte[] state = CosmosDBEnumeratorStateSerializer.INSTANCE.serialize(first.snapshotState(1));
        first.close();

        TestingSplitEnumeratorContext<CosmosDBSplit> other = new TestingSplitEnumeratorContext<>(1);
        CosmosDBSplitEnumerator restored =
                new CosmosDBSplitEnumerator(
                        model.backend(),
                        TestSources.configuration(StopPosition.never()),
                        CosmosDBEnumeratorStateSerializer.INSTANCE.deserialize(1, state),
                        other);
        restored.start();
        other.registerReader(0, "host");
        restored.addReader(0);
        restored.handleSourceEvent(
                0,
                new ReaderHoldingsEvent(
                        assignedSplits(0).stream().map(Held::of).collect(Collectors.toList())));
        other.triggerAllActions();

        assertThat(model.lastSession().lastKnown())
                .extracting(SplitSnapshot::feedRange)
                .containsExactly("[01,02)", "[02,03)", "[03,04)");
        assertThat(other.getSplitAssignments().get(0).getAssignedSplits())
                .extracting(CosmosDBSplit::feedRange)
                .containsExactly("[02,03)");
    }

    @Test
    void aReportedSplitIsInTheNextCheckpoint() throws Exception {
        CosmosDBSplitEnumerator enumerator = started(StopPosition.never());
        register(enumerator, 1);
        CosmosDBSplit parent = context.getSplitAssignments().get(1).getAssignedSplits().get(0);
        CosmosDBSplit child = new CosmosDBSplit("child", "[02,0280)", new byte[] {1});

        enumerator.handleSourceEvent(1, new RangeSplitEvent(parent.splitId(), List.of(child)));

        Map<String, CosmosDBEnumeratorState.Status> statuses =
                enumerator.snapshotState(1).entries().stream()
                        .collect(
                                Collectors.toMap(
                                        e -> e.split().feedRange(),
                                        CosmosDBEnumeratorState.Entry::status));
        assertThat(statuses)
                .containsEntry("[02,03)", CosmosDBEnumeratorState.Status.DIVIDED)
                .containsEntry("[02,0280)", CosmosDBEnumeratorState.Status.ASSIGNED);
    }

    @Test
    void anUnknownEventIsRefused() {
        CosmosDBSplitEnumerator enumerator = started(StopPosition.never());

        assertThatThrownBy(() -> enumerator.handleSourceEvent(0, new SourceEvent() {}))
                .isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void aFailedDiscoveryFailsTheJobWithItsCause() {
        ChangeFeedException cause =
                new ChangeFeedException("CONTAINER_NOT_FOUND", "no orders", 404, 0, "id", false);
        CosmosDBSplitEnumerator enumerator =
                enumerator(
                        configuration -> {
                            throw cause;
                        },
                        StopPosition.never());
        enumerator.start();

        assertThatThrownBy(context::triggerAllActions)
                .isInstanceOf(FlinkRuntimeException.class)
                .hasMessageContaining("shop/orders at https://account")
                .hasMessageContaining("no orders")
                .hasMessageNotContaining(TestSources.KEY)
                .hasCause(cause);
    }

    @Test
    void closingBeforeTheDiscoveryHasRunIsQuiet() {
        CosmosDBSplitEnumerator enumerator = enumerator(StopPosition.never());
        enumerator.start();

        enumerator.close();
        context.triggerAllActions();

        assertThat(model.lastSession().isClosed()).isTrue();
        assertThatThrownBy(() -> enumerator.snapshotState(1)).isInstanceOf(FlinkException.class);
    }

    /** Its restore would pin other starts. */
    @Test
    void thereIsNoCheckpointBeforeTheRangesAreKnown() throws Exception {
        CosmosDBSplitEnumerator enumerator = enumerator(StopPosition.never());
        enumerator.start();

        assertThatThrownBy(() -> enumerator.snapshotState(1))
                .isInstanceOf(FlinkException.class)
                .hasMessageContaining("shop/orders");

        context.triggerAllActions();
        assertThat(enumerator.snapshotState(2).entries()).hasSize(3);
    }
}
