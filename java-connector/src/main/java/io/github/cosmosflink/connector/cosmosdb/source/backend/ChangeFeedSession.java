// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.backend;

import java.util.Collection;
import java.util.List;
import javax.annotation.Nullable;

/**
 * One open connection to a container's change feed, owned by one enumerator or one reader.
 *
 * <p>All methods may be called from any thread. {@link #poll} is meant for one thread at a time.
 * Every method but {@link #close} and {@link #wakeUp} throws {@link ChangeFeedException} with code
 * {@code SESSION_CLOSED} after close.
 */
public interface ChangeFeedSession extends AutoCloseable {

    /**
     * Finds the feed ranges of the container; blocks on the network.
     *
     * @param known empty for a fresh start; on a restore the splits in the enumerator's state,
     *     which are then checked against the container (same container, no hole, no overlap)
     * @return the splits that are not known yet, starts and stops pinned
     */
    List<SplitSnapshot> discover(List<SplitSnapshot> known) throws ChangeFeedException;

    /**
     * Checks the snapshots and starts reading them. Adding an id that is being read is an error.
     */
    void addSplits(List<SplitSnapshot> splits) throws ChangeFeedException;

    /**
     * Pauses and resumes ranges by split id; ids that are unknown are remembered until they are
     * added.
     */
    void setPaused(Collection<String> pause, Collection<String> resume) throws ChangeFeedException;

    /**
     * Stops reading ranges by split id. Behind a range's last page exactly one event comes: {@link
     * ChangeFeedPage.Kind#RANGE_RELEASED}, unless the range ended by itself first. Then the id may
     * be added again. An id that is not read is remembered until it is added, and released then
     * without a request.
     */
    void releaseSplits(Collection<String> splitIds) throws ChangeFeedException;

    /**
     * Waits for the next page or event of any split.
     *
     * @return null when woken or timed out
     * @throws ChangeFeedException the failure that ended a range's reading; the job must fail
     */
    @Nullable
    ChangeFeedPage poll(long timeoutMillis) throws ChangeFeedException;

    /** Frees the present or the next {@link #poll}. */
    void wakeUp();

    /** A point-in-time copy of the session's counters. */
    ChangeFeedMetrics metrics() throws ChangeFeedException;

    /** Ends all reading and gives back all pages. Idempotent; frees blocked calls. */
    @Override
    void close();
}
