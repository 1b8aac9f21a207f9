// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.split;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.connector.source.SourceEvent;

/** From a reader to the enumerator: a feed range has ended here and its children go on here. */
@Internal
public final class RangeSplitEvent implements SourceEvent {

    private static final long serialVersionUID = 1L;

    private final String parentId;
    private final ArrayList<CosmosDBSplit> children;

    public RangeSplitEvent(String parentId, List<CosmosDBSplit> children) {
        this.parentId = Objects.requireNonNull(parentId, "parentId");
        this.children = new ArrayList<>(children);
    }

    public String parentId() {
        return parentId;
    }

    public List<CosmosDBSplit> children() {
        return children;
    }

    @Override
    public String toString() {
        return "range split: " + parentId + " -> " + Shown.of(children);
    }
}
