// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.simulation;

import io.github.cosmosflink.connector.cosmosdb.source.backend.ChangeFeedPage;
import io.github.cosmosflink.connector.cosmosdb.source.backend.SplitSnapshot;
import java.util.List;
import javax.annotation.Nullable;

/** A page or an event of a {@link ModelSession}; fails whoever reads it after its recycling. */
final class ModelPage implements ChangeFeedPage {

    private final Kind kind;
    private final ModelSession.Position position;
    private final List<ModelContainer.Group> groups;
    private final List<SplitSnapshot> children;
    private final long partitionLsn;
    private final int documentCount;
    private boolean recycled;

    private ModelPage(
            Kind kind,
            ModelSession.Position position,
            List<ModelContainer.Group> groups,
            List<SplitSnapshot> children,
            long partitionLsn) {
        this.kind = kind;
        this.position = position;
        this.groups = groups;
        this.children = children;
        this.partitionLsn = partitionLsn;
        this.documentCount = groups.stream().mapToInt(group -> group.documents).sum();
    }

    /** With no groups, one that only moves the position. */
    static ModelPage documents(
            ModelSession.Position position, List<ModelContainer.Group> groups, long partitionLsn) {
        return new ModelPage(Kind.DOCUMENTS, position, groups, List.of(), partitionLsn);
    }

    static ModelPage event(
            Kind kind, ModelSession.Position position, List<SplitSnapshot> children) {
        return new ModelPage(kind, position, List.of(), children, ABSENT);
    }

    private ModelContainer.Group groupOf(int document) {
        if (recycled) {
            throw new IllegalStateException("used after its recycling");
        }
        int first = 0;
        for (ModelContainer.Group group : groups) {
            first += group.documents;
            if (document < first) {
                return group;
            }
        }
        throw new IndexOutOfBoundsException(document);
    }

    @Override
    public Kind kind() {
        return kind;
    }

    @Override
    public String splitId() {
        return position.splitId();
    }

    @Override
    public int documentCount() {
        return documentCount;
    }

    @Override
    public int groupCount() {
        return kind == Kind.DOCUMENTS ? Math.max(1, groups.size()) : 0;
    }

    @Override
    public int groupStart(int group) {
        int first = 0;
        for (int i = 0; i < Math.min(group, groups.size()); i++) {
            first += groups.get(i).documents;
        }
        return first;
    }

    @Override
    public byte[] document(int index) {
        ModelContainer.Group group = groupOf(index);
        return group.document(index - groupStart(groups.indexOf(group)));
    }

    @Nullable
    @Override
    public byte[] previousDocument(int index) {
        return null;
    }

    @Override
    public long lsn(int index) {
        return groupOf(index).lsn;
    }

    @Override
    public long timestampMillis(int index) {
        return groupOf(index).timestamp;
    }

    @Override
    public byte operation(int index) {
        return 0;
    }

    @Override
    public boolean isTimeToLiveExpired(int index) {
        return false;
    }

    @Nullable
    @Override
    public String id(int index) {
        return null;
    }

    @Nullable
    @Override
    public String partitionKey(int index) {
        return null;
    }

    @Nullable
    @Override
    public String etag(int index) {
        return null;
    }

    @Override
    public byte[] positionAfter(int group) {
        if (recycled) {
            throw new IllegalStateException("used after its recycling");
        }
        return (groups.isEmpty() ? position : position.at(groups.get(group).lsn)).toBytes();
    }

    @Override
    public List<SplitSnapshot> children() {
        return children;
    }

    @Override
    public long partitionLsn() {
        return partitionLsn;
    }

    @Override
    public double requestCharge() {
        return 1;
    }

    @Override
    public void recycle() {
        recycled = true;
    }
}
