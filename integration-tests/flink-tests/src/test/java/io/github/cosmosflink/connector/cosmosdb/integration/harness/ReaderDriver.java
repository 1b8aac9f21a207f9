// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.integration.harness;

import io.github.cosmosflink.connector.cosmosdb.source.CosmosDBSource;
import io.github.cosmosflink.connector.cosmosdb.source.enumerator.CosmosDBEnumeratorState;
import io.github.cosmosflink.connector.cosmosdb.source.split.CosmosDBSplit;
import io.github.cosmosflink.connector.cosmosdb.source.transfer.ReaderHoldingsEvent;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import org.apache.flink.api.connector.source.SourceReader;
import org.apache.flink.api.connector.source.SplitEnumerator;
import org.apache.flink.connector.testutils.source.reader.TestingReaderContext;
import org.apache.flink.connector.testutils.source.reader.TestingReaderOutput;
import org.apache.flink.connector.testutils.source.reader.TestingSplitEnumeratorContext;
import org.apache.flink.core.io.InputStatus;
import org.apache.flink.core.io.SimpleVersionedSerialization;

/**
 * A real source reader in the hand of a test, which decides after which commit group a checkpoint
 * is taken.
 */
public final class ReaderDriver implements AutoCloseable {

    private static final long PATIENCE_SECONDS = 120;

    private final SourceReader<Change, CosmosDBSplit> reader;
    private final TestingReaderOutput<Change> output = new TestingReaderOutput<>();
    private final CosmosDBSource<Change> source;

    private ReaderDriver(CosmosDBSource<Change> source, List<CosmosDBSplit> splits)
            throws Exception {
        this.source = source;
        this.reader = source.createReader(new TestingReaderContext());
        reader.start();
        reader.addSplits(splits);
    }

    /** Discovers the ranges and starts to read them. */
    public static ReaderDriver fresh(CosmosDBSource<Change> source) throws Exception {
        TestingSplitEnumeratorContext<CosmosDBSplit> context =
                new TestingSplitEnumeratorContext<>(1);
        try (SplitEnumerator<CosmosDBSplit, CosmosDBEnumeratorState> enumerator =
                source.createEnumerator(context)) {
            enumerator.start();
            context.registerReader(0, "here");
            enumerator.addReader(0);
            enumerator.handleSourceEvent(0, new ReaderHoldingsEvent(List.of()));
            context.triggerAllActions();
            return new ReaderDriver(
                    source, context.getSplitAssignments().get(0).getAssignedSplits());
        }
    }

    /** Starts to read these splits. */
    public static ReaderDriver reading(CosmosDBSource<Change> source, List<CosmosDBSplit> splits)
            throws Exception {
        return new ReaderDriver(source, splits);
    }

    /** Goes on from a snapshot. */
    public static ReaderDriver restored(CosmosDBSource<Change> source, List<byte[]> snapshot)
            throws Exception {
        List<CosmosDBSplit> splits = new ArrayList<>();
        for (byte[] split : snapshot) {
            splits.add(
                    SimpleVersionedSerialization.readVersionAndDeSerialize(
                            source.getSplitSerializer(), split));
        }
        return new ReaderDriver(source, splits);
    }

    /** Emits commit groups, one after the other, until the condition holds. */
    public void emitUntil(Predicate<List<Change>> condition) throws Exception {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS);
        while (!condition.test(output.getEmittedRecords())) {
            if (System.nanoTime() > deadline) {
                throw new AssertionError(
                        "waited in vain behind " + output.getEmittedRecords().size() + " changes");
            }
            if (reader.pollNext(output) == InputStatus.NOTHING_AVAILABLE) {
                reader.isAvailable().get(PATIENCE_SECONDS, TimeUnit.SECONDS);
            }
        }
    }

    /** Emits until there are so many changes. */
    public void emitUntil(int changes) throws Exception {
        emitUntil(seen -> seen.size() >= changes);
    }

    /** What was emitted so far. */
    public List<Change> emitted() {
        return new ArrayList<>(output.getEmittedRecords());
    }

    /** A checkpoint's bytes. */
    public List<byte[]> snapshot() throws Exception {
        List<byte[]> snapshot = new ArrayList<>();
        for (CosmosDBSplit split : reader.snapshotState(1)) {
            snapshot.add(
                    SimpleVersionedSerialization.writeVersionAndSerialize(
                            source.getSplitSerializer(), split));
        }
        return snapshot;
    }

    @Override
    public void close() throws Exception {
        reader.close();
    }
}
