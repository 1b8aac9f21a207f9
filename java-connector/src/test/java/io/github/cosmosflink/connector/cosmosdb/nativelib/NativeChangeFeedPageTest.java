// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.nativelib;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.cosmosflink.connector.cosmosdb.source.backend.ChangeFeedException;
import io.github.cosmosflink.connector.cosmosdb.source.backend.ChangeFeedMetrics.Metric;
import java.io.IOException;
import java.nio.ByteBuffer;
import org.junit.jupiter.api.Test;

/** Pages over memory of the JVM's own, of a session of the real library that never saw them. */
class NativeChangeFeedPageTest {

    private static final String BODY = "{\"_etag\":\"\\\"e\\\"\"}{}";

    private static ByteBuffer body() {
        byte[] bytes = BODY.getBytes(UTF_8);
        ByteBuffer body = ByteBuffer.allocateDirect(bytes.length);
        body.put(bytes).flip();
        return body;
    }

    private static NativeChangeFeedSession open() throws ChangeFeedException {
        return (NativeChangeFeedSession)
                new NativeChangeFeedBackend().open(NativeRound.CONFIGURATION);
    }

    private static NativeChangeFeedPage page(NativeChangeFeedSession session, ByteBuffer body) {
        byte[] index =
                new PageIndexes()
                        .pageId(77)
                        .groups(2)
                        .endPosition(new byte[] {1, 2})
                        .document(0, 17, 5, 10, 5, 0)
                        .document(17, 2, 6, 0, 0, 1)
                        .document(0, 0, 6, 0, 0, 1)
                        .bytes();
        return new NativeChangeFeedPage(session, index, body);
    }

    @Test
    void whatIsHandedOutOutlivesThePage() throws IOException {
        try (NativeChangeFeedSession session = open()) {
            ByteBuffer body = body();
            NativeChangeFeedPage page = page(session, body);

            byte[] first = page.document(0);
            String etag = page.etag(0);
            page.recycle();
            for (int i = 0; i < body.capacity(); i++) {
                body.put(i, (byte) 'x');
            }

            assertThat(new String(first, UTF_8)).isEqualTo("{\"_etag\":\"\\\"e\\\"\"}");
            assertThat(etag).isEqualTo("\"e\"");
        }
    }

    @Test
    void anAbsentDocumentIsEmptyAndAnAbsentEtagIsNull() throws IOException {
        try (NativeChangeFeedSession session = open()) {
            NativeChangeFeedPage page = page(session, body());

            assertThat(page.document(2)).isEmpty();
            assertThat(page.etag(1)).isNull();
            assertThat(new String(page.document(1), UTF_8)).isEqualTo("{}");
        }
    }

    @Test
    void memoryThatWasGivenBackIsNotRead() throws IOException {
        try (NativeChangeFeedSession session = open()) {
            NativeChangeFeedPage page = page(session, body());
            page.recycle();
            page.recycle();

            assertThatThrownBy(() -> page.document(0)).isInstanceOf(IllegalStateException.class);
            assertThatThrownBy(() -> page.etag(0)).isInstanceOf(IllegalStateException.class);
            assertThat(page.lsn(0)).isEqualTo(5);
        }
    }

    @Test
    void theEndPositionTravelsWithThePage() throws IOException {
        NativeChangeFeedPage page;
        try (NativeChangeFeedSession session = open()) {
            page = page(session, body());
            assertThatThrownBy(() -> page.positionAfter(0))
                    .hasMessageContaining("page 77 is not out");
            assertThatThrownBy(() -> page.positionAfter(2))
                    .isInstanceOf(IndexOutOfBoundsException.class);
        }
        page.recycle();
        assertThat(page.positionAfter(1)).containsExactly(1, 2);
    }

    @Test
    void aClosedSessionSaysSo() throws IOException {
        NativeChangeFeedSession session = open();
        assertThat(session.metrics().get(Metric.BYTES_IN_FLIGHT)).isZero();
        session.close();
        session.close();
        session.wakeUp();

        assertThatThrownBy(() -> session.poll(0)).hasMessageContaining("SESSION_CLOSED");
        assertThatThrownBy(session::metrics).hasMessageContaining("SESSION_CLOSED");
    }

    @Test
    void aConfigurationThatIsRefusedDoesNotShowTheKey() {
        byte[] configuration =
                new String(NativeRound.CONFIGURATION, UTF_8)
                        .replace("a2V5", "c2VjcmV0")
                        .replace("\"pageSize\":1000", "\"pageSize\":0")
                        .getBytes(UTF_8);

        assertThatThrownBy(() -> new NativeChangeFeedBackend().open(configuration))
                .hasMessageContaining("CONFIGURATION_INVALID")
                .hasMessageContaining("pageSize")
                .satisfies(e -> assertThat(e.toString()).doesNotContain("c2VjcmV0"));
    }
}
