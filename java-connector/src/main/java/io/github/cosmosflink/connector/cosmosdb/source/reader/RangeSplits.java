// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.reader;

import io.github.cosmosflink.connector.cosmosdb.source.split.CosmosDBSplit;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Carries the children of ranges that were split from the fetcher's thread to the task's, where
 * their parent's end arrives through Flink's queue, which has no room for them.
 */
final class RangeSplits {

    private final Map<String, List<CosmosDBSplit>> childrenByParent = new ConcurrentHashMap<>();

    /** By the fetcher, before it hands over the parent's end. */
    void put(String parentId, List<CosmosDBSplit> children) {
        childrenByParent.put(parentId, children);
    }

    /** By the task, once per parent; empty when the range was not split but has ended. */
    List<CosmosDBSplit> take(String parentId) {
        List<CosmosDBSplit> children = childrenByParent.remove(parentId);
        return children == null ? Collections.emptyList() : children;
    }
}
