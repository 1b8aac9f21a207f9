// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.nativelib;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The native library in JVMs of its own, under {@code -Xcheck:jni}, whose output must hold nothing
 * but what we print.
 */
class NativeLibraryTest {

    private static final int ROUNDS = 25;

    @TempDir private Path directory;

    @Test
    void manyClassLoadersShareOneCoreAndAreCollected() throws Exception {
        ChildJvm child = ChildJvm.run(directory, quietLogs(), ClassLoaderRounds.class, "" + ROUNDS);

        assertThat(child.lines)
                .containsExactly("loaders=" + 2 * ROUNDS + " alive=0 cores=1 stubs=0 left=0");
        assertThat(child.exitCode).isZero();
    }

    @Test
    void aDirectoryOfTheUsersIsUsedAndNothingElseIsTried() throws Exception {
        Path empty = Files.createDirectory(directory.resolve("empty"));

        ChildJvm child = load("-D" + NativeLoader.DIRECTORY_PROPERTY + "=" + empty);

        assertThat(child.lines.get(0))
                .startsWith("PLATFORM_UNSUPPORTED")
                .contains(NativeLoader.DIRECTORY_PROPERTY, empty.toString());
    }

    @Test
    void librariesInADirectoryOfTheUsersAreLoadedFromThere() throws Exception {
        Path given = Files.createDirectory(directory.resolve("given"));
        copyLibraries(given);

        ChildJvm child = load("-D" + NativeLoader.DIRECTORY_PROPERTY + "=" + given);

        assertThat(child.lines).containsExactly("loaded " + given.resolve(NativeLibraries.CORE));
    }

    @Test
    void theWorkDirectoryCanBeMoved() throws Exception {
        Path moved = Files.createDirectory(directory.resolve("a place of its own"));

        ChildJvm child = load("-D" + NativeLoader.WORK_DIRECTORY_PROPERTY + "=" + moved);

        assertThat(child.lines).hasSize(1);
        assertThat(child.lines.get(0)).startsWith("loaded " + moved + "/");
    }

    @Test
    void whatCannotBeMappedIsToldWithTheLinkersWordsAndTheProperty() throws Exception {
        Path given = Files.createDirectory(directory.resolve("given"));
        copyLibraries(given);
        Files.write(given.resolve(NativeLibraries.CORE), new byte[] {1, 2, 3});

        ChildJvm child = load("-D" + NativeLoader.DIRECTORY_PROPERTY + "=" + given);

        assertThat(child.lines.get(0))
                .startsWith("PLATFORM_UNSUPPORTED")
                .contains(
                        NativeLoader.WORK_DIRECTORY_PROPERTY,
                        NativeLibraries.CORE,
                        "file too short");
    }

    @Test
    void aLibraryThatIsNoCoreIsRefused() throws Exception {
        Path given = Files.createDirectory(directory.resolve("given"));
        copyLibraries(given);
        Files.copy(
                given.resolve(NativeLibraries.STUB),
                given.resolve(NativeLibraries.CORE),
                StandardCopyOption.REPLACE_EXISTING);

        ChildJvm child = load("-D" + NativeLoader.DIRECTORY_PROPERTY + "=" + given);

        assertThat(child.lines.get(0))
                .startsWith("PLATFORM_UNSUPPORTED")
                .contains("undefined symbol");
    }

    @Test
    void earlierFailuresAreKept() throws Exception {
        Path cache = Files.createDirectories(directory.resolve(".cache"));
        Path untrusted = untrusted(directory);
        Path alsoUntrusted = untrusted(cache);

        ChildJvm child = load();

        assertThat(child.lines).hasSize(2);
        assertThat(child.lines.get(0))
                .startsWith("PLATFORM_UNSUPPORTED")
                .contains(alsoUntrusted.toString());
        assertThat(child.lines.get(1))
                .startsWith("suppressed PLATFORM_UNSUPPORTED")
                .contains(untrusted.toString());
    }

    @Test
    void theCacheOfTheUserIsTheSecondChoice() throws Exception {
        Path cache = Files.createDirectories(directory.resolve(".cache"));
        untrusted(directory);

        ChildJvm child = load();

        assertThat(child.lines).hasSize(1);
        assertThat(child.lines.get(0)).startsWith("loaded " + cache + "/");
    }

    @Test
    void aLibraryOfAnotherVersionThanTheJarIsRefused() throws Exception {
        Path versions = Files.createDirectories(directory.resolve("META-INF/native"));
        Files.writeString(
                versions.resolve("version.properties"),
                "version=9.9.9\nabi=" + NativeVersion.ABI + "\n");

        // The boot loader's resources come before those of the JAR.
        ChildJvm child = load("-Xbootclasspath/a:" + directory);

        assertThat(child.lines.get(0)).startsWith("LIBRARY_MISMATCH").contains("9.9.9/2");
    }

    @Test
    void classesOfAnotherAbiThanTheLibraryAreRefused() throws Exception {
        Path versions = Files.createDirectories(directory.resolve("META-INF/native"));
        Files.writeString(versions.resolve("version.properties"), "version=0.1.0\nabi=99\n");

        ChildJvm child = load("-Xbootclasspath/a:" + directory);

        assertThat(child.lines.get(0)).startsWith("LIBRARY_MISMATCH").contains("ABI 99");
    }

    @Test
    void anotherPlatformIsNamed() throws Exception {
        ChildJvm child = load("-Dos.arch=aarch64");

        assertThat(child.lines.get(0))
                .startsWith("PLATFORM_UNSUPPORTED")
                .contains("aarch64", "linux-x86_64");
    }

    /** Puts something in the place of the user's directory that the loader must not trust. */
    private static Path untrusted(Path parent) throws IOException {
        Path target = Files.createDirectories(parent.resolve("elsewhere"));
        Path link = parent.resolve("cosmosdb-flink-" + Files.getAttribute(parent, "unix:uid"));
        return Files.createSymbolicLink(link, target);
    }

    private static void copyLibraries(Path to) throws IOException {
        for (String library : Arrays.asList(NativeLibraries.CORE, NativeLibraries.STUB)) {
            String resource = "/META-INF/native/linux-x86_64/" + library;
            Files.copy(NativeLibraryTest.class.getResourceAsStream(resource), to.resolve(library));
        }
    }

    private ChildJvm load(String... more) throws Exception {
        List<String> options =
                Stream.concat(quietLogs().stream(), Stream.of(more)).collect(Collectors.toList());
        return ChildJvm.run(directory, options, LoadOnce.class);
    }

    private static List<String> quietLogs() {
        return Collections.singletonList("-Dlog4j2.level=OFF");
    }

    /** Main class of a child JVM: loads the library and says from where, or why not. */
    static final class LoadOnce {

        private LoadOnce() {}

        public static void main(String[] arguments) throws IOException {
            try {
                NativeLoader.load();
            } catch (IOException e) {
                System.out.println(e.getMessage());
                for (Throwable suppressed : e.getSuppressed()) {
                    System.out.println("suppressed " + suppressed.getMessage());
                }
                return;
            }
            try (Stream<String> lines = Files.lines(Path.of("/proc/self/maps"))) {
                lines.filter(line -> line.contains("libcosmosdb_flink") && !line.contains("stub"))
                        .map(line -> line.substring(line.indexOf('/')))
                        .distinct()
                        .forEach(file -> System.out.println("loaded " + file));
            }
        }
    }
}
