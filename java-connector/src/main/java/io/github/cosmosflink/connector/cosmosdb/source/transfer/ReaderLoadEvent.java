// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.transfer;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.connector.source.SourceEvent;

/**
 * From a reader to the enumerator: how its splits are getting on, sent with the first poll after
 * its part of a checkpoint. It says as much that the reader reads on after that checkpoint: Flink
 * does not poll readers that a savepoint is about to end.
 */
@Internal
public final class ReaderLoadEvent implements SourceEvent {

    private static final long serialVersionUID = 1L;

    /** One split. */
    public static final class SplitLoad implements Serializable {

        private static final long serialVersionUID = 1L;

        private final String splitId;
        private final long records;
        private final long lastTimestamp;
        private final boolean behind;

        /**
         * @param records emitted since the last report
         * @param lastTimestamp the highest emitted here, milliseconds since the epoch, or {@link
         *     TransferCommand#NO_TIMESTAMP}
         * @param behind whether the service had more than was emitted when it last answered
         */
        public SplitLoad(String splitId, long records, long lastTimestamp, boolean behind) {
            this.splitId = Objects.requireNonNull(splitId, "splitId");
            this.records = records;
            this.lastTimestamp = lastTimestamp;
            this.behind = behind;
        }

        public String splitId() {
            return splitId;
        }

        public long records() {
            return records;
        }

        public long lastTimestamp() {
            return lastTimestamp;
        }

        public boolean isBehind() {
            return behind;
        }

        @Override
        public String toString() {
            return splitId + " " + records + (behind ? " behind" : "");
        }
    }

    private final long checkpoint;
    private final ArrayList<SplitLoad> splits;
    private final long highestTimestamp;

    /**
     * @param checkpoint the last one that the reader took its part of
     * @param highestTimestamp of all records that the reader has emitted since its start, or {@link
     *     TransferCommand#NO_TIMESTAMP}
     */
    public ReaderLoadEvent(long checkpoint, List<SplitLoad> splits, long highestTimestamp) {
        this.checkpoint = checkpoint;
        this.splits = new ArrayList<>(splits);
        this.highestTimestamp = highestTimestamp;
    }

    public long checkpoint() {
        return checkpoint;
    }

    public List<SplitLoad> splits() {
        return splits;
    }

    public long highestTimestamp() {
        return highestTimestamp;
    }

    @Override
    public String toString() {
        return "load after checkpoint " + checkpoint + ": " + splits;
    }
}
