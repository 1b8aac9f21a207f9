// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source;

import static io.github.cosmosflink.connector.cosmosdb.source.OptionChecks.check;
import static io.github.cosmosflink.connector.cosmosdb.source.OptionChecks.checkApplicationName;
import static io.github.cosmosflink.connector.cosmosdb.source.OptionChecks.checkDuration;
import static io.github.cosmosflink.connector.cosmosdb.source.OptionChecks.checkEndpoint;
import static io.github.cosmosflink.connector.cosmosdb.source.OptionChecks.checkKey;
import static io.github.cosmosflink.connector.cosmosdb.source.OptionChecks.checkName;
import static io.github.cosmosflink.connector.cosmosdb.source.OptionChecks.refuse;

import io.github.cosmosflink.connector.cosmosdb.nativelib.NativeChangeFeedBackend;
import io.github.cosmosflink.connector.cosmosdb.source.backend.ChangeFeedBackend;
import io.github.cosmosflink.connector.cosmosdb.source.reader.deserializer.CosmosDBDeserializationSchema;
import java.time.Duration;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.configuration.MemorySize;

/**
 * Collects the source's options and checks them in {@link #build()}. What has a default need not be
 * set; {@code endpoint}, {@code key}, {@code database}, {@code container} and {@code deserializer}
 * have none.
 *
 * @param <T> what the source emits
 */
@PublicEvolving
public final class CosmosDBSourceBuilder<T> {

    private static final int LARGEST_PAGE_SIZE = 100_000;

    /** A reader that has them all names them in one message. */
    static final int MOST_MIN_SPLITS = 10_000;

    /** An answer of the service (4 MB) and a batch that it does not cut (2 MB) must find room. */
    private static final MemorySize LEAST_BYTES_IN_FLIGHT = MemorySize.ofMebiBytes(6);

    String endpoint;
    String key;
    String database;
    String container;
    ChangeFeedMode changeFeedMode = CosmosDBSourceOptions.CHANGE_FEED_MODE.defaultValue();
    StartPosition startFrom = StartPosition.beginning();
    StopPosition stopAt = StopPosition.never();
    int minSplits = CosmosDBSourceOptions.MIN_SPLITS.defaultValue();
    RetentionExpired retentionExpired = CosmosDBSourceOptions.RETENTION_EXPIRED.defaultValue();
    boolean rebalancing = CosmosDBSourceOptions.REBALANCING.defaultValue();
    Duration longestMove = CosmosDBSourceOptions.LONGEST_MOVE.defaultValue();
    boolean ignoreDeletes = CosmosDBSourceOptions.IGNORE_DELETES.defaultValue();
    int pageSize = CosmosDBSourceOptions.PAGE_SIZE.defaultValue();
    MemorySize maxBytesInFlight = CosmosDBSourceOptions.MAX_BYTES_IN_FLIGHT.defaultValue();
    Duration idlePollMin = CosmosDBSourceOptions.IDLE_POLL_MIN.defaultValue();
    Duration idlePollMax = CosmosDBSourceOptions.IDLE_POLL_MAX.defaultValue();
    ItemsWithoutLsn itemsWithoutLsn = CosmosDBSourceOptions.ITEMS_WITHOUT_LSN.defaultValue();
    CertificateValidation certificateValidation =
            CosmosDBSourceOptions.CERTIFICATE_VALIDATION.defaultValue();
    Duration startupTimeout = CosmosDBSourceOptions.STARTUP_TIMEOUT.defaultValue();
    Duration requestTimeout = CosmosDBSourceOptions.REQUEST_TIMEOUT.defaultValue();
    String applicationName = CosmosDBSourceOptions.APPLICATION_NAME.defaultValue();

    private CosmosDBDeserializationSchema<T> deserializer;
    private ChangeFeedBackend backend = new NativeChangeFeedBackend();

    CosmosDBSourceBuilder() {}

    /**
     * The account's URI: {@code https://<account>.documents.azure.com:443/}. Plain http is for this
     * machine only.
     */
    public CosmosDBSourceBuilder<T> endpoint(String endpoint) {
        this.endpoint = endpoint;
        return this;
    }

    /** The account's key, base64 as the portal shows it; a read-only key is enough. */
    public CosmosDBSourceBuilder<T> key(String key) {
        this.key = key;
        return this;
    }

    /** The database's name. */
    public CosmosDBSourceBuilder<T> database(String database) {
        this.database = database;
        return this;
    }

    /** The container's name. */
    public CosmosDBSourceBuilder<T> container(String container) {
        this.container = container;
        return this;
    }

    /** Which of the service's two change feeds is read; the latest versions when not set. */
    public CosmosDBSourceBuilder<T> changeFeedMode(ChangeFeedMode changeFeedMode) {
        this.changeFeedMode = changeFeedMode;
        return this;
    }

