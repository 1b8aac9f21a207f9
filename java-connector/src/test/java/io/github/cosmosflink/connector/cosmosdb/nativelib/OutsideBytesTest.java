// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.nativelib;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.cosmosflink.connector.cosmosdb.source.backend.SplitSnapshot;
import io.github.cosmosflink.connector.cosmosdb.source.testing.Damage;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

/**
 * Whatever the bytes are that come from the native side, they are refused with an {@link
 * IllegalArgumentException}, or everything that is handed out lies where there is something.
 */
class OutsideBytesTest {

    private static final int ROUNDS = 20_000;
    private static final int BODY = 100;

    private static final byte[] SPLITS =
            SplitFraming.encode(
                    List.of(
                            new SplitSnapshot("a-1", "[,80)", new byte[] {1, 2, 3}),
                            new SplitSnapshot("ä", "[80,FF)", new byte[0])));

    private interface Parser {
        void parse(byte[] bytes);
    }

    private static void damaged(byte[] valid, Parser parser) {
        Damage damage = new Damage();
        parser.parse(valid);
        int taken = 0;
        for (int round = 0; round < ROUNDS; round++) {
            byte[] bytes = damage.of(valid);
            try {
                parser.parse(bytes);
                taken++;
            } catch (IllegalArgumentException e) {
                // Refused.
            } catch (RuntimeException | AssertionError e) {
                throw new AssertionError(damage + ": " + Arrays.toString(bytes), e);
            }
        }
        assertThat(taken).as("%s goes as far as what is handed out", damage).isPositive();
    }

    @Test
    void indexesOfDocuments() {
        byte[] index =
                new PageIndexes()
                        .pageId(9)
                        .groups(3)
                        .endPosition(new byte[] {5, 6})
                        .document(0, 10, 40, 2, 4, 0)
                        .previous(1, 2)
                        .id(3, 4)
                        .document(10, 20, 40, 0, 0, 1)
                        .partitionKey(BODY - 2, 2)
                        .document(0, 0, 41, 96, 4, 2)
                        .bytes();
        damaged(index, OutsideBytesTest::readIndex);
    }

    @Test
    void indexesOfEvents() {
        damaged(new PageIndexes().kind(3).children(SPLITS).bytes(), OutsideBytesTest::readIndex);
    }

    @Test
    void framedSplits() {
        damaged(SPLITS, bytes -> SplitFraming.decode(ByteBuffer.wrap(bytes)));
    }

    private static void readIndex(byte[] bytes) {
        PageIndex index = new PageIndex(bytes, BODY);
        index.kind();
        index.pageId();
        index.splitId();
        index.endPosition();
        index.children();
        index.partitionLsn();
        index.requestCharge();
        int next = 0;
        for (int group = 0; group < index.groups(); group++) {
            assertThat(index.groupStart(group)).isEqualTo(next);
            next = index.groupStart(group + 1);
            assertThat(next - index.groupStart(group)).isBetween(0, index.documents());
            if (index.documents() > 0) {
                assertThat(next).as("no group is empty").isGreaterThan(index.groupStart(group));
            }
        }
        if (index.groups() > 0) {
            assertThat(next).isEqualTo(index.documents());
        }
        for (int document = 0; document < index.documents(); document++) {
            index.lsn(document);
            index.timestampMillis(document);
            index.operation(document);
            index.isTimeToLiveExpired(document);
            within(index.documentOffset(document), index.documentLength(document));
            within(index.previousOffset(document), index.previousLength(document));
            within(index.etagOffset(document), index.etagLength(document));
            within(index.idOffset(document), index.idLength(document));
            within(index.partitionKeyOffset(document), index.partitionKeyLength(document));
        }
    }

    private static void within(int offset, int length) {
        if (length != 0) {
            assertThat(offset).isBetween(0, BODY);
            assertThat(length).isBetween(1, BODY - offset);
        }
    }
}
