// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source;

import java.time.Instant;
import java.util.Objects;

/** Points in time as options. */
final class Times {

    /** The last second that an HTTP date can name. */
    private static final Instant LAST = Instant.parse("9999-12-31T23:59:59Z");

    private Times() {}

    /**
     * @throws IllegalArgumentException for a time that no document can have; names the option
     */
    static long epochMillis(String option, Instant instant) {
        Objects.requireNonNull(instant, "instant");
        if (instant.isBefore(Instant.EPOCH) || instant.isAfter(LAST)) {
            throw OptionChecks.refuse(
                    option, instant, "a time from " + Instant.EPOCH + " to " + LAST);
        }
        return instant.toEpochMilli();
    }
}