    /**
     * Where a job without state begins; from the beginning when not set, which all versions and
     * deletes cannot do.
     */
    public CosmosDBSourceBuilder<T> startFrom(StartPosition startFrom) {
        this.startFrom = startFrom;
        return this;
    }

    /** Where reading ends; never when not set. */
    public CosmosDBSourceBuilder<T> stopAt(StopPosition stopAt) {
        this.stopAt = stopAt;
        return this;
    }

    /**
     * Least number of splits that the container's feed ranges are cut into, evenly, when a job
     * without state starts; up to 10,000. By default there is one for each physical partition, and
     * more readers than that have nothing to do.
     */
    public CosmosDBSourceBuilder<T> minSplits(int minSplits) {
        this.minSplits = minSplits;
        return this;
    }

    /** What to do when a position is older than the changes that the service retains. */
    public CosmosDBSourceBuilder<T> retentionExpired(RetentionExpired retentionExpired) {
        this.retentionExpired = retentionExpired;
        return this;
    }

    /**
     * Whether feed ranges move between the readers of a running job when some have more to read
     * than others; on when not set. Without checkpoints, and with a stop position, none ever does.
     *
     * <p>To be switched off with unaligned checkpoints, and with an {@code AsyncDataStream} between
     * the source and a {@code keyBy}: a complete checkpoint does not mean there that what was
     * emitted before it has been processed, and the changes of a key could overtake each other.
     */
    public CosmosDBSourceBuilder<T> rebalancing(boolean rebalancing) {
        this.rebalancing = rebalancing;
        return this;
    }

    /**
     * How long a feed range may take to move to another reader, standing still for a part of it; a
     * minute when not set. A move takes about two checkpoint intervals, so with checkpoints further
     * apart than half of this nothing moves. One that takes longer, or up to a quarter more, is
     * given up.
     */
    public CosmosDBSourceBuilder<T> longestMove(Duration longestMove) {
        this.longestMove = longestMove;
        return this;
    }

    /**
     * Leaves deletes out and counts them in the metric {@code deletesIgnored}, for a deserializer
     * that does not handle them. The latest-version feed has none.
     */
    public CosmosDBSourceBuilder<T> ignoreDeletes(boolean ignoreDeletes) {
        this.ignoreDeletes = ignoreDeletes;
        return this;
    }

    /** How a document becomes what the source emits. */
    public CosmosDBSourceBuilder<T> deserializer(CosmosDBDeserializationSchema<T> deserializer) {
        this.deserializer = deserializer;
        return this;
    }

    /** Most documents asked for in one request; the service may return fewer. */
    public CosmosDBSourceBuilder<T> pageSize(int pageSize) {
        this.pageSize = pageSize;
        return this;
    }

    /** Bound on the off-heap memory of pages fetched and not yet emitted, per reader. */
    public CosmosDBSourceBuilder<T> maxBytesInFlight(MemorySize maxBytesInFlight) {
        this.maxBytesInFlight = maxBytesInFlight;
        return this;
    }

    /** First and longest wait before a feed range that had nothing new is asked again. */
    public CosmosDBSourceBuilder<T> idlePollInterval(Duration min, Duration max) {
        this.idlePollMin = min;
        this.idlePollMax = max;
        return this;
    }

    /** What to do with a change that has no log sequence number. */
    public CosmosDBSourceBuilder<T> itemsWithoutLsn(ItemsWithoutLsn itemsWithoutLsn) {
        this.itemsWithoutLsn = itemsWithoutLsn;
        return this;
    }

    /** Whether the endpoint's TLS certificate must be trusted. */
    public CosmosDBSourceBuilder<T> certificateValidation(CertificateValidation validation) {
        this.certificateValidation = validation;
        return this;
    }

    /** How long a starting job tries to reach the container before it fails. */
    public CosmosDBSourceBuilder<T> startupTimeout(Duration startupTimeout) {
        this.startupTimeout = startupTimeout;
        return this;
    }

    /** How long one request may take before it is tried again. */
    public CosmosDBSourceBuilder<T> requestTimeout(Duration requestTimeout) {
        this.requestTimeout = requestTimeout;
        return this;
    }

    /** Added to the user agent, to be found in the service's own logs. */
    public CosmosDBSourceBuilder<T> applicationName(String applicationName) {
        this.applicationName = applicationName;
        return this;
    }

    /** Replaces the native core, for tests of the shell alone. */
    CosmosDBSourceBuilder<T> backend(ChangeFeedBackend backend) {
        this.backend = backend;
        return this;
    }

