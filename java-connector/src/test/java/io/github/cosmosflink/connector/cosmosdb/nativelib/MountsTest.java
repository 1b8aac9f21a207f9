// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.nativelib;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Paths;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class MountsTest {

    private static final List<String> MOUNTS =
            Arrays.asList(
                    "/dev/sda1 / ext4 rw,relatime 0 0",
                    "tmpfs /tmp tmpfs rw,nosuid,noexec 0 0",
                    "tmpfs /tmp/inner tmpfs rw 0 0",
                    "tmpfs /a\\040b tmpfs rw,noexec 0 0",
                    "tmpfs /twice tmpfs rw,noexec 0 0",
                    "tmpfs /twice tmpfs rw 0 0",
                    "cut short");

    @ParameterizedTest
    @CsvSource({
        "/home/flink, false",
        "/tmp, true",
        "/tmp/x, true",
        "/tmpx, false",
        "/tmp/inner/x, false",
        "/a b/c, true",
        "/twice/x, false"
    })
    void theMountThatAPathIsOnDecides(String path, boolean forbidden) {
        assertThat(Mounts.forbidExecution(MOUNTS, Paths.get(path))).isEqualTo(forbidden);
    }
}
