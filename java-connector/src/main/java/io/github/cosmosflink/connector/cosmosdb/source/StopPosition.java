// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source;

import java.io.Serializable;
import java.time.Instant;
import java.util.Locale;
import java.util.Objects;
import org.apache.flink.annotation.PublicEvolving;

/**
 * Where reading ends. Captured per feed range when the job starts without state; a restored job
 * keeps what it had.
 *
 * <p>In latest-version mode an item that changes has only its last place in the feed. So a bounded
 * read of a container that is being written emits nothing that was written behind the end, but
 * misses the items that were changed behind the end before they were read. With an end that has
 * come it emits no item twice; {@code docs/reading.md} has the whole, merged partitions included.
 */
@PublicEvolving
public final class StopPosition implements Serializable {

    private static final long serialVersionUID = 1L;

    /** The kinds of stop, named as the core knows them. */
    enum Kind {
        NEVER,
        LATEST,
        AT
    }

    private final Kind kind;
    private final long epochMillis;

    private StopPosition(Kind kind, long epochMillis) {
        this.kind = kind;
        this.epochMillis = epochMillis;
    }

    /** The source is unbounded. */
    public static StopPosition never() {
        return new StopPosition(Kind.NEVER, 0);
    }

    /** The source is bounded: it ends at what is the latest change when the job starts. */
    public static StopPosition latest() {
        return new StopPosition(Kind.LATEST, 0);
    }

    /**
     * The source is bounded: it ends behind the changes of a point in time's second, which it waits
     * for when that is to come.
     *
     * @param instant not before the epoch
     */
    public static StopPosition at(Instant instant) {
        return new StopPosition(Kind.AT, Times.epochMillis("stopAt", instant));
    }

    Kind kind() {
        return kind;
    }

    long epochMillis() {
        return epochMillis;
    }

    boolean isBounded() {
        return kind != Kind.NEVER;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof StopPosition
                && ((StopPosition) other).kind == kind
                && ((StopPosition) other).epochMillis == epochMillis;
    }

    @Override
    public int hashCode() {
        return Objects.hash(kind, epochMillis);
    }

    @Override
    public String toString() {
        return kind == Kind.AT
                ? "at " + Instant.ofEpochMilli(epochMillis)
                : kind.name().toLowerCase(Locale.ROOT);
    }
}
