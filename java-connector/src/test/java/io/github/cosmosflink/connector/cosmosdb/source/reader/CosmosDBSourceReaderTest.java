// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.reader;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.cosmosflink.connector.cosmosdb.source.StopPosition;
import io.github.cosmosflink.connector.cosmosdb.source.TestSources;
import io.github.cosmosflink.connector.cosmosdb.source.backend.ChangeFeedException;
import io.github.cosmosflink.connector.cosmosdb.source.backend.SplitSnapshot;
import io.github.cosmosflink.connector.cosmosdb.source.reader.deserializer.CosmosDBDeserializationSchema;
import io.github.cosmosflink.connector.cosmosdb.source.reader.deserializer.CosmosDBRecordMetadata;
import io.github.cosmosflink.connector.cosmosdb.source.split.CosmosDBSplit;
import io.github.cosmosflink.connector.cosmosdb.source.split.RangeSplitEvent;
import io.github.cosmosflink.connector.cosmosdb.source.testing.FeedModel;
import io.github.cosmosflink.connector.cosmosdb.source.testing.RecordingOutput;
import io.github.cosmosflink.connector.cosmosdb.source.testing.ScriptedSession;
import io.github.cosmosflink.connector.cosmosdb.source.transfer.ReaderLoadEvent;
import io.github.cosmosflink.connector.cosmosdb.source.transfer.TransferCommand;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.connector.source.SourceEvent;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.connector.base.source.reader.RecordsWithSplitIds;
import org.apache.flink.connector.base.source.reader.splitreader.SplitsAddition;
import org.apache.flink.connector.testutils.source.reader.TestingReaderContext;
import org.apache.flink.core.io.InputStatus;
import org.apache.flink.metrics.groups.OperatorIOMetricGroup;
import org.apache.flink.runtime.metrics.groups.InternalSourceReaderMetricGroup;
import org.apache.flink.runtime.metrics.groups.UnregisteredMetricGroups;
import org.apache.flink.util.Collector;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class CosmosDBSourceReaderTest {

    private final FeedModel model = new FeedModel();
    private final TestingReaderContext context =
            new TestingReaderContext(
                    new Configuration(),
                    InternalSourceReaderMetricGroup.wrap(
                            UnregisteredMetricGroups.createUnregisteredOperatorMetricGroup()));
    private final RecordingOutput<String> output = new RecordingOutput<>();
    private CosmosDBSourceReader<String> reader;
    private ScriptedSession session;

    @BeforeEach
    void open() throws Exception {
        open(CosmosDBDeserializationSchema.json());
    }

    private void open(CosmosDBDeserializationSchema<String> deserializer) throws Exception {
        close();
        reader =
                CosmosDBSourceReader.open(
                        model.backend(),
                        TestSources.configuration(StopPosition.never()),
                        deserializer,
                        context);
        session = model.lastSession();
        reader.start();
        reader.handleSourceEvents(TransferCommand.goOn());
    }

    @AfterEach
    void close() throws Exception {
        if (reader == null) {
            return;
        }
        // As Flink, once.
        CosmosDBSourceReader<String> closing = reader;
        reader = null;
        closing.close();
        assertThat(session.isClosed()).isTrue();
        assertThat(session.livePages()).isZero();
    }

    /** What Flink does with an assigned split. */
    private CosmosDBSplit assign(FeedModel.Range range) {
        CosmosDBSplit split = CosmosDBSplit.of(model.split(range));
        output.createOutputForSplit(split.splitId());
        reader.addSplits(List.of(split));
        return split;
    }

    /** Polls until something was emitted, the splits have changed, or the reader has ended. */
    private InputStatus turn() throws Exception {
        int records = output.records().size();
        Set<String> splits = splitIds();
        List<String> positions = positions();
        while (true) {
            InputStatus status = reader.pollNext(output);
            if (status == InputStatus.END_OF_INPUT
                    || output.records().size() > records
                    || !splitIds().equals(splits)
                    || !positions().equals(positions)) {
                return status;
            }
            if (status == InputStatus.NOTHING_AVAILABLE) {
                reader.isAvailable().get(10, TimeUnit.SECONDS);
            }
        }
    }

    private Set<String> splitIds() {
        return reader.snapshotState(1).stream()
                .map(CosmosDBSplit::splitId)
                .collect(Collectors.toSet());
    }

    private List<String> positions() {
        return reader.snapshotState(1).stream()
                .map(split -> FeedModel.text(split.position()))
                .sorted()
                .collect(Collectors.toList());
    }

    @Test
    void eachTurnEmitsOneCommitGroupAndASnapshotFallsBetween() throws Exception {
        session.groupsPerPage(3);
        assign(model.root("a").group("a1").group("a2", "a3", "a4").group("a5", "a6").group("a7"));
        assertThat(positions()).containsExactly("a:0");

        turn();
        assertThat(output.records()).containsExactly("a1");
        assertThat(positions()).containsExactly("a:1");
        turn();
        assertThat(output.records()).containsExactly("a1", "a2", "a3", "a4");
        assertThat(positions()).containsExactly("a:2");
        turn();
        assertThat(output.records()).hasSize(6);
        assertThat(positions()).as("the page's end").containsExactly("a:3");
        turn();
        assertThat(output.records()).hasSize(7);
        assertThat(positions()).containsExactly("a:4");
    }

    @Test
    void aSnapshotAfterThePageWasRecycledHasItsEnd() throws Exception {
        session.bounded(false);
        assign(model.root("a").group("a1").group("a2"));
        turn();
        turn();
        while (session.livePages() > 0) {
            if (reader.pollNext(output) == InputStatus.NOTHING_AVAILABLE) {
                reader.isAvailable().get(10, TimeUnit.SECONDS);
            }
        }

        assertThat(positions()).containsExactly("a:2");
    }

    @Test
    void aGroupWithoutDocumentsMovesThePosition() throws Exception {
        assign(model.root("a").group());

        turn();

        assertThat(output.records()).isEmpty();
        assertThat(positions()).containsExactly("a:1");
        assertThat(metrics().getNumRecordsInCounter().getCount()).isZero();
    }

    @Test
    void recordsAndBytesAreCountedNotGroups() throws Exception {
        assign(model.root("a").group("a1", "a2", "a3").group().group("a4"));

        turn();
        turn();
        turn();

        assertThat(metrics().getNumRecordsInCounter().getCount()).isEqualTo(4);
        assertThat(metrics().getNumBytesInCounter().getCount()).isEqualTo(8);
    }

    private OperatorIOMetricGroup metrics() {
        return context.metricGroup().getIOMetricGroup();
    }

    @Test
    void theTimestampIsTheDocuments() throws Exception {
        assign(model.root("a").group("a1").group("timeless"));

        turn();
        turn();

        assertThat(output.timestamps()).containsExactly(1_000L, null);
    }

    @Test
    void aSplitRangeIsReplacedByItsChildrenInOneTurn() throws Exception {
        FeedModel.Range parent = model.root("p").group("p1");
        model.child(parent, "p0").group("p01");
        model.child(parent, "p1");
        CosmosDBSplit split = assign(parent);
        turn();
        assertThat(splitIds()).containsExactly(split.splitId());

        turn();

        List<CosmosDBSplit> now = reader.snapshotState(1);
        assertThat(positions()).containsExactly("p0:0", "p1:0");
        assertThat(output.splitsWithOutput())
                .as("before their first record, so that they hold the watermark back")
                .containsExactlyInAnyOrderElementsOf(splitIds());
        List<RangeSplitEvent> events = sent(RangeSplitEvent.class);
        assertThat(events).hasSize(1);
        RangeSplitEvent event = events.get(0);
        assertThat(event.parentId()).isEqualTo(split.splitId());
        assertThat(event.children()).containsExactlyInAnyOrderElementsOf(now);
    }

    private <E extends SourceEvent> List<E> sent(Class<E> type) {
        return context.getSentEvents().stream()
                .filter(type::isInstance)
                .map(type::cast)
                .collect(Collectors.toList());
    }

    @Test
    void aBoundedReaderEndsAfterItsLastRangeAlsoWhenThatHadNothing() throws Exception {
        FeedModel.Range parent = model.root("p").group("p1");
        model.child(parent, "p0").group("p01");
        model.child(parent, "p1");
        assign(parent);
        reader.notifyNoMoreSplits();

        InputStatus status;
        do {
            status = turn();
        } while (status != InputStatus.END_OF_INPUT);

        assertThat(output.records()).containsExactly("p1", "p01");
        assertThat(reader.snapshotState(1)).isEmpty();
        assertThat(output.splitsWithOutput()).isEmpty();
    }

    @Test
    void splitsThatComeAfterTheFetcherWentIdleAreRead() throws Exception {
        assign(model.root("a").group("a1"));
        turn();
        turn();
        assertThat(splitIds()).isEmpty();
        drain();

        assign(model.root("b").group("b1"));
        turn();

        assertThat(output.records()).containsExactly("a1", "b1");
    }

    /**
     * Flink's queue keeps an entry of a fetcher that was woken while it waited for room. If that
     * fetcher is ended then and another one comes to wait, the entry is woken in its place. Flink
     * ends a fetcher that has nothing left to read, although the end of a split that has children
     * may still be in the queue.
     */
    @Test
    void theFetcherOfAParentReadsTheChildren() throws Exception {
        session.groupsPerPage(1);
        FeedModel.Range parent = model.root("p");
        model.child(parent, "c").group("c1").group("c2").group("c3").group("c4").group("c5");
        assign(model.root("a").group("a1").group("a2").group("a3"));
        waitForFetcher(3, "waitOnPut");
        assign(model.root("b"));
        waitForFetcher(3, "waitOnPut");
        assign(parent);
        waitForFetcher(3, "waitOnPut");
        emit(1); // the end of a is in the fetcher's hands
        waitForFetcher(4, "waitOnPut");
        emit(2); // the end of b
        waitForFetcher(5, "waitOnPut");
        emit(3); // the end of p
        waitForFetcher(6, "waitOnPut");
        reader.pollNext(output); // takes the end of a
        waitForFetcher(6, "getNextTaskUnsafe");

        reader.pollNext(output); // takes the end of b
        reader.pollNext(output); // takes the end of p
        waitForFetcher(9, "waitOnPut");
        emit(8);

        assertThat(output.records()).endsWith("c4", "c5");
    }

    /** Waits until the session has answered so many polls and the fetcher waits in the method. */
    private void waitForFetcher(int answers, String method) {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(10);
        while (session.answers() != answers
                || Arrays.stream(session.lastPoller().getStackTrace())
                        .noneMatch(frame -> frame.getMethodName().equals(method))) {
            assertThat(System.nanoTime())
                    .as("%s answers, in %s", answers, method)
                    .isLessThan(deadline);
            Thread.onSpinWait();
        }
    }

    /** Polls until so many records were emitted in all. */
    private void emit(int records) throws Exception {
        while (output.records().size() < records) {
            turn();
        }
    }

    @Test
    void aCheckpointMakesAnIdleReaderReportItsLoad() throws Exception {
        session.bounded(false);
        assign(model.root("a").group("a1"));
        turn();
        while (session.livePages() > 0 || reader.isAvailable().isDone()) {
            reader.pollNext(output);
        }

        reader.snapshotState(5);

        assertThat(reader.isAvailable()).isDone();
        assertThat(sent(ReaderLoadEvent.class)).noneMatch(load -> load.checkpoint() == 5);
        reader.pollNext(output);
        assertThat(sent(ReaderLoadEvent.class)).last().matches(load -> load.checkpoint() == 5);
    }

    /** A poll that finds nothing is where Flink's own manager ends an idle fetcher. */
    private void drain() throws Exception {
        while (reader.pollNext(output) != InputStatus.NOTHING_AVAILABLE) {
            assertThat(output.records()).isNotEmpty();
        }
    }

    @Test
    void closingGivesBackPagesThatWereNotEmitted() throws Exception {
        session.groupsPerPage(2);
        assign(model.root("a").group("a1").group("a2").group("a3").group("a4"));
        turn();
        assertThat(session.livePages()).isPositive();

        close();

        assertThat(session.livePages()).isZero();
    }

    @Test
    void aFailureOfTheSessionFailsTheReaderWithItsCause() throws Exception {
        ChangeFeedException failure =
                new ChangeFeedException("CONTAINER_NOT_FOUND", "gone", 404, 0, null, false);
        session.bounded(false);
        session.fail(failure);
        assign(model.root("a"));

        assertThatThrownBy(this::turn).hasRootCause(failure);
    }

    @Test
    void aRefusedPositionFailsTheReaderAndNamesTheSplit() {
        reader.addSplits(
                List.of(CosmosDBSplit.of(new SplitSnapshot("bad", "[bad)", "x:0".getBytes()))));

        assertThatThrownBy(this::turn)
                .rootCause()
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("x:0");
    }

    /**
     * An exception out of a fetcher reaches the task by a notification that can get lost between
     * its look for errors and its look into the queue.
     */
    @Test
    void aFailureGoesThroughTheQueue() throws Exception {
        ChangeFeedException failure =
                new ChangeFeedException("CONTAINER_NOT_FOUND", "gone", 404, 0, null, false);
        session.fail(failure);
        CosmosDBSplitReader splitReader = new CosmosDBSplitReader(session, new SplitEnds());

        RecordsWithSplitIds<CommitGroup> records = splitReader.fetch();

        assertThatThrownBy(records::nextSplit).hasRootCause(failure).hasMessageContaining("gone");
    }

    @Test
    void anErrorGoesThroughTheQueue() {
        Error error = new NoClassDefFoundError("gone");
        session.fail(error);
        CosmosDBSplitReader splitReader = new CosmosDBSplitReader(session, new SplitEnds());

        RecordsWithSplitIds<CommitGroup> records = splitReader.fetch();

        assertThatThrownBy(records::nextSplit).hasRootCause(error);
    }

    @Test
    void aRefusedPositionGoesThroughTheQueue() throws Exception {
        CosmosDBSplitReader splitReader = new CosmosDBSplitReader(session, new SplitEnds());
        CosmosDBSplit bad = CosmosDBSplit.of(new SplitSnapshot("bad", "[bad)", "x:0".getBytes()));
        splitReader.handleSplitsChanges(new SplitsAddition<>(List.of(bad)));

        RecordsWithSplitIds<CommitGroup> records = splitReader.fetch();

        assertThatThrownBy(records::nextSplit).hasMessageContaining("cannot read [bad [bad)]");
    }

    /** Flink's own way to the split reader skips splits that are still on their way to it. */
    @Test
    void pausingReachesTheSessionForAnySplit() {
        reader.pauseOrResumeSplits(List.of("not there yet", "b"), List.of());
        reader.pauseOrResumeSplits(List.of(), List.of("b"));

        assertThat(session.paused()).containsExactly("not there yet");
    }

    @Test
    void aPausedSplitWaits() throws Exception {
        CosmosDBSplit paused = CosmosDBSplit.of(model.split(model.root("a").group("a1")));
        reader.pauseOrResumeSplits(List.of(paused.splitId()), List.of());
        output.createOutputForSplit(paused.splitId());
        reader.addSplits(List.of(paused));
        assign(model.root("b").group("b1"));

        turn();
        turn();
        assertThat(output.records()).containsExactly("b1");
        assertThat(positions()).containsExactly("a:0");

        reader.pauseOrResumeSplits(List.of(), List.of(paused.splitId()));
        turn();
        assertThat(output.records()).containsExactly("b1", "a1");
    }

    /** Keeps what it is shown. */
    private static final class Showing implements CosmosDBDeserializationSchema<String> {

        private final transient List<CosmosDBRecordMetadata> seen = new ArrayList<>();

        @Override
        public void deserialize(
                byte[] document, CosmosDBRecordMetadata metadata, Collector<String> out)
                throws IOException {
            seen.add(metadata);
            String text = new String(document, StandardCharsets.UTF_8);
            if (text.equals("broken")) {
                throw new IOException("no such document");
            }
            if (text.equals("none")) {
                return;
            }
            out.collect(
                    String.join(
                            " ",
                            text,
                            metadata.feedRange(),
                            String.valueOf(metadata.lsn().orElse(-1)),
                            String.valueOf(metadata.timestampMillis().orElse(-1)),
                            metadata.operation().name(),
                            metadata.etag()));
            out.collect("again");
        }

        @Override
        public TypeInformation<String> getProducedType() {
            return Types.STRING;
        }
    }

    @Test
    void theDeserializerSeesTheMetadataAndMakesAnyNumberOfRecords() throws Exception {
        Showing showing = new Showing();
        open(showing);
        assign(model.root("a").group("a1").group("none", "timeless"));

        turn();
        turn();

        assertThat(output.records())
                .containsExactly(
                        "a1 [01,02) 1 1000 UNKNOWN etag of a1",
                        "again",
                        "timeless [01,02) 2 -1 UNKNOWN etag of timeless",
                        "again");
        assertThat(metrics().getNumRecordsInCounter().getCount()).isEqualTo(3);
        assertThatThrownBy(() -> showing.seen.get(0).etag())
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("only during the call");
    }

    @Test
    void aDocumentThatCannotBeDeserializedIsNamedByItsPlace() throws Exception {
        open(new Showing());
        assign(model.root("a").group("a1", "broken"));

        assertThatThrownBy(this::turn)
                .isInstanceOf(IOException.class)
                .hasMessageContaining("document 1 of a page of feed range [01,02)")
                .hasRootCauseMessage("no such document");
        assertThat(positions()).as("the group was not emitted whole").containsExactly("a:0");
    }
}
