// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.integration.benchmark;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.Change;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.ReaderDriver;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.TestAccount;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.TestContainer;
import io.github.cosmosflink.connector.cosmosdb.source.CosmosDBSource;
import io.github.cosmosflink.connector.cosmosdb.source.StartPosition;
import io.github.cosmosflink.connector.cosmosdb.source.enumerator.CosmosDBEnumeratorState;
import io.github.cosmosflink.connector.cosmosdb.source.split.CosmosDBSplit;
import io.github.cosmosflink.connector.cosmosdb.source.transfer.ReaderHoldingsEvent;
import io.github.cosmosflink.connector.cosmosdb.source.transfer.ReaderHoldingsEvent.Held;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.api.connector.source.SplitEnumerator;
import org.apache.flink.connector.testutils.source.reader.TestingSplitEnumeratorContext;
import org.apache.flink.core.io.SimpleVersionedSerialization;

/**
 * What many splits cost, for {@code scripts/bench-splits}: the shipped enumerator and a shipped
 * reader, which has them all, against a local server. Prints a line of JSON for each number of
 * splits.
 *
 * <pre>SplitsBenchmark SUB_RANGES SPLITS…</pre>
 *
 * SUB_RANGES is how many splits share a physical partition.
 */
public final class SplitsBenchmark {

    /** Readers among which the splits are dealt. */
    private static final int READERS = 64;

    /** So many that hardly a range is empty; the numbers of what is emitted are exact anyway. */
    private static final int DOCUMENTS_PER_SPLIT = 20;

    /** Those that are written between the checkpoint and the restore. */
    private static final int MORE_DOCUMENTS_PER_SPLIT = 2;

    private static final int WARM_UP_SPLITS = 200;

    private final TestAccount account;
    private final int splitsPerPartition;

    private SplitsBenchmark(TestAccount account, int splitsPerPartition) {
        this.account = account;
        this.splitsPerPartition = splitsPerPartition;
    }

    public static void main(String[] arguments) {
        try (TestAccount account = new TestAccount()) {
            account.open();
            SplitsBenchmark benchmark =
                    new SplitsBenchmark(account, Integer.parseInt(arguments[0]));
            benchmark.measure(WARM_UP_SPLITS);
            ObjectMapper json = new ObjectMapper();
            for (int i = 1; i < arguments.length; i++) {
                Map<String, Object> figures = benchmark.measure(Integer.parseInt(arguments[i]));
                System.out.println(json.writeValueAsString(figures));
            }
        } catch (Exception e) {
            e.printStackTrace();
            // A reader's threads would keep the process.
            System.exit(1);
        }
    }

    private Map<String, Object> measure(int splits) throws Exception {
        TestContainer container = account.createContainer(splits / splitsPerPartition);
        int documents = splits * DOCUMENTS_PER_SPLIT;
        container.fill(documents, documents);
        Map<String, Object> figures = new LinkedHashMap<>();
        figures.put("splits", splits);

        CosmosDBSource<Change> source = source(container, splits, StartPosition.beginning());
        Coordinator coordinator = new Coordinator(source, null);
        figures.put("discoverySeconds", seconds(coordinator::start));
        List<CosmosDBSplit> assigned = new ArrayList<>();
        figures.put(
                "assignmentSeconds", seconds(() -> assigned.addAll(coordinator.assign(List.of()))));
        require(assigned.size(), splits, "assigned splits");
        byte[][] state = new byte[1][];
        figures.put(
                "enumeratorCheckpointSeconds", seconds(() -> state[0] = coordinator.checkpoint()));
        figures.put("enumeratorBytesPerSplit", state[0].length / splits);
        coordinator.close();

        List<byte[]> checkpoint = new ArrayList<>();
        ReaderDriver reader = ReaderDriver.reading(source, assigned);
        figures.put("firstReadSeconds", seconds(() -> reader.emitUntil(documents)));
        figures.put("readerCheckpointSeconds", seconds(() -> checkpoint.addAll(reader.snapshot())));
        figures.put(
                "readerBytesPerSplit",
                checkpoint.stream().mapToInt(bytes -> bytes.length).sum() / splits);
        reader.close();

        int more = splits * MORE_DOCUMENTS_PER_SPLIT;
        container.fill(more, more);
        Coordinator restored = new Coordinator(source, state[0]);
        figures.put("enumeratorRestoreSeconds", seconds(restored::start));
        List<CosmosDBSplit> again = new ArrayList<>();
        figures.put(
                "enumeratorResumeSeconds", seconds(() -> again.addAll(restored.assign(assigned))));
        require(again.size(), 0, "splits assigned again");
        restored.close();
        ReaderDriver[] resumed = new ReaderDriver[1];
        figures.put(
                "readerRestoreSeconds",
                seconds(() -> resumed[0] = ReaderDriver.restored(source, checkpoint)));
        figures.put("catchUpSeconds", seconds(() -> resumed[0].emitUntil(more)));
        resumed[0].close();

        // Each range is asked for its present end, one request each.
        Coordinator pinned = new Coordinator(source(container, splits, StartPosition.now()), null);
        figures.put("pinnedDiscoverySeconds", seconds(pinned::start));
        require(pinned.assign(List.of()).size(), splits, "pinned splits");
        pinned.close();
        return figures;
    }

