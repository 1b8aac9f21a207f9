// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source;

import java.time.Duration;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.ConfigOptions;
import org.apache.flink.configuration.MemorySize;

/**
 * The source's options: names as in {@link CosmosDBSourceBuilder} and in error messages, types,
 * defaults.
 */
@PublicEvolving
public final class CosmosDBSourceOptions {

    public static final ConfigOption<String> ENDPOINT =
            ConfigOptions.key("endpoint")
                    .stringType()
                    .noDefaultValue()
                    .withDescription(
                            "The account's URI, https; http for a server on this machine only.");

    public static final ConfigOption<String> KEY =
            ConfigOptions.key("key")
                    .stringType()
                    .noDefaultValue()
                    .withDescription("The account's key, base64. A read-only key is enough.");

    public static final ConfigOption<String> DATABASE =
            ConfigOptions.key("database")
                    .stringType()
                    .noDefaultValue()
                    .withDescription("The database's name.");

    public static final ConfigOption<String> CONTAINER =
            ConfigOptions.key("container")
                    .stringType()
                    .noDefaultValue()
                    .withDescription("The container's name.");

    public static final ConfigOption<ChangeFeedMode> CHANGE_FEED_MODE =
            ConfigOptions.key("changeFeedMode")
                    .enumType(ChangeFeedMode.class)
                    .defaultValue(ChangeFeedMode.LATEST_VERSION)
                    .withDescription("Which of the service's two change feeds is read.");

    public static final ConfigOption<String> START_FROM =
            ConfigOptions.key("startFrom")
                    .stringType()
                    .defaultValue("beginning")
                    .withDescription(
                            "Where a job without state begins: beginning, now, a point in time, saved tokens, or the present state and then the changes.");

    public static final ConfigOption<String> STOP_AT =
            ConfigOptions.key("stopAt")
                    .stringType()
                    .defaultValue("never")
                    .withDescription(
                            "Where reading ends: never, at the latest change when the job starts, or at a point in time.");

    public static final ConfigOption<Integer> MIN_SPLITS =
            ConfigOptions.key("minSplits")
                    .intType()
                    .defaultValue(1)
                    .withDescription(
                            "Least number of splits that the container's feed ranges are cut into.");

    public static final ConfigOption<RetentionExpired> RETENTION_EXPIRED =
            ConfigOptions.key("retentionExpired")
                    .enumType(RetentionExpired.class)
                    .defaultValue(RetentionExpired.FAIL)
                    .withDescription(
                            "What to do when a position is older than the changes that the service retains.");

    public static final ConfigOption<Boolean> REBALANCING =
            ConfigOptions.key("rebalancing")
                    .booleanType()
                    .defaultValue(true)
                    .withDescription(
                            "Whether feed ranges move between the readers of a running job that has"
                                    + " checkpoints and no end when some have more to read than others.");

    public static final ConfigOption<Duration> LONGEST_MOVE =
            ConfigOptions.key("longestMove")
                    .durationType()
                    .defaultValue(Duration.ofMinutes(1))
                    .withDescription(
                            "How long a feed range may take to move to another reader. That is about two"
                                    + " checkpoint intervals; with longer ones nothing moves, and what takes"
                                    + " longer is given up.");

    public static final ConfigOption<Boolean> IGNORE_DELETES =
            ConfigOptions.key("ignoreDeletes")
                    .booleanType()
                    .defaultValue(false)
                    .withDescription("Leaves deletes out and counts them.");

    public static final ConfigOption<Integer> PAGE_SIZE =
            ConfigOptions.key("pageSize")
                    .intType()
                    .defaultValue(1000)
                    .withDescription(
                            "Most documents asked for in one request; the service may return fewer.");

    public static final ConfigOption<MemorySize> MAX_BYTES_IN_FLIGHT =
            ConfigOptions.key("maxBytesInFlight")
                    .memoryType()
                    .defaultValue(MemorySize.ofMebiBytes(64))
                    .withDescription(
                            "Bound on the off-heap memory of pages fetched and not yet emitted, per reader.");

    public static final ConfigOption<Duration> IDLE_POLL_MIN =
            ConfigOptions.key("idlePollMin")
                    .durationType()
                    .defaultValue(Duration.ofMillis(100))
                    .withDescription(
                            "First wait before a feed range that had nothing new is asked again.");

    public static final ConfigOption<Duration> IDLE_POLL_MAX =
            ConfigOptions.key("idlePollMax")
                    .durationType()
                    .defaultValue(Duration.ofSeconds(1))
                    .withDescription(
                            "Longest wait before a feed range that had nothing new is asked again.");

    public static final ConfigOption<ItemsWithoutLsn> ITEMS_WITHOUT_LSN =
            ConfigOptions.key("itemsWithoutLsn")
                    .enumType(ItemsWithoutLsn.class)
                    .defaultValue(ItemsWithoutLsn.FAIL)
                    .withDescription("What to do with a change that has no log sequence number.");

    public static final ConfigOption<CertificateValidation> CERTIFICATE_VALIDATION =
            ConfigOptions.key("certificateValidation")
                    .enumType(CertificateValidation.class)
                    .defaultValue(CertificateValidation.REQUIRED)
                    .withDescription("Whether the endpoint's TLS certificate must be trusted.");

    public static final ConfigOption<Duration> STARTUP_TIMEOUT =
            ConfigOptions.key("startupTimeout")
                    .durationType()
                    .defaultValue(Duration.ofSeconds(60))
                    .withDescription(
                            "How long a starting job tries to reach the container before it fails.");

    public static final ConfigOption<Duration> REQUEST_TIMEOUT =
            ConfigOptions.key("requestTimeout")
                    .durationType()
                    .defaultValue(Duration.ofSeconds(30))
                    .withDescription("How long one request may take before it is tried again.");

    public static final ConfigOption<String> APPLICATION_NAME =
            ConfigOptions.key("applicationName")
                    .stringType()
                    .defaultValue("")
                    .withDescription(
                            "Added to the user agent, to be found in the service's own logs.");

    private CosmosDBSourceOptions() {}
}
