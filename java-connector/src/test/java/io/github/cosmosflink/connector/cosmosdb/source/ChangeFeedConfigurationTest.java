// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import org.apache.flink.configuration.MemorySize;
import org.apache.flink.util.InstantiationUtil;
import org.junit.jupiter.api.Test;

class ChangeFeedConfigurationTest {

    private static final ObjectMapper MAPPER = new ObjectMapper();

    /** The text of docs/native-interface.md. */
    @Test
    void jsonHasEveryMemberOfTheInterface() throws Exception {
        ChangeFeedConfiguration configuration =
                new ChangeFeedConfiguration(
                        TestSources.builder()
                                .startFrom(StartPosition.at(Instant.ofEpochMilli(1234)))
                                .stopAt(StopPosition.latest())
                                .pageSize(10)
                                .maxBytesInFlight(MemorySize.ofMebiBytes(8))
                                .idlePollInterval(Duration.ofMillis(5), Duration.ofMillis(6))
                                .itemsWithoutLsn(ItemsWithoutLsn.PAGE)
                                .certificateValidation(
                                        CertificateValidation.REQUIRED_UNLESS_EMULATOR)
                                .startupTimeout(Duration.ofSeconds(7))
                                .requestTimeout(Duration.ofSeconds(8))
                                .applicationName("app"));

        assertThat(MAPPER.readTree(configuration.toJson()))
                .isEqualTo(
                        MAPPER.readTree(
                                "{\"endpoint\":\"https://account.documents.azure.com:443/\","
                                        + "\"key\":\""
                                        + TestSources.KEY
                                        + "\",\"database\":\"shop\",\"container\":\"orders\","
                                        + "\"mode\":\"LATEST_VERSION\","
                                        + "\"startFrom\":{\"kind\":\"AT\",\"epochMillis\":1234,"
                                        + "\"tokens\":[]},"
                                        + "\"stopAt\":{\"kind\":\"LATEST\",\"epochMillis\":0},"
                                        + "\"minSplits\":1,\"retentionExpired\":\"FAIL\","
                                        + "\"pageSize\":10,\"maxBytesInFlight\":8388608,"
                                        + "\"idlePollMinMillis\":5,\"idlePollMaxMillis\":6,"
                                        + "\"itemsWithoutLsn\":\"PAGE\","
                                        + "\"startupTimeoutMillis\":7000,"
                                        + "\"requestTimeoutMillis\":8000,"
                                        + "\"certificateValidation\":\"REQUIRED_UNLESS_EMULATOR\","
                                        + "\"applicationName\":\"app\"}"));
    }

    @Test
    void anyNameSurvivesTheJson() throws Exception {
        String name = "a\"b c\td\u0001ü€\uD83D\uDE00'";
        JsonNode json =
                MAPPER.readTree(
                        new ChangeFeedConfiguration(TestSources.builder().container(name))
                                .toJson());

        assertThat(json.get("container").textValue()).isEqualTo(name);
    }

    @Test
    void travelsInTheJobGraph() throws Exception {
        ChangeFeedConfiguration configuration = TestSources.configuration(StopPosition.never());

        ChangeFeedConfiguration copy = InstantiationUtil.clone(configuration);

        assertThat(new String(copy.toJson(), StandardCharsets.UTF_8))
                .isEqualTo(new String(configuration.toJson(), StandardCharsets.UTF_8));
    }
}
