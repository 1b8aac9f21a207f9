// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.reader;

import io.github.cosmosflink.connector.cosmosdb.source.backend.ChangeFeedSession;
import io.github.cosmosflink.connector.cosmosdb.source.reader.deserializer.CosmosDBDeserializationSchema;
import io.github.cosmosflink.connector.cosmosdb.source.reader.deserializer.CosmosDBRecordMetadata;
import io.github.cosmosflink.connector.cosmosdb.source.split.CosmosDBSplit;
import io.github.cosmosflink.connector.cosmosdb.source.transfer.TransferCommand;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import org.apache.flink.api.common.typeinfo.PrimitiveArrayTypeInfo;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.connector.source.ReaderOutput;
import org.apache.flink.api.connector.source.SourceEvent;
import org.apache.flink.api.connector.source.SourceOutput;
import org.apache.flink.connector.base.source.reader.splitreader.SplitsAddition;
import org.apache.flink.metrics.groups.OperatorIOMetricGroup;
import org.apache.flink.runtime.metrics.groups.UnregisteredMetricGroups;
import org.apache.flink.util.Collector;

/**
 * The shipped parts of a reader in a model of what Flink puts around them: its source operator, the
 * base class of readers, the fetcher and its queue. Single-threaded: the caller says whose turn it
 * is.
 */
public final class SimulatedReader {

    private static final int QUEUE_CAPACITY = 2;

    private static final OperatorIOMetricGroup METRICS =
            UnregisteredMetricGroups.createUnregisteredOperatorMetricGroup().getIOMetricGroup();

    private final ReaderOutput<byte[]> output;
    private final SplitEnds ends = new SplitEnds();
    private final CosmosDBSplitReader splitReader;
    private final CosmosDBRecordEmitter<byte[]> emitter =
            new CosmosDBRecordEmitter<>(new Bytes(), METRICS, null);
    private final ReaderBook book;

    private final Map<String, CosmosDBSplitState> states = new LinkedHashMap<>();
    private final Deque<List<CosmosDBSplit>> addTasks = new ArrayDeque<>();
    private final Deque<PageRecords> queue = new ArrayDeque<>();
    private final List<String> outputsToInitialize = new ArrayList<>();
    private PageRecords current;
    private String currentSplit;
    private boolean initialized;
    private boolean noMoreSplits;

    public SimulatedReader(
            ChangeFeedSession session,
            ReaderOutput<byte[]> output,
            Consumer<SourceEvent> toCoordinator) {
        this.output = output;
        this.splitReader = new CosmosDBSplitReader(session, ends);
        this.book =
                new ReaderBook(
                        new ReaderBook.Effects() {
                            @Override
                            public void read(List<CosmosDBSplit> splits) {
                                add(splits);
                            }

                            @Override
                            public void release(String splitId) {
                                try {
                                    session.releaseSplits(Set.of(splitId));
                                } catch (Exception e) {
                                    throw new IllegalStateException(e);
                                }
                            }

                            @Override
                            public void createOutput(String splitId) {
                                output.createOutputForSplit(splitId);
                            }

                            @Override
                            public void releaseOutput(String splitId) {
                                output.releaseOutputForSplit(splitId);
                            }

                            @Override
                            public void report(SourceEvent event) {
                                toCoordinator.accept(event);
                            }
                        });
    }

    /** The operator opens with its restored splits. The reader registers first. */
    public void open(List<CosmosDBSplit> restored) {
        if (!restored.isEmpty()) {
            addSplits(restored);
        }
        book.start();
    }

    /** The operator takes splits. */
    public void addSplits(List<CosmosDBSplit> splits) {
        for (CosmosDBSplit split : splits) {
            if (initialized) {
                output.createOutputForSplit(split.splitId());
            } else {
                outputsToInitialize.add(split.splitId());
            }
        }
        add(splits);
    }

    private void add(List<CosmosDBSplit> splits) {
        List<CosmosDBSplit> toRead = book.added(splits);
        if (toRead.isEmpty()) {
            return;
        }
        for (CosmosDBSplit split : toRead) {
            if (states.put(split.splitId(), book.begin(split)) != null) {
                throw new IllegalStateException("read twice by one reader: " + split);
            }
        }
        addTasks.add(toRead);
    }

    public void handle(SourceEvent event) {
        book.command((TransferCommand) event);
    }

    public void noMoreSplits() {
        noMoreSplits = true;
    }

    /** A turn of the fetcher: it takes splits, or brings a page when there is room. */
    public void fetch() {
        if (!addTasks.isEmpty()) {
            splitReader.handleSplitsChanges(new SplitsAddition<>(addTasks.remove()));
        } else if (queue.size() < QUEUE_CAPACITY) {
            queue.add((PageRecords) splitReader.fetch());
        }
    }

    /**
     * A turn of the task: at most one commit group is emitted.
     *
     * @return whether it found anything
     */
    public boolean poll() throws Exception {
        if (!initialized) {
            initialized = true;
            outputsToInitialize.forEach(output::createOutputForSplit);
            book.outputsReady();
        }
        boolean found = pollNext();
        book.polled();
        return found;
    }

    private boolean pollNext() throws Exception {
        while (true) {
            if (current == null) {
                current = queue.poll();
                if (current == null) {
                    return false;
                }
                if (!moveToNextSplit()) {
                    return true;
                }
            }
            CommitGroup group = current.nextRecordFromSplit();
            if (group != null) {
                SourceOutput<byte[]> splitOutput = output.createOutputForSplit(currentSplit);
                emitter.emitRecord(group, splitOutput, states.get(currentSplit));
                return true;
            }
            moveToNextSplit();
        }
    }

    private boolean moveToNextSplit() throws Exception {
        currentSplit = current.nextSplit();
        if (currentSplit != null) {
            if (!states.containsKey(currentSplit)) {
                throw new IllegalStateException("a page of " + currentSplit + ", not read here");
            }
            return true;
        }
        PageRecords done = current;
        current = null;
        Map<String, CosmosDBSplitState> finished = new LinkedHashMap<>();
        for (String splitId : done.finishedSplits()) {
            finished.put(splitId, states.remove(splitId));
            output.releaseOutputForSplit(splitId);
        }
        for (Map.Entry<String, CosmosDBSplitState> end : finished.entrySet()) {
            book.finished(end.getValue().toSplit(), ends.take(end.getKey()));
        }
        done.recycle();
        return false;
    }

    public List<CosmosDBSplit> snapshot(long checkpoint) throws Exception {
        List<CosmosDBSplit> read = new ArrayList<>();
        for (CosmosDBSplitState state : states.values()) {
            read.add(state.toSplit());
        }
        return book.snapshot(checkpoint, read);
    }

    /** Whether a bounded reader has come to its end. */
    public boolean isAtEnd() {
        return noMoreSplits
                && states.isEmpty()
                && !book.hasParked()
                && current == null
                && queue.isEmpty();
    }

    public Set<String> splits() {
        return states.keySet();
    }

    private static final class Bytes implements CosmosDBDeserializationSchema<byte[]> {

        private static final long serialVersionUID = 1L;

        @Override
        public void deserialize(
                byte[] document, CosmosDBRecordMetadata metadata, Collector<byte[]> out) {
            out.collect(document);
        }

        @Override
        public TypeInformation<byte[]> getProducedType() {
            return PrimitiveArrayTypeInfo.BYTE_PRIMITIVE_ARRAY_TYPE_INFO;
        }
    }
}
