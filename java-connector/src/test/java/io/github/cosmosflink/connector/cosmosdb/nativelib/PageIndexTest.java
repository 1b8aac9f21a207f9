// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.nativelib;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.cosmosflink.connector.cosmosdb.source.backend.ChangeFeedPage.Kind;
import io.github.cosmosflink.connector.cosmosdb.source.backend.SplitSnapshot;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Collections;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PageIndexTest {

    private static final int BODY = 100;

    private static PageIndexes threeDocuments() {
        return new PageIndexes()
                .pageId(9)
                .groups(2)
                .endPosition(new byte[] {5, 6})
                .document(0, 10, 40, 2, 4, 0)
                .document(10, 20, 40, 0, 0, 0)
                .document(30, 70, 41, 96, 4, 1);
    }

    @Test
    void everyFieldIsReadFromItsPlace() {
        PageIndex index = new PageIndex(threeDocuments().bytes(), BODY);

        assertThat(index.kind()).isEqualTo(Kind.DOCUMENTS);
        assertThat(index.pageId()).isEqualTo(9);
        assertThat(index.splitId()).isEqualTo("split-7");
        assertThat(index.documents()).isEqualTo(3);
        assertThat(index.groups()).isEqualTo(2);
        assertThat(index.groupStart(0)).isZero();
        assertThat(index.groupStart(1)).isEqualTo(2);
        assertThat(index.groupStart(2)).isEqualTo(3);
        assertThat(index.endPosition()).containsExactly(5, 6);
        assertThat(index.children()).isEmpty();
        assertThat(index.requestCharge()).isEqualTo(2.5);
        assertThat(index.documentOffset(2)).isEqualTo(30);
        assertThat(index.documentLength(2)).isEqualTo(70);
        assertThat(index.lsn(2)).isEqualTo(41);
        assertThat(index.timestampMillis(2)).isEqualTo(41_000);
        assertThat(index.operation(2)).isEqualTo((byte) 1);
        assertThat(index.etagOffset(2)).isEqualTo(96);
        assertThat(index.etagLength(1)).isZero();
    }

    @Test
    void whatADeleteSaysIsReadFromItsPlace() {
        byte[] bytes =
                new PageIndexes()
                        .groups(1)
                        .document(0, 10, 40, 0, 0, 0)
                        .previous(1, 2)
                        .flags(1)
                        .id(3, 4)
                        .partitionKey(5, 6)
                        .document(0, 0, 40, 0, 0, 0)
                        .bytes();

        PageIndex index = new PageIndex(bytes, BODY);

        assertThat(index.partitionLsn()).isEqualTo(77);
        assertThat(index.documentLength(1)).isZero();
        assertThat(index.previousOffset(1)).isEqualTo(1);
        assertThat(index.previousLength(1)).isEqualTo(2);
        assertThat(index.isTimeToLiveExpired(1)).isTrue();
        assertThat(index.isTimeToLiveExpired(0)).isFalse();
        assertThat(index.idOffset(1)).isEqualTo(3);
        assertThat(index.idLength(1)).isEqualTo(4);
        assertThat(index.partitionKeyOffset(1)).isEqualTo(5);
        assertThat(index.partitionKeyLength(1)).isEqualTo(6);
        assertThat(index.previousLength(0)).isZero();
    }

    @Test
    void nothingOfARowMayLieBeyondTheBody() {
        PageIndexes previous = new PageIndexes().previous(BODY, 1);
        PageIndexes id = new PageIndexes().id(BODY - 1, 2);
        PageIndexes key = new PageIndexes().partitionKey(0, BODY + 1);
        for (PageIndexes beyond : Arrays.asList(previous, id, key)) {
            byte[] bytes = beyond.groups(1).document(0, 1, 1, 0, 0, 0).bytes();
            assertThatThrownBy(() -> new PageIndex(bytes, BODY))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("101 of 100");
        }
    }

    @Test
    void aPageWithoutDocumentsHasOneGroup() {
        PageIndex index = new PageIndex(new PageIndexes().groups(1).bytes(), 0);

        assertThat(index.groups()).isEqualTo(1);
        assertThat(index.groupStart(0)).isZero();
        assertThat(index.groupStart(1)).isZero();
    }

    @Test
    void childrenOfASplitRangeAreRead() {
        SplitSnapshot child = new SplitSnapshot("child", "[,80)", new byte[] {1});
        byte[] bytes =
                new PageIndexes()
                        .kind(3)
                        .children(SplitFraming.encode(Collections.singletonList(child)))
                        .bytes();

        PageIndex index = new PageIndex(bytes, 0);

        assertThat(index.kind()).isEqualTo(Kind.RANGE_SPLIT);
        assertThat(index.groups()).isZero();
        assertThat(index.children())
                .usingRecursiveFieldByFieldElementComparator()
                .containsExactly(child);
    }

    @Test
    void aReleasedRangeIsAnEvent() {
        PageIndex index = new PageIndex(new PageIndexes().kind(4).bytes(), 0);

        assertThat(index.kind()).isEqualTo(Kind.RANGE_RELEASED);
        assertThat(index.splitId()).isEqualTo("split-7");
        assertThat(index.groups()).isZero();
    }

    @Test
    void everyTruncationIsRefused() {
        byte[] bytes = threeDocuments().bytes();
        for (int length = 0; length < bytes.length; length++) {
            byte[] truncated = Arrays.copyOf(bytes, length);
            assertThatThrownBy(
                            () -> new PageIndex(truncated, BODY),
                            "%d of %d bytes",
                            length,
                            bytes.length)
                    .isInstanceOf(IllegalArgumentException.class);
        }
    }

    @Test
    void aFieldBeyondTheBodyIsRefused() {
        assertThatThrownBy(() -> new PageIndex(threeDocuments().bytes(), BODY - 1))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("100 of 99");
    }

    @Test
    void offsetsOf2GibAndMoreAreNotTakenForNegative() {
        byte[] bytes = new PageIndexes().groups(1).document(0x8000_0000, 1, 1, 0, 0, 0).bytes();
        assertThatThrownBy(() -> new PageIndex(bytes, BODY))
                .isInstanceOf(IllegalArgumentException.class);
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 3, -1, 1_000_000})
    void anotherLayoutVersionIsRefused(int version) {
        refused(0, version, "layout version " + version);
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 5, -1})
    void anUnknownKindIsRefused(int kind) {
        refused(4, kind, "kind " + kind);
    }

    @ParameterizedTest
    @ValueSource(ints = {-1, Integer.MAX_VALUE})
    void anImpossibleNumberOfDocumentsIsRefused(int documents) {
        refused(16, documents, documents + " documents");
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 3, 4, -1})
    void aNumberOfGroupsThatTheRowsDoNotHaveIsRefused(int groups) {
        refused(20, groups, "group");
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 2, -1})
    void groupsOutOfTurnAreRefused(int lastGroup) {
        refused(PageIndexes.HEADER + 2 * PageIndexes.ROW + 44, lastGroup, "group");
    }

    @Test
    void aDocumentThatIsNotThereIsRefused() {
        PageIndex index = new PageIndex(threeDocuments().bytes(), BODY);
        assertThatThrownBy(() -> index.lsn(3)).isInstanceOf(IndexOutOfBoundsException.class);
        assertThatThrownBy(() -> index.lsn(-1)).isInstanceOf(IndexOutOfBoundsException.class);
    }

    private static void refused(int field, int value, String why) {
        byte[] bytes = threeDocuments().bytes();
        ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).putInt(field, value);
        assertThatThrownBy(() -> new PageIndex(bytes, BODY))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining(why);
    }
}
