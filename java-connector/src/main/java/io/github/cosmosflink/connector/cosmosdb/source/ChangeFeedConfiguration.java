// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source;

import java.io.Serializable;
import java.nio.charset.StandardCharsets;
import java.time.Duration;

/**
 * What a session is opened with. Immutable; travels in the job graph. Its text form shows
 * everything but the key.
 *
 * <p>The values were checked by {@link CosmosDBSourceBuilder#build()}; the JSON form is the one of
 * docs/native-interface.md.
 */
public final class ChangeFeedConfiguration implements Serializable {

    private static final long serialVersionUID = 1L;

    private final String endpoint;
    private final String key;
    private final String database;
    private final String container;
    private final ChangeFeedMode changeFeedMode;
    private final StartPosition startFrom;
    private final StopPosition stopAt;
    private final int minSplits;
    private final RetentionExpired retentionExpired;
    private final boolean rebalancing;
    private final Duration longestMove;
    private final boolean ignoreDeletes;
    private final int pageSize;
    private final long maxBytesInFlight;
    private final Duration idlePollMin;
    private final Duration idlePollMax;
    private final ItemsWithoutLsn itemsWithoutLsn;
    private final CertificateValidation certificateValidation;
    private final Duration startupTimeout;
    private final Duration requestTimeout;
    private final String applicationName;

    ChangeFeedConfiguration(CosmosDBSourceBuilder<?> checked) {
        this.endpoint = checked.endpoint;
        this.key = checked.key;
        this.database = checked.database;
        this.container = checked.container;
        this.changeFeedMode = checked.changeFeedMode;
        this.startFrom = checked.startFrom;
        this.stopAt = checked.stopAt;
        this.minSplits = checked.minSplits;
        this.retentionExpired = checked.retentionExpired;
        this.rebalancing = checked.rebalancing;
        this.longestMove = checked.longestMove;
        this.ignoreDeletes = checked.ignoreDeletes;
        this.pageSize = checked.pageSize;
        this.maxBytesInFlight = checked.maxBytesInFlight.getBytes();
        this.idlePollMin = checked.idlePollMin;
        this.idlePollMax = checked.idlePollMax;
        this.itemsWithoutLsn = checked.itemsWithoutLsn;
        this.certificateValidation = checked.certificateValidation;
        this.startupTimeout = checked.startupTimeout;
        this.requestTimeout = checked.requestTimeout;
        this.applicationName = checked.applicationName;
    }

    /** Whether reading ends by itself. */
    public boolean isBounded() {
        return stopAt.isBounded();
    }

    /** Whether splits may move between running readers. */
    public boolean isRebalancing() {
        return rebalancing;
    }

    /** How long a split may stand still to move to another reader. */
    public Duration longestMove() {
        return longestMove;
    }

    /** Whether deletes are left out; the core knows nothing of it. */
    public boolean ignoresDeletes() {
        return ignoreDeletes;
    }

    /**
     * The container as people name it, for logs and errors: {@code database/container at endpoint}.
     */
    public String describeContainer() {
        return database + '/' + container + " at " + endpoint;
    }

    /** The UTF-8 JSON that the core reads. Holds the key: never to be logged. */
    public byte[] toJson() {
        return render(key).getBytes(StandardCharsets.UTF_8);
    }

    /** The same JSON with the key left out. */
    @Override
    public String toString() {
        return render("<hidden>");
    }

    private String render(String shownKey) {
        StringBuilder json = new StringBuilder(512).append('{');
        JsonText.member(json, "endpoint", endpoint);
        JsonText.member(json, "key", shownKey);
        JsonText.member(json, "database", database);
        JsonText.member(json, "container", container);
        JsonText.member(json, "mode", changeFeedMode.name());
        JsonText.name(json, "startFrom").append('{');
        JsonText.member(json, "kind", startFrom.kind().name());
        JsonText.member(json, "epochMillis", startFrom.epochMillis());
        JsonText.member(json, "tokens", startFrom.savedTokens());
        json.append('}');
        JsonText.name(json, "stopAt").append('{');
        JsonText.member(json, "kind", stopAt.kind().name());
        JsonText.member(json, "epochMillis", stopAt.epochMillis());
        json.append('}');
        JsonText.member(json, "minSplits", minSplits);
        JsonText.member(json, "retentionExpired", retentionExpired.name());
        JsonText.member(json, "pageSize", pageSize);
        JsonText.member(json, "maxBytesInFlight", maxBytesInFlight);
        JsonText.member(json, "idlePollMinMillis", idlePollMin.toMillis());
        JsonText.member(json, "idlePollMaxMillis", idlePollMax.toMillis());
        JsonText.member(json, "itemsWithoutLsn", itemsWithoutLsn.name());
        JsonText.member(json, "startupTimeoutMillis", startupTimeout.toMillis());
        JsonText.member(json, "requestTimeoutMillis", requestTimeout.toMillis());
        JsonText.member(json, "certificateValidation", certificateValidation.name());
        JsonText.member(json, "applicationName", applicationName);
        return json.append('}').toString();
    }
}
