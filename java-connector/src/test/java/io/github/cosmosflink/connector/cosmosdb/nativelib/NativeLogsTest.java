// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.nativelib;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.lang.reflect.Proxy;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.slf4j.Logger;

class NativeLogsTest {

    private final List<String> logged = new ArrayList<>();

    @Test
    void eachLevelGoesToItsOwn() {
        NativeLogs.log(
                lines("eins", "zwei", "drei", "vier", "fünf {}"),
                logger("Trace", "Debug", "Info", "Warn", "Error"));

        assertThat(logged)
                .containsExactly(
                        "error eins", "warn zwei", "info drei", "debug vier", "trace fünf {}");
    }

    @Test
    void aLevelThatIsOffIsPassedOver() {
        NativeLogs.log(lines("eins", "zwei", "drei", "vier", "fünf"), logger("Error", "Info"));

        assertThat(logged).containsExactly("error eins", "info drei");
    }

    @Test
    void noLinesAreNothing() {
        NativeLogs.log(lines(), logger("Error"));

        assertThat(logged).isEmpty();
    }

    /** Lines of level 1, 2 and so on, framed as in docs/native-interface.md. */
    private static byte[] lines(String... texts) {
        ByteBuffer framed = ByteBuffer.allocate(1024).order(ByteOrder.LITTLE_ENDIAN);
        framed.putInt(texts.length);
        byte level = 1;
        for (String text : texts) {
            byte[] bytes = text.getBytes(UTF_8);
            framed.put(level++).putInt(bytes.length).put(bytes);
        }
        return Arrays.copyOf(framed.array(), framed.position());
    }

    private Logger logger(String... enabled) {
        return (Logger)
                Proxy.newProxyInstance(
                        Logger.class.getClassLoader(),
                        new Class<?>[] {Logger.class},
                        (proxy, method, arguments) -> {
                            String name = method.getName();
                            if (name.startsWith("is")) {
                                return Arrays.stream(enabled).anyMatch(name::contains);
                            }
                            assertThat(arguments[0]).isEqualTo("{}");
                            logged.add(name + " " + arguments[1]);
                            return null;
                        });
    }
}
