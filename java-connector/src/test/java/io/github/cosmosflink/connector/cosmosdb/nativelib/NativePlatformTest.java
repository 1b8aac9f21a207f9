// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.nativelib;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.github.cosmosflink.connector.cosmosdb.source.backend.ChangeFeedException;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class NativePlatformTest {

    @ParameterizedTest
    @CsvSource({"Linux, amd64", "Linux, x86_64"})
    void linuxOnX86IsSupported(String system, String processor) throws ChangeFeedException {
        assertThat(NativePlatform.of(system, processor).name()).isEqualTo("linux-x86_64");
    }

    @ParameterizedTest
    @CsvSource({
        "Linux, aarch64",
        "Mac OS X, x86_64",
        "Mac OS X, aarch64",
        "Windows 11, amd64",
        "Linux, x86"
    })
    void allElseIsRefusedByName(String system, String processor) {
        ChangeFeedException refusal =
                catchThrowableOfType(
                        ChangeFeedException.class, () -> NativePlatform.of(system, processor));

        assertThat(refusal.code()).isEqualTo("PLATFORM_UNSUPPORTED");
        assertThat(refusal).hasMessageContaining(system).hasMessageContaining(processor);
    }
}
