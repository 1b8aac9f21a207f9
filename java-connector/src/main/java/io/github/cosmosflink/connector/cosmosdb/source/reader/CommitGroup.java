// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.reader;

import io.github.cosmosflink.connector.cosmosdb.source.backend.ChangeFeedPage;

/**
 * The documents of a page that share an LSN: one transaction, and what Flink handles as one
 * element, so that no checkpoint falls inside. Valid as long as its page.
 */
final class CommitGroup {

    private final ChangeFeedPage page;
    private final int index;

    CommitGroup(ChangeFeedPage page, int index) {
        this.page = page;
        this.index = index;
    }

    ChangeFeedPage page() {
        return page;
    }

    /** Counted from 0 within the page. */
    int index() {
        return index;
    }

    int firstDocument() {
        return page.groupStart(index);
    }

    /** The document after the last of the group. */
    int endDocument() {
        return page.groupStart(index + 1);
    }
}
