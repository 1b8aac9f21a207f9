// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source;

import java.io.Serializable;
import java.time.Instant;
import java.util.Locale;
import java.util.Objects;
import org.apache.flink.annotation.PublicEvolving;

/**
 * Where reading begins when the job starts without state. A restored job goes on where its state
 * says, whatever this says.
 */
@PublicEvolving
public final class StartPosition implements Serializable {

    private static final long serialVersionUID = 1L;

    /** The kinds of start, named as the core knows them. */
    enum Kind {
        BEGINNING,
        NOW,
        AT
    }

    private final Kind kind;
    private final long epochMillis;

    private StartPosition(Kind kind, long epochMillis) {
        this.kind = kind;
        this.epochMillis = epochMillis;
    }

    /** Everything that the container holds, then what changes. */
    public static StartPosition beginning() {
        return new StartPosition(Kind.BEGINNING, 0);
    }

    /** Only what changes from the first contact with the container on. */
    public static StartPosition now() {
        return new StartPosition(Kind.NOW, 0);
    }

    /**
     * What changed in the second of a point in time, or later. The service resolves it to about
     * five seconds.
     *
     * @param instant not before the epoch
     */
    public static StartPosition at(Instant instant) {
        Objects.requireNonNull(instant, "instant");
        if (instant.isBefore(Instant.EPOCH)) {
            throw new IllegalArgumentException(
                    "option 'startFrom': found '"
                            + instant
                            + "', accepted: a time not before "
                            + Instant.EPOCH);
        }
        return new StartPosition(Kind.AT, instant.toEpochMilli());
    }

    Kind kind() {
        return kind;
    }

    long epochMillis() {
        return epochMillis;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof StartPosition
                && ((StartPosition) other).kind == kind
                && ((StartPosition) other).epochMillis == epochMillis;
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
