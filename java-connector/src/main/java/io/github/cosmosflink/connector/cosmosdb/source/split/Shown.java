// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.split;

import java.util.Collection;
import java.util.stream.Collectors;
import org.apache.flink.annotation.Internal;

/** Lists of splits in log lines: whole as a rule, cut where a container has thousands. */
@Internal
public final class Shown {

    private static final int MOST = 100;

    private Shown() {}

    public static String of(Collection<?> splits) {
        String first =
                splits.stream().limit(MOST).map(String::valueOf).collect(Collectors.joining(", "));
        int more = splits.size() - MOST;
        return more <= 0 ? '[' + first + ']' : '[' + first + ", and " + more + " more]";
    }
}
