// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.enumerator;

import io.github.cosmosflink.connector.cosmosdb.source.transfer.ReaderLoadEvent;
import io.github.cosmosflink.connector.cosmosdb.source.transfer.ReaderLoadEvent.SplitLoad;
import io.github.cosmosflink.connector.cosmosdb.source.transfer.TransferCommand;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import javax.annotation.Nullable;

/**
 * Finds the split whose move makes the readers more even. Uneven is: two readers' splits differ by
 * two or more in number; or one reader has two or more splits that are behind, and another, which
 * reads fewer splits, none.
 *
 * <p>A move holds the watermark of the reader that is to get the split until the split has come as
 * far as that reader, so only splits are moved that are there already or are on their way: those
 * that emit.
 */
final class RebalancePlanner {

    /** A split and where it is to go. */
    static final class Plan {

        final String splitId;
        final int from;
        final int to;

        Plan(String splitId, int from, int to) {
            this.splitId = splitId;
            this.from = from;
            this.to = to;
        }
    }

    private static final class View {

        final int reader;
        final long highestTimestamp;
        final List<SplitLoad> movable = new ArrayList<>();
        int count;
        int behind;

        View(int reader, long highestTimestamp) {
            this.reader = reader;
            this.highestTimestamp = highestTimestamp;
        }
    }

    private static final int UNEVEN = 2;

    private RebalancePlanner() {}

    /**
     * @param splits what each reader reads, or will when the moves under way are done
     * @param loads with a report of each reader; readers that are silent are left as they are
     * @param settled splits that stay where they are
     * @param leftAlone readers that keep their splits
     * @return null when the readers are even, or nothing can be moved
     */
    @Nullable
    static Plan next(
            List<Set<String>> splits,
            ReaderLoads loads,
            Set<String> settled,
            Set<Integer> leftAlone) {
        List<View> views = new ArrayList<>();
        for (int reader = 0; reader < splits.size(); reader++) {
            if (loads.silentFor(reader) == 0) {
                View view = view(reader, splits.get(reader), loads.of(reader), settled);
                if (leftAlone.contains(reader)) {
                    view.movable.clear();
                }
                views.add(view);
            }
        }
        views.sort(Comparator.comparingInt(view -> view.count));
        for (int most = views.size() - 1; most > 0; most--) {
            for (int least = 0; least < most; least++) {
                if (views.get(most).count - views.get(least).count < UNEVEN) {
                    break;
                }
                Plan plan = move(views.get(most), views.get(least));
                if (plan != null) {
                    return plan;
                }
            }
        }
        return relieve(views);
    }

    private static View view(
            int reader, Set<String> splits, ReaderLoadEvent load, Set<String> settled) {
        View view = new View(reader, load.highestTimestamp());
        view.count = splits.size();
        Map<String, SplitLoad> reported = new HashMap<>();
        load.splits().forEach(split -> reported.put(split.splitId(), split));
        for (String splitId : splits) {
            SplitLoad split = reported.get(splitId);
            if (split != null) {
                view.behind += split.isBehind() ? 1 : 0;
                if (!settled.contains(splitId)) {
                    view.movable.add(split);
                }
            }
        }
        return view;
    }

    /**
     * Takes from a reader that falls behind and gives to one that does not. Only to one with fewer
     * splits: otherwise they would be uneven, and the split would come back.
     */
    @Nullable
    private static Plan relieve(List<View> views) {
        for (View from : views) {
            for (View to : views) {
                if (from.behind >= UNEVEN && to.behind == 0 && to.count < from.count) {
                    Plan plan = move(from, to);
                    if (plan != null) {
                        return plan;
                    }
                }
            }
        }
        return null;
    }

    /** The movable split that is furthest in time. */
    @Nullable
    private static Plan move(View from, View to) {
        SplitLoad best = null;
        for (SplitLoad split : from.movable) {
            boolean isThere =
                    to.highestTimestamp == TransferCommand.NO_TIMESTAMP
                            || split.lastTimestamp() >= to.highestTimestamp;
            if ((isThere || split.records() > 0)
                    && (best == null || split.lastTimestamp() > best.lastTimestamp())) {
                best = split;
            }
        }
        return best == null ? null : new Plan(best.splitId(), from.reader, to.reader);
    }
}
