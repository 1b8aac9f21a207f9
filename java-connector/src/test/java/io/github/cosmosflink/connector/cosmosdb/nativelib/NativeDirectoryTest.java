// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.nativelib;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class NativeDirectoryTest {

    private static final byte[] CONTENT = {1, 2, 3};

    @TempDir private Path parent;

    private Path keep() throws IOException {
        return NativeDirectory.under(parent).keep("libx.so", "0.1.0", CONTENT);
    }

    private Path ofUser() throws IOException {
        return parent.resolve("cosmosdb-flink-" + Files.getAttribute(parent, "unix:uid"));
    }

    private static List<Path> files(Path directory) throws IOException {
        try (Stream<Path> files = Files.list(directory)) {
            return files.collect(Collectors.toList());
        }
    }

    @Test
    void theDirectoryIsTheUsersOnly() throws IOException {
        Path file = keep();

        assertThat(file).hasBinaryContent(CONTENT).hasParent(ofUser().toRealPath());
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(ofUser())))
                .isEqualTo("rwx------");
        assertThat(files(parent)).containsExactly(ofUser());
        assertThat(files(ofUser())).containsExactly(file);
    }

    @Test
    void theNameCarriesVersionAndContent() throws IOException {
        Path file = keep();
        Path other = NativeDirectory.under(parent).keep("libx.so", "0.1.0", new byte[] {4});

        assertThat(file.getFileName().toString()).matches("libx-0\\.1\\.0-[0-9a-f]{32}\\.so");
        assertThat(other).isNotEqualTo(file);
        assertThat(files(ofUser())).containsExactlyInAnyOrder(file, other);
    }

    @Test
    void theSameContentIsWrittenOnce() throws IOException {
        Object first = Files.getAttribute(keep(), "unix:ino");
        Object second = Files.getAttribute(keep(), "unix:ino");

        assertThat(second).isEqualTo(first);
    }

    @Test
    void aFileThatDoesNotHoldWhatItsNameSaysIsReplaced() throws IOException {
        Path file = keep();
        Files.write(file, new byte[] {1, 2});

        assertThat(keep()).isEqualTo(file).hasBinaryContent(CONTENT);
        assertThat(files(ofUser())).containsExactly(file);
    }

    @ParameterizedTest
    @ValueSource(strings = {"rwxr-xr-x", "rwxrwx---", "r-x------"})
    void aDirectoryWithOtherPermissionsIsRefused(String permissions) throws IOException {
        Files.createDirectory(ofUser());
        Files.setPosixFilePermissions(ofUser(), PosixFilePermissions.fromString(permissions));

        assertThatThrownBy(this::keep)
                .isInstanceOf(IOException.class)
                .hasMessageContaining("rwx------")
                .hasMessageContaining(permissions);
    }

    @Test
    void aSymbolicLinkIsRefused() throws IOException {
        Path elsewhere = Files.createDirectory(parent.resolve("elsewhere"));
        Files.setPosixFilePermissions(elsewhere, PosixFilePermissions.fromString("rwx------"));
        Files.createSymbolicLink(ofUser(), elsewhere);

        assertThatThrownBy(this::keep).hasMessageContaining("symbolic link");
    }

    @Test
    void aFileInItsPlaceIsRefused() throws IOException {
        Files.createFile(ofUser());

        assertThatThrownBy(this::keep).hasMessageContaining("a file of");
    }

    @Test
    void aParentThatIsNotThereIsNamed() {
        Path missing = parent.resolve("missing");

        assertThatThrownBy(() -> NativeDirectory.under(missing))
                .isInstanceOf(NoSuchFileException.class)
                .hasMessageContaining(missing.toString());
    }

    @Test
    void manyAtOnceGetOneFileAndLeaveNoOther() throws Exception {
        int threads = 8;
        CyclicBarrier start = new CyclicBarrier(threads);
        ExecutorService executor = Executors.newFixedThreadPool(threads);
        try {
            List<Future<Path>> kept = new ArrayList<>();
            for (int i = 0; i < threads; i++) {
                kept.add(
                        executor.submit(
                                () -> {
                                    start.await();
                                    return keep();
                                }));
            }
            Set<Path> paths = new HashSet<>();
            for (Future<Path> path : kept) {
                paths.add(path.get());
            }
            assertThat(paths).hasSize(1);
            assertThat(files(ofUser())).containsExactlyElementsOf(paths);
            assertThat(paths.iterator().next()).hasBinaryContent(CONTENT);
        } finally {
            executor.shutdownNow();
        }
    }
}
