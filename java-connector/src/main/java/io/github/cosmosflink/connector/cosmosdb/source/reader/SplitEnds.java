// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.reader;

import io.github.cosmosflink.connector.cosmosdb.source.split.CosmosDBSplit;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import javax.annotation.Nullable;

/**
 * Carries how splits ended from the fetcher's thread to the task's, where their end arrives through
 * Flink's queue, which has no room for it.
 */
final class SplitEnds {

    /** How a split ended. */
    static final class End {

        static final End FINISHED = new End(Collections.emptyList());
        static final End RELEASED = new End(Collections.emptyList());

        private final List<CosmosDBSplit> children;

        private End(List<CosmosDBSplit> children) {
            this.children = children;
        }

        static End divided(List<CosmosDBSplit> children) {
            return new End(children);
        }

        /** Empty unless it was divided. */
        List<CosmosDBSplit> children() {
            return children;
        }
    }

    private final Map<String, End> ends = new ConcurrentHashMap<>();

    /** By the fetcher, before it hands over the split's end. */
    void put(String splitId, End end) {
        ends.put(splitId, end);
    }

    /** By the task, once per split; null when the fetcher put none. */
    @Nullable
    End take(String splitId) {
        return ends.remove(splitId);
    }
}
