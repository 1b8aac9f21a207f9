// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.cosmosflink.connector.cosmosdb.source.transfer.ReaderHoldingsEvent;
import io.github.cosmosflink.connector.cosmosdb.source.transfer.ReaderHoldingsEvent.Held;
import io.github.cosmosflink.connector.cosmosdb.source.transfer.ReaderLoadEvent;
import io.github.cosmosflink.connector.cosmosdb.source.transfer.ReaderLoadEvent.SplitLoad;
import java.util.List;
import java.util.function.IntFunction;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.flink.util.InstantiationUtil;
import org.junit.jupiter.api.Test;

/**
 * What one reader says of all its splits is one message, which Flink throws away if it is too
 * large: so there may be only so many.
 */
class MessageSizesTest {

    /** {@code pekko.framesize}, if nothing else is configured. */
    private static final int LARGEST_MESSAGE = 10_485_760;

    /** With bounds of as many digits as there are. */
    private static String range(int split) {
        return String.format("%032X,%032X", split, split + 1);
    }

    private static <T> List<T> most(IntFunction<T> split) {
        return IntStream.range(0, CosmosDBSourceBuilder.MOST_MIN_SPLITS)
                .mapToObj(split)
                .collect(Collectors.toList());
    }

    @Test
    void aReaderCanSpeakOfAllSplits() throws Exception {
        ReaderHoldingsEvent holdings =
                new ReaderHoldingsEvent(
                        most(i -> new Held(range(i) + "@0", "[" + range(i) + ")", 1L << 40)));
        ReaderLoadEvent loads =
                new ReaderLoadEvent(1, most(i -> new SplitLoad(range(i) + "@0", i, i, true)), 1);

        // Partitions may be split still.
        assertThat(InstantiationUtil.serializeObject(holdings).length)
                .isLessThan(LARGEST_MESSAGE / 4);
        assertThat(InstantiationUtil.serializeObject(loads).length).isLessThan(LARGEST_MESSAGE / 4);
    }
}
