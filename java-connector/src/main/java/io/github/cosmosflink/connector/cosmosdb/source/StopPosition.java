// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source;

import java.io.Serializable;
import java.util.Locale;
import org.apache.flink.annotation.PublicEvolving;

/**
 * Where reading ends. Captured per feed range when the job starts without state; a restored job
 * keeps what it had.
 */
@PublicEvolving
public final class StopPosition implements Serializable {

    private static final long serialVersionUID = 1L;

    /** The kinds of stop, named as the core knows them. */
    enum Kind {
        NEVER,
        LATEST
    }

    private final Kind kind;

    private StopPosition(Kind kind) {
        this.kind = kind;
    }

    /** The source is unbounded. */
    public static StopPosition never() {
        return new StopPosition(Kind.NEVER);
    }

    /** The source is bounded: it ends at what is the latest change when the job starts. */
    public static StopPosition latest() {
        return new StopPosition(Kind.LATEST);
    }

    Kind kind() {
        return kind;
    }

    boolean isBounded() {
        return kind != Kind.NEVER;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof StopPosition && ((StopPosition) other).kind == kind;
    }

    @Override
    public int hashCode() {
        return kind.hashCode();
    }

    @Override
    public String toString() {
        return kind.name().toLowerCase(Locale.ROOT);
    }
}
