// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source;

import java.io.Serializable;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.EnumSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.stream.Collectors;
import org.apache.flink.annotation.PublicEvolving;

/**
 * Where reading begins when the job starts without state. A restored job goes on where its state
 * says, whatever this says. Pinned for each feed range when the ranges are discovered.
 */
@PublicEvolving
public final class StartPosition implements Serializable {

    private static final long serialVersionUID = 1L;

    /** The kinds of start, named as the core knows them, shown as they are written. */
    enum Kind {
        BEGINNING("beginning"),
        NOW("now"),
        AT("at"),
        TOKENS("tokens"),
        PRESENT_STATE_THEN_CHANGES("presentStateThenChanges");

        private final String method;

        Kind(String method) {
            this.method = method;
        }
    }

    private final Kind kind;
    private final long epochMillis;
    private final ArrayList<String> tokens;

    private StartPosition(Kind kind, long epochMillis, Collection<String> tokens) {
        this.kind = kind;
        this.epochMillis = epochMillis;
        this.tokens = new ArrayList<>(tokens);
    }

    private static StartPosition of(Kind kind) {
        return new StartPosition(kind, 0, Collections.emptyList());
    }

    /** Everything that the container holds, then what changes. Latest version only. */
    public static StartPosition beginning() {
        return of(Kind.BEGINNING);
    }

    /**
     * Only what changes from now on: each feed range is asked for its latest change once, between
     * the job's start and its first checkpoint.
     */
    public static StartPosition now() {
        return of(Kind.NOW);
    }

    /**
     * What changed in the second of a point in time, or later. The service resolves it to about
     * five seconds. Latest version only.
     *
     * @param instant not before the epoch, and not to come when the job starts: the job then fails
     */
    public static StartPosition at(Instant instant) {
        return new StartPosition(
                Kind.AT, Times.epochMillis("startFrom", instant), Collections.emptyList());
    }

    /**
     * Where saved continuation tokens say, as Microsoft's SDK for Rust hands them out ({@code
     * c1.…}). Each may be for one feed range or for many; together they must cover the container,
     * without overlap, and be of this container and of the mode that is read.
     *
     * @throws IllegalArgumentException when there is none, or one is blank
     */
    public static StartPosition tokens(Collection<String> tokens) {
        Objects.requireNonNull(tokens, "tokens");
        if (tokens.isEmpty()
                || tokens.stream().anyMatch(token -> token == null || token.isBlank())) {
            throw new IllegalArgumentException(
                    "option 'startFrom': found "
                            + tokens.size()
                            + " tokens, none or with a blank one, accepted: continuation tokens"
                            + " that cover the container");
        }
        return new StartPosition(Kind.TOKENS, 0, tokens);
    }

    /** As {@link #tokens(Collection)}. */
    public static StartPosition tokens(String... tokens) {
        return tokens(Arrays.asList(tokens));
    }

    /**
     * Everything that the container holds, then every change. All versions and deletes only, which
     * by itself cannot start in the past: the position in the changes is pinned first, then the
     * present state is read through the latest-version feed, with operation {@code UNKNOWN}, then
     * the changes from the pinned position on.
     *
     * <p>No change is missing. An item that has not changed since the pin comes once, as present
     * state; of one that has, the state before may come or not, and every change since comes once.
     */
    public static StartPosition presentStateThenChanges() {
        return of(Kind.PRESENT_STATE_THEN_CHANGES);
    }

    /** The kinds that a mode can begin with. */
    private static Set<Kind> availableIn(ChangeFeedMode mode) {
        switch (mode) {
            case LATEST_VERSION:
                return EnumSet.of(Kind.BEGINNING, Kind.NOW, Kind.AT, Kind.TOKENS);
            case ALL_VERSIONS_AND_DELETES:
                return EnumSet.of(Kind.NOW, Kind.TOKENS, Kind.PRESENT_STATE_THEN_CHANGES);
            default:
                throw new IllegalArgumentException("a mode without starts: " + mode);
        }
    }

    boolean isAvailableIn(ChangeFeedMode mode) {
        return availableIn(mode).contains(kind);
    }

    /** What is accepted in a mode, for errors. */
    static String namesAvailableIn(ChangeFeedMode mode) {
        return availableIn(mode).stream()
                .map(kind -> kind.method)
                .collect(Collectors.joining(", "));
    }

    Kind kind() {
        return kind;
    }

    long epochMillis() {
        return epochMillis;
    }

    List<String> savedTokens() {
        return tokens;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof StartPosition
                && ((StartPosition) other).kind == kind
                && ((StartPosition) other).epochMillis == epochMillis
                && ((StartPosition) other).tokens.equals(tokens);
    }

    @Override
    public int hashCode() {
        return Objects.hash(kind, epochMillis, tokens);
    }

    @Override
    public String toString() {
        switch (kind) {
            case AT:
                return kind.method + " " + Instant.ofEpochMilli(epochMillis);
            case TOKENS:
                return tokens.size() + " " + kind.method;
            default:
                return kind.method;
        }
    }
}
