// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source;

import io.github.cosmosflink.connector.cosmosdb.nativelib.NativeChangeFeedBackend;
import io.github.cosmosflink.connector.cosmosdb.source.backend.ChangeFeedBackend;
import io.github.cosmosflink.connector.cosmosdb.source.reader.deserializer.CosmosDBDeserializationSchema;
import java.net.URI;
import java.net.URISyntaxException;
import java.time.Duration;
import java.util.Base64;
import java.util.Locale;
import javax.annotation.Nullable;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.configuration.ConfigOption;
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

    private static final int LONGEST_NAME = 255;
    private static final int LARGEST_PAGE_SIZE = 100_000;
    private static final int LONGEST_APPLICATION_NAME = 64;

    /** An answer of the service (4 MB) and a batch that it does not cut (2 MB) must find room. */
    private static final MemorySize LEAST_BYTES_IN_FLIGHT = MemorySize.ofMebiBytes(6);

    String endpoint;
    String key;
    String database;
    String container;
    StartPosition startFrom = StartPosition.beginning();
    StopPosition stopAt = StopPosition.never();
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

    /** Where a job without state begins; from the beginning when not set. */
    public CosmosDBSourceBuilder<T> startFrom(StartPosition startFrom) {
        this.startFrom = startFrom;
        return this;
    }

    /** Where reading ends; never when not set. */
    public CosmosDBSourceBuilder<T> stopAt(StopPosition stopAt) {
        this.stopAt = stopAt;
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
        check(CosmosDBSourceOptions.START_FROM, startFrom, startFrom != null, "a StartPosition");
        check(CosmosDBSourceOptions.STOP_AT, stopAt, stopAt != null, "a StopPosition");
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
        checkDuration(CosmosDBSourceOptions.STARTUP_TIMEOUT, startupTimeout);
        checkDuration(CosmosDBSourceOptions.REQUEST_TIMEOUT, requestTimeout);
        check(
                CosmosDBSourceOptions.APPLICATION_NAME,
                applicationName,
                isApplicationName(applicationName),
                "at most " + LONGEST_APPLICATION_NAME + " visible ASCII characters");
        if (deserializer == null) {
            throw refuse("deserializer", null, "a CosmosDBDeserializationSchema");
        }
        return new CosmosDBSource<>(new ChangeFeedConfiguration(this), deserializer, backend);
    }

    private static void checkEndpoint(@Nullable String endpoint) {
        String accepted =
                "an absolute URI like https://account.documents.azure.com:443/, http only for localhost,"
                        + " without path, query and user";
        URI uri;
        try {
            uri = endpoint == null ? null : new URI(endpoint);
        } catch (URISyntaxException e) {
            uri = null;
        }
        boolean valid =
                uri != null
                        && uri.getHost() != null
                        && isSchemeAllowed(uri)
                        && (uri.getPath().isEmpty() || uri.getPath().equals("/"))
                        && uri.getQuery() == null
                        && uri.getFragment() == null
                        && uri.getUserInfo() == null;
        if (!valid) {
            // An endpoint may hold a secret in its user or query part: show those parts no more
            // than the key.
            throw refuse("endpoint", endpoint == null ? null : withoutSecrets(endpoint), accepted);
        }
    }

    private static boolean isSchemeAllowed(URI uri) {
        String scheme = String.valueOf(uri.getScheme()).toLowerCase(Locale.ROOT);
        return scheme.equals("https") || (scheme.equals("http") && isThisMachine(uri.getHost()));
    }

    private static boolean isThisMachine(String host) {
        return host.equalsIgnoreCase("localhost")
                || host.equals("[::1]")
                || host.matches("127(\\.\\d{1,3}){3}");
    }

    private static String withoutSecrets(String endpoint) {
        return endpoint.replaceAll("//[^/@]*@", "//<hidden>@").replaceAll("[?#;].*", "<hidden>");
    }

    private static void checkKey(@Nullable String key) {
        if (key == null || key.isEmpty()) {
            throw refuse("key", null, "the account's key, base64");
        }
        if (!isBase64(key)) {
            // Neither the key nor the decoder's message, which quotes from it.
            throw refuse(
                    "key",
                    "a text of " + key.length() + " characters that is not base64",
                    "the account's key, base64");
        }
    }

    private static boolean isBase64(String key) {
        try {
            // The decoder is lenient about padding, the service is not: only the canonical form
            // will do.
            return Base64.getEncoder().encodeToString(Base64.getDecoder().decode(key)).equals(key);
        } catch (IllegalArgumentException e) {
            return false;
        }
    }

    private static void checkName(ConfigOption<String> option, @Nullable String name) {
        boolean valid =
                name != null
                        && !name.isBlank()
                        && name.length() <= LONGEST_NAME
                        && !name.endsWith(" ")
                        && name.chars().noneMatch(c -> "/\\?#".indexOf(c) >= 0 || c < 0x20);
        check(
                option,
                name,
                valid,
                "1 to " + LONGEST_NAME + " characters, none of / \\ ? #, not ending in a space");
    }

    private static void checkDuration(ConfigOption<Duration> option, @Nullable Duration duration) {
        boolean valid =
                duration != null
                        && duration.compareTo(Duration.ofMillis(1)) >= 0
                        && duration.compareTo(Duration.ofDays(1)) <= 0;
        check(option, duration, valid, "1 millisecond to 1 day");
    }

    private static boolean isApplicationName(@Nullable String name) {
        return name != null
                && name.length() <= LONGEST_APPLICATION_NAME
                && name.chars().allMatch(c -> c > 0x20 && c < 0x7f);
    }

    private static void check(
            ConfigOption<?> option, @Nullable Object found, boolean valid, String accepted) {
        if (!valid) {
            throw refuse(option.key(), found, accepted);
        }
    }

    private static IllegalArgumentException refuse(
            String option, @Nullable Object found, String accepted) {
        return new IllegalArgumentException(
                String.format(
                        "option '%s': found %s, accepted: %s",
                        option, found == null ? "nothing" : "'" + found + "'", accepted));
    }
}
