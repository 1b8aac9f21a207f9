// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.nativelib;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.Arrays;
import java.util.List;

/**
 * What Linux says about the file system that a path is on; only to explain a failure, so it never
 * fails itself.
 */
final class Mounts {

    private Mounts() {}

    static boolean forbidExecution(Path path) {
        try {
            List<String> mounts =
                    Files.readAllLines(Paths.get("/proc/self/mounts"), StandardCharsets.ISO_8859_1);
            return forbidExecution(mounts, path.toRealPath());
        } catch (IOException e) {
            return false;
        }
    }

    /**
     * @param mounts lines of {@code /proc/self/mounts}: device, mount point, type, options
     */
    static boolean forbidExecution(List<String> mounts, Path path) {
        int longest = -1;
        boolean forbidden = false;
        for (String mount : mounts) {
            String[] fields = mount.split(" ");
            if (fields.length < 4) {
                continue;
            }
            Path point = Paths.get(fields[1].replace("\\040", " "));
            // Of two mounts on one point the later hides the earlier.
            if (path.startsWith(point) && point.getNameCount() >= longest) {
                longest = point.getNameCount();
                forbidden = Arrays.asList(fields[3].split(",")).contains("noexec");
            }
        }
        return forbidden;
    }
}
