// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.integration;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.cosmosflink.connector.cosmosdb.integration.harness.Change;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.CommittedChanges;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.ReaderDriver;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.RunningJob;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.TestAccount;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.TestContainer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * A checkpoint in the middle of a page, items of which are updated before the restore. An updated
 * item leaves its place in the feed, so the page that is read again is shorter, and whoever counts
 * what was emitted from it skips items that were not.
 *
 * <p>Broken and watched: with the number of the page's items emitted so far in the place of the
 * mark's LSN, and as many dropped at the restore (two lines in {@code cursor.rs}), 12 of these 13
 * cases fail, by changes that are lost or never come; so do two of {@link RecoveryITCase}.
 */
class MidPageITCase {

    private static final int PAGE = 50;
    private static final String KEY = "pk";

    @RegisterExtension static final TestAccount ACCOUNT = new TestAccount();

    /**
     * @param emitted how many changes are emitted before the checkpoint; none is a multiple of the
     *     page's size
     * @param pageAfter the page size after the restore
     */
    @ParameterizedTest
    @CsvSource({
        "1, 50",
        "20, 50",
        "20, 7",
        "20, 1000",
        "49, 50",
        "70, 50",
        "70, 33",
        "70, 1",
        "130, 500"
    })
    void restoredWhileItsItemsAreUpdated(int emitted, int pageAfter) throws Exception {
        TestContainer container = ACCOUNT.createContainer(1);
        for (int i = 0; i < 150; i++) {
            container.upsert("doc-" + i, KEY);
        }

        List<Change> changes = new ArrayList<>();
        List<byte[]> checkpoint;
        try (ReaderDriver reader = ReaderDriver.fresh(container.source().pageSize(PAGE).build())) {
            reader.emitUntil(seen -> seen.size() == emitted);
            checkpoint = reader.snapshot();
            changes.addAll(reader.emitted());
        }
        // Of those that the page had before the mark every other, and some behind it.
        int pageStart = emitted / PAGE * PAGE;
        for (int i = pageStart; i < emitted; i += 2) {
            container.upsert("doc-" + i, KEY);
        }
        for (int i = emitted; i < pageStart + PAGE; i += 5) {
            container.upsert("doc-" + i, KEY);
        }
        changes.addAll(
                readToTheEnd(
                        container,
                        ReaderDriver.restored(
                                container.source().pageSize(pageAfter).build(), checkpoint)));

        RunningJob.assertExactlyOnce(new CommittedChanges(changes), container.writes());
    }

    /** Transactions are emitted whole, so that none is cut by the checkpoint. */
    @ParameterizedTest
    @CsvSource({"1, 10", "2, 3", "3, 10", "4, 1000"})
    void betweenTransactions(int transactions, int pageAfter) throws Exception {
        TestContainer container = ACCOUNT.createContainer(1);
        for (int i = 0; i < 6; i++) {
            container.upsertTogether(Arrays.asList("a-" + i, "b-" + i, "c-" + i), KEY);
        }

        List<Change> changes = new ArrayList<>();
        List<byte[]> checkpoint;
        try (ReaderDriver reader = ReaderDriver.fresh(container.source().pageSize(10).build())) {
            reader.emitUntil(seen -> seen.size() >= 3 * transactions - 2);
            checkpoint = reader.snapshot();
            changes.addAll(reader.emitted());
        }
        assertThat(changes).hasSize(3 * transactions);
        container.upsert("b-0", KEY);
        container.upsert("a-" + transactions, KEY);
        changes.addAll(
                readToTheEnd(
                        container,
                        ReaderDriver.restored(
                                container.source().pageSize(pageAfter).build(), checkpoint)));

        RunningJob.assertExactlyOnce(new CommittedChanges(changes), container.writes());
    }

    /** The feed of a partition is in order, so everything before the last item has come with it. */
    private static List<Change> readToTheEnd(TestContainer container, ReaderDriver reader)
            throws Exception {
        container.upsert("last", KEY);
        try (ReaderDriver closed = reader) {
            reader.emitUntil(
                    seen -> !seen.isEmpty() && seen.get(seen.size() - 1).id.equals("last"));
            return reader.emitted();
        }
    }
}
