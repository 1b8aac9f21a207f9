// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.transfer;

import io.github.cosmosflink.connector.cosmosdb.source.split.CosmosDBSplit;
import io.github.cosmosflink.connector.cosmosdb.source.split.Shown;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.connector.source.SourceEvent;

/**
 * From a reader to the enumerator, once, when it starts: what its restored state brought it. Flink
 * redistributes that state at will, so the enumerator learns here who reads what.
 */
@Internal
public final class ReaderHoldingsEvent implements SourceEvent {

    private static final long serialVersionUID = 1L;

    /** One split, without its position. */
    public static final class Held implements Serializable {

        private static final long serialVersionUID = 1L;

        private final String splitId;
        private final String feedRange;
        private final long transfer;

        public Held(String splitId, String feedRange, long transfer) {
            this.splitId = Objects.requireNonNull(splitId, "splitId");
            this.feedRange = Objects.requireNonNull(feedRange, "feedRange");
            this.transfer = transfer;
        }

        public static Held of(CosmosDBSplit split) {
            return new Held(split.splitId(), split.feedRange(), split.transfer());
        }

        public String splitId() {
            return splitId;
        }

        public String feedRange() {
            return feedRange;
        }

        public boolean isParked() {
            return transfer != CosmosDBSplit.NO_TRANSFER;
        }

        /** Of a parked copy. */
        public long transfer() {
            return transfer;
        }

        @Override
        public String toString() {
            return splitId + ' ' + feedRange + (isParked() ? " parked for " + transfer : "");
        }
    }

    private final ArrayList<Held> splits;

    public ReaderHoldingsEvent(List<Held> splits) {
        this.splits = new ArrayList<>(splits);
    }

    public List<Held> splits() {
        return splits;
    }

    @Override
    public String toString() {
        return "holdings: " + Shown.of(splits);
    }
}
