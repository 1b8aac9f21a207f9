// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.testing;

import io.github.cosmosflink.connector.cosmosdb.source.backend.ChangeFeedPage;
import io.github.cosmosflink.connector.cosmosdb.source.backend.SplitSnapshot;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import javax.annotation.Nullable;

/** A page that fails whoever touches it after it was recycled. */
final class ScriptedPage implements ChangeFeedPage {

    private final ScriptedSession session;
    private final Kind kind;
    private final String splitId;
    @Nullable private final FeedModel.Range range;
    private final int firstGroup;
    private final List<SplitSnapshot> children;
    private final List<String> documents = new ArrayList<>();
    private final List<Integer> groupStarts = new ArrayList<>();
    private volatile boolean recycled;

    private ScriptedPage(
            ScriptedSession session,
            Kind kind,
            String splitId,
            @Nullable FeedModel.Range range,
            int firstGroup,
            List<SplitSnapshot> children) {
        this.session = session;
        this.kind = kind;
        this.splitId = splitId;
        this.range = range;
        this.firstGroup = firstGroup;
        this.children = children;
    }

    static ScriptedPage documents(
            ScriptedSession session, String splitId, FeedModel.Range range, int from, int to) {
        ScriptedPage page =
                new ScriptedPage(session, Kind.DOCUMENTS, splitId, range, from, List.of());
        for (List<String> group : range.groups.subList(from, to)) {
            page.groupStarts.add(page.documents.size());
            page.documents.addAll(group);
        }
        return page;
    }

    static ScriptedPage rangeSplit(
            ScriptedSession session, String splitId, List<SplitSnapshot> children) {
        return new ScriptedPage(session, Kind.RANGE_SPLIT, splitId, null, 0, children);
    }

    static ScriptedPage rangeFinished(ScriptedSession session, String splitId) {
        return new ScriptedPage(session, Kind.RANGE_FINISHED, splitId, null, 0, List.of());
    }

    static ScriptedPage rangeReleased(ScriptedSession session, String splitId) {
        return new ScriptedPage(session, Kind.RANGE_RELEASED, splitId, null, 0, List.of());
    }

    private void checkLive() {
        if (recycled) {
            throw new AssertionError("a page of " + splitId + " was used after its recycling");
        }
    }

    @Override
    public Kind kind() {
        return kind;
    }

    @Override
    public String splitId() {
        return splitId;
    }

    @Override
    public int documentCount() {
        return documents.size();
    }

    @Override
    public int groupCount() {
        return groupStarts.size();
    }

    @Override
    public int groupStart(int group) {
        return group == groupStarts.size() ? documents.size() : groupStarts.get(group);
    }

    /** One that starts with "deleted" or "expired" is a delete: none. */
    @Override
    public byte[] document(int index) {
        checkLive();
        return isDelete(index)
                ? new byte[0]
                : documents.get(index).getBytes(StandardCharsets.UTF_8);
    }

    private boolean isDelete(int index) {
        return documents.get(index).startsWith("deleted") || isTimeToLiveExpired(index);
    }

    /** Of a delete the text of the document. */
    @Nullable
    @Override
    public byte[] previousDocument(int index) {
        checkLive();
        return isDelete(index) ? documents.get(index).getBytes(StandardCharsets.UTF_8) : null;
    }

    /** The number of the document's group in the range, from 1 on. */
    @Override
    public long lsn(int index) {
        checkLive();
        int group = 0;
        while (groupStart(group + 1) <= index) {
            group++;
        }
        return firstGroup + group + 1L;
    }

    /**
     * What a document says after an {@code @}, else its LSN; one that starts with "timeless" has
     * none.
     */
    @Override
    public long timestampMillis(int index) {
        checkLive();
        String document = documents.get(index);
        if (document.startsWith("timeless")) {
            return ABSENT;
        }
        int at = document.indexOf('@');
        return at < 0 ? lsn(index) * 1_000 : Long.parseLong(document.substring(at + 1));
    }

    @Override
    public byte operation(int index) {
        checkLive();
        return isDelete(index) ? DELETE : 0;
    }

    @Override
    public boolean isTimeToLiveExpired(int index) {
        checkLive();
        return documents.get(index).startsWith("expired");
    }

    @Override
    public String id(int index) {
        checkLive();
        return "id of " + documents.get(index);
    }

    @Nullable
    @Override
    public String partitionKey(int index) {
        checkLive();
        return isDelete(index) ? "[\"key\"]" : null;
    }

    @Override
    public String etag(int index) {
        checkLive();
        return "etag of " + documents.get(index);
    }

    @Override
    public byte[] positionAfter(int group) {
        checkLive();
        return FeedModel.position(range, firstGroup + group + 1);
    }

    @Override
    public List<SplitSnapshot> children() {
        return children;
    }

    /** Of the last document. */
    @Override
    public long partitionLsn() {
        return documents.isEmpty() ? ABSENT : lsn(documents.size() - 1);
    }

    @Override
    public double requestCharge() {
        return 1;
    }

    @Override
    public void recycle() {
        recycled = true;
        session.recycled(this);
    }
}
