// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.enumerator;

import io.github.cosmosflink.connector.cosmosdb.source.split.CosmosDBSplit;
import io.github.cosmosflink.connector.cosmosdb.source.split.Shown;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.flink.api.connector.source.SourceEvent;
import org.apache.flink.api.connector.source.SplitEnumeratorContext;
import org.apache.flink.api.connector.source.SplitsAssignment;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Flink's readers. */
final class FlinkReaders implements Readers {

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
        context.assignSplits(new SplitsAssignment<>(splits));
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
