// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.nativelib;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** Runs a main class of the test class path in a JVM of its own, under {@code -Xcheck:jni}. */
final class ChildJvm {

    private static final long TIMEOUT_SECONDS = 300;

    final int exitCode;

    /** Standard output and error as one, in the order of their lines. */
    final List<String> lines;

    private ChildJvm(int exitCode, List<String> lines) {
        this.exitCode = exitCode;
        this.lines = lines;
    }

    /**
     * @param directory for the child's output and as its java.io.tmpdir
     * @param options further options of the JVM
     */
    static ChildJvm run(Path directory, List<String> options, Class<?> main, String... arguments)
            throws IOException, InterruptedException {
        Path output = directory.resolve("child.out");
        List<String> command =
                new ArrayList<>(
                        Arrays.asList(
                                Paths.get(System.getProperty("java.home"), "bin", "java")
                                        .toString(),
                                "-Xcheck:jni",
                                "-XX:+UseSerialGC",
                                "-Xmx512m",
                                "-Djava.io.tmpdir=" + directory,
                                "-Duser.home=" + directory,
                                "-XX:ErrorFile=" + directory.resolve("hs_err.log")));
        command.addAll(options);
        command.addAll(Arrays.asList("-cp", System.getProperty("java.class.path"), main.getName()));
        command.addAll(Arrays.asList(arguments));
        Process process =
                new ProcessBuilder(command)
                        .redirectErrorStream(true)
                        .redirectOutput(output.toFile())
                        .start();
        try {
            if (!process.waitFor(TIMEOUT_SECONDS, TimeUnit.SECONDS)) {
                throw new AssertionError(
                        "the child is still running after "
                                + TIMEOUT_SECONDS
                                + " s: "
                                + Files.readString(output));
            }
        } finally {
            process.destroyForcibly().waitFor();
        }
        return new ChildJvm(
                process.exitValue(), Files.readAllLines(output, StandardCharsets.UTF_8));
    }
}
