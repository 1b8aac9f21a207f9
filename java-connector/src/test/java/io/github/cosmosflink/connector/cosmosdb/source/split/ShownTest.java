// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.split;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.Test;

class ShownTest {

    @Test
    void fewAreShownAndManyAreCounted() {
        assertThat(Shown.of(List.of())).isEqualTo("[]");
        assertThat(Shown.of(List.of("a", "b"))).isEqualTo("[a, b]");
        assertThat(Shown.of(Collections.nCopies(10_000, "a"))).endsWith("a, and 9900 more]");
    }
}
