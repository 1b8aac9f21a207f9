// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.nativelib;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.github.cosmosflink.connector.cosmosdb.source.backend.ChangeFeedException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class NativeVersionTest {

    @Test
    void theLibraryOfTheJarIsAccepted() throws ChangeFeedException {
        new NativeVersion("0.1.0").check("0.1.0/2/linux-x86_64");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "0.1.1/2/linux-x86_64",
                "0.1.0/1/linux-x86_64",
                "0.1.0/22/linux-x86_64",
                "0.1.0",
                ""
            })
    void anyOtherIsRefusedWithBothIdentities(String identity) {
        ChangeFeedException refusal =
                catchThrowableOfType(
                        ChangeFeedException.class,
                        () -> new NativeVersion("0.1.0").check(identity));

        assertThat(refusal.code()).isEqualTo("LIBRARY_MISMATCH");
        assertThat(refusal).hasMessageContaining("is " + identity).hasMessageContaining("0.1.0/2");
    }
}
