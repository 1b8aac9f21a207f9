// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.enumerator;

import io.github.cosmosflink.connector.cosmosdb.source.split.CosmosDBSplit;
import io.github.cosmosflink.connector.cosmosdb.source.split.Shown;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.flink.api.connector.source.SourceEvent;
import org.apache.flink.api.connector.source.SplitEnumeratorContext;
import org.apache.flink.api.connector.source.SplitsAssignment;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Flink's readers.
 *
 * <p>Splits go to a reader in messages well below the size that Flink carries (10 MB if nothing
 * else is configured). A larger one is thrown away on its way, and a bounded job then ends without
 * having read anything.
 */
final class FlinkReaders implements Readers {

    private static final long LARGEST_MESSAGE = 1_000_000;

    private static final Logger LOG = LoggerFactory.getLogger(FlinkReaders.class);

    private final SplitEnumeratorContext<CosmosDBSplit> context;

    FlinkReaders(SplitEnumeratorContext<CosmosDBSplit> context) {
        this.context = context;
    }

    @Override
    public Set<Integer> registered() {
        return context.registeredReaders().keySet();
    }

    @Override
    public int parallelism() {
        return context.currentParallelism();
    }

    @Override
    public void assign(Map<Integer, List<CosmosDBSplit>> splits) {
        splits.forEach((reader, some) -> LOG.info("To reader {}: {}", reader, Shown.of(some)));
        splits.forEach(this::assign);
    }

    private void assign(int reader, List<CosmosDBSplit> splits) {
        List<CosmosDBSplit> message = new ArrayList<>();
        long size = 0;
        for (CosmosDBSplit split : splits) {
            if (size + size(split) > LARGEST_MESSAGE && !message.isEmpty()) {
                context.assignSplits(new SplitsAssignment<>(Map.of(reader, message)));
                message = new ArrayList<>();
                size = 0;
            }
            message.add(split);
            size += size(split);
        }
        context.assignSplits(new SplitsAssignment<>(Map.of(reader, message)));
    }

    /** About the bytes of a split's state. */
    private static long size(CosmosDBSplit split) {
        return split.splitId().length() + split.feedRange().length() + split.position().length;
    }

    @Override
    public void send(int reader, SourceEvent event) {
        LOG.info("To reader {}: {}", reader, event);
        context.sendEventToSourceReader(reader, event);
    }

    @Override
    public void noMoreSplits(int reader) {
        context.signalNoMoreSplits(reader);
    }
}
