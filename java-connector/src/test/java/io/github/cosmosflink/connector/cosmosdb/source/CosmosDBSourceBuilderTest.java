// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.cosmosflink.connector.cosmosdb.source.reader.deserializer.CosmosDBChange;
import java.time.Duration;
import java.time.Instant;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.connector.source.Boundedness;
import org.apache.flink.configuration.MemorySize;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class CosmosDBSourceBuilderTest {

    @Test
    void defaultsAreEnough() {
        CosmosDBSource<String> source = TestSources.builder().build();

        assertThat(source.getBoundedness()).isEqualTo(Boundedness.CONTINUOUS_UNBOUNDED);
        assertThat(source.getProducedType()).isEqualTo(Types.STRING);
    }

    static Stream<StopPosition> ends() {
        return Stream.of(StopPosition.latest(), StopPosition.at(Instant.EPOCH));
    }

    @ParameterizedTest
    @MethodSource("ends")
    void anEndBoundsTheSource(StopPosition end) {
        assertThat(TestSources.builder().stopAt(end).build().getBoundedness())
                .isEqualTo(Boundedness.BOUNDED);
    }

    static Stream<Arguments> refused() {
        return Stream.of(
                refused("endpoint", "nothing", b -> b.endpoint(null)),
                refused("endpoint", "''", b -> b.endpoint("")),
                refused("endpoint", "'account'", b -> b.endpoint("account")),
                refused("endpoint", "'https://'", b -> b.endpoint("https://")),
                refused("endpoint", "'ftp://host'", b -> b.endpoint("ftp://host")),
                refused("endpoint", "'http://host:80'", b -> b.endpoint("http://host:80")),
                refused("endpoint", "127.evil", b -> b.endpoint("http://127.evil.com")),
                refused("endpoint", "'https://host/db'", b -> b.endpoint("https://host/db")),
                refused(
                        "endpoint",
                        "'https://host/<hidden>'",
                        b -> b.endpoint("https://host/?k=s3cret")),
                refused("endpoint", "<hidden>@host", b -> b.endpoint("https://me:s3cret@host")),
                refused("key", "nothing", b -> b.key(null)),
                refused("key", "nothing", b -> b.key("")),
                refused("key", "12 characters", b -> b.key("s3cret-s3cre")),
                refused("key", "26 characters", b -> b.key("c3Qzc3Qzc3Qzc3Qzc3Qzc3QzYQ")),
                refused("database", "nothing", b -> b.database(null)),
                refused("database", "' '", b -> b.database(" ")),
                refused("database", "'a/b'", b -> b.database("a/b")),
                refused("container", "nothing", b -> b.container(null)),
                refused("container", "'a#b'", b -> b.container("a#b")),
                refused("container", "'a '", b -> b.container("a ")),
                refused("container", "xxx", b -> b.container("x".repeat(256))),
                refused("startFrom", "nothing", b -> b.startFrom(null)),
                refused("stopAt", "nothing", b -> b.stopAt(null)),
                refused("deserializer", "nothing", b -> b.deserializer(null)),
                refused("changeFeedMode", "nothing", b -> b.changeFeedMode(null)),
                refused("startFrom", "'presentState", b -> b.startFrom(PRESENT_STATE)),
                refused("startFrom", "'beginning'", b -> allVersions(b)),
                refused("startFrom", "'at ", b -> allVersions(b).startFrom(AT_THE_EPOCH)),
                refused("deserializer", "'JsonText", b -> allVersions(b).startFrom(PRESENT_STATE)),
                refused(
                        "stopAt",
                        "'at 1970-01-01T00:00:00Z'",
                        b ->
                                b.startFrom(StartPosition.at(Instant.ofEpochMilli(1)))
                                        .stopAt(StopPosition.at(Instant.EPOCH))),
                refused("minSplits", "'0'", b -> b.minSplits(0)),
                refused("minSplits", "'10001'", b -> b.minSplits(10_001)),
                refused("retentionExpired", "nothing", b -> b.retentionExpired(null)),
                refused(
                        "retentionExpired",
                        "'START_FROM_NOW'",
                        b -> b.retentionExpired(RetentionExpired.START_FROM_NOW)),
                refused("pageSize", "'0'", b -> b.pageSize(0)),
                refused("pageSize", "'100001'", b -> b.pageSize(100_001)),
                refused("maxBytesInFlight", "nothing", b -> b.maxBytesInFlight(null)),
                refused("maxBytesInFlight", "1", b -> b.maxBytesInFlight(new MemorySize(1))),
                refused("idlePollMin", "PT0S", b -> interval(b, 0, 1)),
                refused("idlePollMax", "PT0.01S", b -> interval(b, 20, 10)),
                refused("itemsWithoutLsn", "nothing", b -> b.itemsWithoutLsn(null)),
                refused("certificateValidation", "nothing", b -> b.certificateValidation(null)),
                refused("longestMove", "nothing", b -> b.longestMove(null)),
                refused("startupTimeout", "nothing", b -> b.startupTimeout(null)),
                refused("startupTimeout", "PT-1S", b -> b.startupTimeout(Duration.ofSeconds(-1))),
                refused("requestTimeout", "PT48H", b -> b.requestTimeout(Duration.ofDays(2))),
                refused("applicationName", "nothing", b -> b.applicationName(null)),
                refused("applicationName", "'a b'", b -> b.applicationName("a b")));
    }

    private static Arguments refused(
            String option, String found, Consumer<CosmosDBSourceBuilder<String>> change) {
        return Arguments.of(option, found, change);
    }

    /** Of the form that the portal shows. */
    private static final String REAL_KEY = "s3cret/s3cret+".repeat(6) + "s3==";

    static Stream<Consumer<CosmosDBSourceBuilder<String>>> misplacedSecrets() {
        return Stream.of(
                b -> b.endpoint(REAL_KEY).key("https://host/"),
                b -> b.endpoint("AccountKey=" + REAL_KEY + ";AccountEndpoint=https://host/;"),
                b -> b.endpoint("AccountEndpoint=https://host/;AccountKey=" + REAL_KEY + ";"),
                b -> b.endpoint("https://host/AccountKey=" + REAL_KEY),
                b -> b.endpoint("https://me:s3cret/s3cret@host"),
                b -> b.endpoint("https://me:s3cret@s3cret@host"),
                b -> b.endpoint("https://me:s3cret?s3cret@host"),
                b -> b.endpoint("https://host/" + REAL_KEY),
                b -> b.database(REAL_KEY).key("shop"),
                b -> b.container("AccountEndpoint=https://host/;AccountKey=" + REAL_KEY));
    }

    @ParameterizedTest
    @MethodSource("misplacedSecrets")
    void aSecretInTheWrongPlaceIsNotShown(Consumer<CosmosDBSourceBuilder<String>> change) {
        CosmosDBSourceBuilder<String> builder = TestSources.builder();
        change.accept(builder);

        assertThatThrownBy(builder::build)
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("accepted: ")
                .hasMessageNotContaining("s3cret")
                .hasNoCause();
    }

    private static final StartPosition PRESENT_STATE = StartPosition.presentStateThenChanges();
    private static final StartPosition AT_THE_EPOCH = StartPosition.at(Instant.EPOCH);

    private static <T> CosmosDBSourceBuilder<T> allVersions(CosmosDBSourceBuilder<T> builder) {
        return builder.changeFeedMode(ChangeFeedMode.ALL_VERSIONS_AND_DELETES);
    }

    private static void interval(CosmosDBSourceBuilder<String> builder, int min, int max) {
        builder.idlePollInterval(Duration.ofMillis(min), Duration.ofMillis(max));
    }

    @ParameterizedTest(name = "{0} {1}")
    @MethodSource("refused")
    void aBadValueIsRefusedByTheOptionsName(
            String option, String found, Consumer<CosmosDBSourceBuilder<String>> change) {
        CosmosDBSourceBuilder<String> builder = TestSources.builder();
        change.accept(builder);

        assertThatThrownBy(builder::build)
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("option '" + option + "'")
                .hasMessageContaining(found)
                .hasMessageContaining("accepted: ")
                .hasMessageNotContaining("s3cret")
                .hasNoCause();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "https://host",
                "https://host:8081/",
                "http://localhost:80",
                "http://127.0.0.1:1/",
                "http://[::1]:8081",
                "HTTPS://host"
            })
    void anEndpointOfThisFormIsTaken(String endpoint) {
        assertThat(TestSources.builder().endpoint(endpoint).build()).isNotNull();
    }

    static Stream<Arguments> readings() {
        return Stream.of(ChangeFeedMode.values())
                .flatMap(
                        mode ->
                                Stream.of(
                                                StartPosition.beginning(),
                                                StartPosition.now(),
                                                AT_THE_EPOCH,
                                                StartPosition.tokens("c1.x"),
                                                PRESENT_STATE)
                                        .map(start -> Arguments.of(mode, start)));
    }

    /** The table of the two modes and their starts. */
    @ParameterizedTest
    @MethodSource("readings")
    void eachModeHasStartsOfItsOwn(ChangeFeedMode mode, StartPosition start) {
        CosmosDBSourceBuilder<CosmosDBChange<String>> builder =
                TestSources.changes().changeFeedMode(mode).startFrom(start);
        boolean latest = mode == ChangeFeedMode.LATEST_VERSION;
        boolean accepted =
                start.equals(StartPosition.now())
                        || start.kind() == StartPosition.Kind.TOKENS
                        || latest != start.equals(PRESENT_STATE);

        if (accepted) {
            assertThat(builder.build()).isNotNull();
        } else {
            assertThatThrownBy(builder::build)
                    .hasMessageContaining("option 'startFrom': found '" + start + "'")
                    .hasMessageContaining("now, ")
                    .hasMessageContaining("with option 'changeFeedMode' " + mode);
        }
    }

    @Test
    void deletesAreHandledOrIgnoredByChoice() {
        CosmosDBSourceBuilder<String> builder =
                allVersions(TestSources.builder()).startFrom(StartPosition.now());

        assertThatThrownBy(builder::build)
                .hasMessageContaining("'JsonTextDeserializationSchema'")
                .hasMessageContaining("'changeFeedMode' ALL_VERSIONS_AND_DELETES")
                .hasMessageContaining("changes(…)")
                .hasMessageContaining("'ignoreDeletes' true");
        assertThat(builder.ignoreDeletes(true).build()).isNotNull();
        assertThat(allVersions(TestSources.changes()).startFrom(StartPosition.now()).build())
                .isNotNull();
    }

    @Test
    void allVersionsHaveAFallback() {
        assertThat(
                        allVersions(TestSources.changes())
                                .startFrom(StartPosition.now())
                                .retentionExpired(RetentionExpired.START_FROM_NOW)
                                .build())
                .isNotNull();
    }

    @ParameterizedTest
    @ValueSource(longs = {-1, Long.MAX_VALUE})
    void aTimeThatNoDocumentCanHaveIsRefused(long epochMillis) {
        Instant instant = Instant.ofEpochMilli(epochMillis);
        assertThatThrownBy(() -> StartPosition.at(instant))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("option 'startFrom'");
        assertThatThrownBy(() -> StopPosition.at(instant))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("option 'stopAt'");
    }

    @Test
    void tokensMustBeThere() {
        assertThatThrownBy(() -> StartPosition.tokens()).hasMessageContaining("found 0 tokens");
        assertThatThrownBy(() -> StartPosition.tokens("c1.x", " "))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("option 'startFrom'")
                .hasMessageContaining("blank");
    }

    @Test
    void noTextFormShowsTheKey() {
        CosmosDBSource<String> source = TestSources.builder().build();

        assertThat(source.toString())
                .contains("\"database\":\"shop\"")
                .doesNotContain(TestSources.KEY);
    }

    @Test
    void errorsAndOptionsShareTheirNames() {
        assertThat(
                        Stream.of(
                                CosmosDBSourceOptions.ENDPOINT,
                                CosmosDBSourceOptions.KEY,
                                CosmosDBSourceOptions.DATABASE,
                                CosmosDBSourceOptions.CONTAINER))
                .allMatch(option -> !option.hasDefaultValue());
        assertThat(CosmosDBSourceOptions.START_FROM.defaultValue())
                .isEqualTo(StartPosition.beginning().toString());
        assertThat(CosmosDBSourceOptions.STOP_AT.defaultValue())
                .isEqualTo(StopPosition.never().toString());
    }
}