    /**
     * Checks every option and makes the source. Contacts nothing and loads no native library.
     *
     * @throws IllegalArgumentException when a value is missing or refused; names the option, what
     *     was found and what is accepted, but never the key
     */
    public CosmosDBSource<T> build() {
        checkEndpoint(endpoint);
        checkKey(key);
        checkName(CosmosDBSourceOptions.DATABASE, database);
        checkName(CosmosDBSourceOptions.CONTAINER, container);
        checkReading();
        check(
                CosmosDBSourceOptions.PAGE_SIZE,
                pageSize,
                pageSize >= 1 && pageSize <= LARGEST_PAGE_SIZE,
                "1 to " + LARGEST_PAGE_SIZE);
        check(
                CosmosDBSourceOptions.MAX_BYTES_IN_FLIGHT,
                maxBytesInFlight,
                maxBytesInFlight != null && maxBytesInFlight.compareTo(LEAST_BYTES_IN_FLIGHT) >= 0,
                LEAST_BYTES_IN_FLIGHT + " or more");
        checkDuration(CosmosDBSourceOptions.IDLE_POLL_MIN, idlePollMin);
        checkDuration(CosmosDBSourceOptions.IDLE_POLL_MAX, idlePollMax);
        check(
                CosmosDBSourceOptions.IDLE_POLL_MAX,
                idlePollMax,
                idlePollMax.compareTo(idlePollMin) >= 0,
                "idlePollMin (" + idlePollMin + ") or more");
        check(
                CosmosDBSourceOptions.ITEMS_WITHOUT_LSN,
                itemsWithoutLsn,
                itemsWithoutLsn != null,
                "FAIL or PAGE");
        check(
                CosmosDBSourceOptions.CERTIFICATE_VALIDATION,
                certificateValidation,
                certificateValidation != null,
                "REQUIRED or REQUIRED_UNLESS_EMULATOR");
        checkDuration(CosmosDBSourceOptions.LONGEST_MOVE, longestMove);
        checkDuration(CosmosDBSourceOptions.STARTUP_TIMEOUT, startupTimeout);
        checkDuration(CosmosDBSourceOptions.REQUEST_TIMEOUT, requestTimeout);
        checkApplicationName(applicationName);
        checkDeserializer();
        return new CosmosDBSource<>(new ChangeFeedConfiguration(this), deserializer, backend);
    }

    /** What is read, from where to where; the options depend on each other. */
    private void checkReading() {
        check(
                CosmosDBSourceOptions.CHANGE_FEED_MODE,
                changeFeedMode,
                changeFeedMode != null,
                "LATEST_VERSION or ALL_VERSIONS_AND_DELETES");
        check(CosmosDBSourceOptions.START_FROM, startFrom, startFrom != null, "a StartPosition");
        check(
                CosmosDBSourceOptions.START_FROM,
                startFrom,
                startFrom.isAvailableIn(changeFeedMode),
                StartPosition.namesAvailableIn(changeFeedMode)
                        + " with option 'changeFeedMode' "
                        + changeFeedMode);
        check(CosmosDBSourceOptions.STOP_AT, stopAt, stopAt != null, "a StopPosition");
        check(
                CosmosDBSourceOptions.STOP_AT,
                stopAt,
                startFrom.kind() != StartPosition.Kind.AT
                        || stopAt.kind() != StopPosition.Kind.AT
                        || stopAt.epochMillis() >= startFrom.epochMillis(),
                "a time not before option 'startFrom' (" + startFrom + ")");
        check(
                CosmosDBSourceOptions.MIN_SPLITS,
                minSplits,
                minSplits >= 1 && minSplits <= MOST_MIN_SPLITS,
                "1 to " + MOST_MIN_SPLITS);
        check(
                CosmosDBSourceOptions.RETENTION_EXPIRED,
                retentionExpired,
                retentionExpired != null,
                "FAIL, START_FROM_NOW or PRESENT_STATE_THEN_CHANGES");
        check(
                CosmosDBSourceOptions.RETENTION_EXPIRED,
                retentionExpired,
                retentionExpired == RetentionExpired.FAIL
                        || changeFeedMode == ChangeFeedMode.ALL_VERSIONS_AND_DELETES,
                "FAIL with option 'changeFeedMode' " + changeFeedMode);
    }

    private void checkDeserializer() {
        if (deserializer == null) {
            throw refuse("deserializer", null, "a CosmosDBDeserializationSchema");
        }
        if (changeFeedMode == ChangeFeedMode.ALL_VERSIONS_AND_DELETES
                && !deserializer.handlesDeletes()
                && !ignoreDeletes) {
            throw refuse(
                    "deserializer",
                    deserializer.getClass().getSimpleName(),
                    "one that handles deletes, with option 'changeFeedMode' "
                            + changeFeedMode
                            + ": CosmosDBDeserializationSchema.changes(…) around it, one of your own"
                            + " whose handlesDeletes() is true, or any with option 'ignoreDeletes'"
                            + " true");
        }
    }
}
