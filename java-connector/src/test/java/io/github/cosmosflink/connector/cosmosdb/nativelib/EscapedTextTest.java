// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.nativelib;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class EscapedTextTest {

    @Test
    void anEtagGetsItsQuotes() {
        assertThat(EscapedText.unescape("\\\"0000-1\\\"")).isEqualTo("\"0000-1\"");
    }

    @Test
    void textWithoutEscapesIsReturnedAsItIs() {
        assertThat(EscapedText.unescape("0000-1 ä")).isEqualTo("0000-1 ä");
    }

    @Test
    void everyEscapeOfJsonIsKnown() {
        assertThat(EscapedText.unescape("\\b\\f\\n\\r\\t\\/\\\\\\u00e4x"))
                .isEqualTo("\b\f\n\r\t/\\äx");
    }

    @ParameterizedTest
    @ValueSource(strings = {"\\", "a\\u00e", "\\uzzzz"})
    void anEscapeThatIsNoneIsRefused(String raw) {
        assertThatThrownBy(() -> EscapedText.unescape(raw))
                .isInstanceOf(IllegalArgumentException.class);
    }
}
