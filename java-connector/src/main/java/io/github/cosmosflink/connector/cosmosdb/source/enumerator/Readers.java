// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.enumerator;

import io.github.cosmosflink.connector.cosmosdb.source.split.CosmosDBSplit;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.connector.source.SourceEvent;

/**
 * The readers as the coordinator sees them, and the way to them. What is sent to one reader arrives
 * in the order of the calls, or the reader fails. For the coordinator's thread.
 */
@Internal
public interface Readers {

    /** The readers that run and have registered; only they may be given or sent anything. */
    Set<Integer> registered();

    /** How many readers there will be. */
    int parallelism();

    void assign(Map<Integer, List<CosmosDBSplit>> splits);

    void send(int reader, SourceEvent event);

    void noMoreSplits(int reader);
}
