// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.enumerator;

import io.github.cosmosflink.connector.cosmosdb.source.transfer.ReaderLoadEvent;
import java.util.Collection;
import java.util.HashMap;
import java.util.Map;

/**
 * The last report of each reader, and which readers report no more. A reader reports when Flink
 * polls it after a checkpoint; one that is ahead of the watermarks of its alignment group is not
 * polled until the others have come closer. For one thread.
 */
final class ReaderLoads {

    private final Map<Integer, ReaderLoadEvent> loads = new HashMap<>();

    /** By reader, the checkpoint of its report when the last checkpoint was completed. */
    private final Map<Integer, Long> seen = new HashMap<>();

    /** By reader, for how many completed checkpoints it has not reported. */
    private final Map<Integer, Integer> silent = new HashMap<>();

    void reported(int reader, ReaderLoadEvent load) {
        loads.put(reader, load);
    }

    void readerReset(int reader) {
        loads.remove(reader);
        seen.remove(reader);
        silent.remove(reader);
    }

    boolean areThereOf(Collection<Integer> readers) {
        return loads.keySet().containsAll(readers);
    }

    /** A checkpoint is complete. */
    void completed() {
        loads.forEach(
                (reader, load) -> {
                    Long before = seen.put(reader, load.checkpoint());
                    boolean isNew = before == null || before < load.checkpoint();
                    silent.put(reader, isNew ? 0 : silentFor(reader) + 1);
                });
    }

    /** For how many completed checkpoints a reader has not reported. */
    int silentFor(int reader) {
        return silent.getOrDefault(reader, 0);
    }

    ReaderLoadEvent of(int reader) {
        return loads.get(reader);
    }
}