    private static CosmosDBSource<Change> source(
            TestContainer container, int splits, StartPosition start) {
        return container
                .source()
                .startFrom(start)
                .minSplits(splits)
                .idlePollInterval(Duration.ofSeconds(1), Duration.ofSeconds(10))
                .build();
    }

    private interface Phase {
        void run() throws Exception;
    }

    private static double seconds(Phase phase) throws Exception {
        long start = System.nanoTime();
        phase.run();
        return (System.nanoTime() - start) / 1e9;
    }

    private static void require(int found, int expected, String what) {
        if (found != expected) {
            throw new IllegalStateException(what + ": " + found + " instead of " + expected);
        }
    }

    /** An enumerator in the place of Flink's coordinator. */
    private static final class Coordinator implements AutoCloseable {

        private final CosmosDBSource<Change> source;
        private final TestingSplitEnumeratorContext<CosmosDBSplit> context =
                new TestingSplitEnumeratorContext<>(READERS);
        private final SplitEnumerator<CosmosDBSplit, CosmosDBEnumeratorState> enumerator;
        private final byte[] state;

        Coordinator(CosmosDBSource<Change> source, byte[] state) throws Exception {
            this.source = source;
            this.state = state;
            this.enumerator = state == null ? source.createEnumerator(context) : restore();
        }

        private SplitEnumerator<CosmosDBSplit, CosmosDBEnumeratorState> restore() throws Exception {
            return source.restoreEnumerator(
                    context,
                    SimpleVersionedSerialization.readVersionAndDeSerialize(
                            source.getEnumeratorCheckpointSerializer(), state));
        }

        /** Returns when the feed ranges are discovered, or those of the state checked. */
        void start() {
            enumerator.start();
            context.triggerAllActions();
        }

        /** All readers come; those of a restored job bring what they hold. */
        List<CosmosDBSplit> assign(List<CosmosDBSplit> held) {
            List<List<Held>> holdings = new ArrayList<>();
            for (int reader = 0; reader < READERS; reader++) {
                holdings.add(new ArrayList<>());
            }
            for (int i = 0; i < held.size(); i++) {
                holdings.get(i % READERS).add(Held.of(held.get(i)));
            }
            for (int reader = 0; reader < READERS; reader++) {
                context.registerReader(reader, "here");
                enumerator.addReader(reader);
                enumerator.handleSourceEvent(reader, new ReaderHoldingsEvent(holdings.get(reader)));
            }
            List<CosmosDBSplit> assigned = new ArrayList<>();
            context.getSplitAssignments()
                    .values()
                    .forEach(assignment -> assigned.addAll(assignment.getAssignedSplits()));
            return assigned;
        }

        byte[] checkpoint() throws Exception {
            return SimpleVersionedSerialization.writeVersionAndSerialize(
                    source.getEnumeratorCheckpointSerializer(), enumerator.snapshotState(1));
        }

        @Override
        public void close() throws Exception {
            enumerator.close();
        }
    }
}
