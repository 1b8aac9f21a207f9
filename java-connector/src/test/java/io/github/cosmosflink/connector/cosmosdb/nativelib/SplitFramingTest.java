// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.nativelib;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.cosmosflink.connector.cosmosdb.source.backend.SplitSnapshot;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

class SplitFramingTest {

    private static final List<SplitSnapshot> SPLITS =
            Arrays.asList(
                    new SplitSnapshot("a-1", "[,80)", new byte[] {1, 2, 3}),
                    new SplitSnapshot("ä", "", new byte[0]));

    @Test
    void whatIsFramedIsReadBack() {
        assertThat(SplitFraming.decode(ByteBuffer.wrap(SplitFraming.encode(SPLITS))))
                .usingRecursiveFieldByFieldElementComparator()
                .isEqualTo(SPLITS);
    }

    @Test
    void theLayoutIsTheDocumentedOne() {
        byte[] framed = SplitFraming.encode(SPLITS.subList(0, 1));
        assertThat(framed)
                .containsExactly(
                        1, 0, 0, 0, 3, 0, 0, 0, 'a', '-', '1', 5, 0, 0, 0, '[', ',', '8', '0', ')',
                        3, 0, 0, 0, 1, 2, 3);
    }

    @Test
    void idsHaveNoPosition() {
        List<SplitSnapshot> splits =
                SplitFraming.decode(
                        ByteBuffer.wrap(SplitFraming.encodeIds(Arrays.asList("a", "b"))));
        assertThat(splits).extracting(SplitSnapshot::splitId).containsExactly("a", "b");
        assertThat(splits).allSatisfy(split -> assertThat(split.position()).isEmpty());
    }

    @Test
    void everyTruncationIsRefused() {
        byte[] framed = SplitFraming.encode(SPLITS);
        for (int length = 0; length < framed.length; length++) {
            ByteBuffer truncated = ByteBuffer.wrap(framed, 0, length);
            assertThatThrownBy(() -> SplitFraming.decode(truncated), "%d bytes", length)
                    .isInstanceOf(IllegalArgumentException.class);
        }
    }

    @Test
    void bytesLeftOverAreRefused() {
        byte[] framed = SplitFraming.encode(SPLITS);
        ByteBuffer longer = ByteBuffer.wrap(Arrays.copyOf(framed, framed.length + 1));
        assertThatThrownBy(() -> SplitFraming.decode(longer))
                .hasMessageContaining("1 bytes left over");
    }

    @Test
    void aNegativeLengthIsRefused() {
        ByteBuffer framed = ByteBuffer.wrap(new byte[] {-1, -1, -1, -1});
        assertThatThrownBy(() -> SplitFraming.decode(framed))
                .isInstanceOf(IllegalArgumentException.class);
    }
}
