// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.nativelib;

import io.github.cosmosflink.connector.cosmosdb.source.backend.ChangeFeedException;
import java.io.IOException;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Loads the native library for this class loader, once:
 *
 * <ol>
 *   <li>{@link NativePlatform}: is there a library for this operating system and processor?
 *   <li>{@link NativeDirectory}: the core is brought into a directory of this user, under a name
 *       that carries its content's hash, so that all class loaders of a process (and all processes)
 *       use one file;
 *   <li>the stub is copied to a file of its own, loaded for this class loader, and deleted;
 *   <li>{@link Natives#bind}: the stub maps the core, which a process does once for each content,
 *       and binds the natives;
 *   <li>version and ABI number of what was bound are compared with what the JAR was built with.
 * </ol>
 *
 * <p>Two system properties, both read at load: {@value #DIRECTORY_PROPERTY} names a directory that
 * holds both libraries, which are then used and nothing else is tried; {@value
 * #WORK_DIRECTORY_PROPERTY} names the directory to extract into, for a temporary directory that
 * does not allow to execute. A failed load may be tried again.
 */
final class NativeLoader {

    static final String DIRECTORY_PROPERTY = "cosmosdb.native.dir";
    static final String WORK_DIRECTORY_PROPERTY = "cosmosdb.native.workdir";

    private static final Logger LOG = LoggerFactory.getLogger(NativeLoader.class);

    private static boolean loaded;

    private NativeLoader() {}

    /**
     * Returns when the natives may be called. Called on JobManager and TaskManagers only, from any
     * thread.
     *
     * @throws ChangeFeedException with code PLATFORM_UNSUPPORTED when the library cannot be loaded
     *     here, LIBRARY_MISMATCH when it is not the one that this JAR was built with
     */
    static synchronized void load() throws ChangeFeedException {
        if (loaded) {
            return;
        }
        NativeVersion expected = NativeVersion.ofJar();
        bind(NativePlatform.current(), expected);
        expected.check(Natives.identity());
        loaded = true;
    }

    private static void bind(NativePlatform platform, NativeVersion version)
            throws ChangeFeedException {
        String given = System.getProperty(DIRECTORY_PROPERTY);
        NativeLibraries libraries =
                given == null
                        ? NativeLibraries.ofJar(platform)
                        : NativeLibraries.inDirectory(Paths.get(given));
        ChangeFeedException failure = null;
        for (Path parent : workDirectories()) {
            try {
                Path core = libraries.bind(parent, version);
                LOG.info("Native library {} is loaded", core);
                return;
            } catch (IncompatibleClassChangeError e) {
                // The stub's word for another ABI number, the JVM's for natives that are not there:
                // no other directory makes these libraries fit this JAR.
                throw mismatch(e);
            } catch (IOException | LinkageError e) {
                ChangeFeedException next = unusable(parent, e);
                if (failure != null) {
                    next.addSuppressed(failure);
                }
                failure = next;
            }
        }
        throw failure;
    }

    /** Where to extract to, in order; the first is what a user who set nothing expects. */
    private static List<Path> workDirectories() {
        List<Path> parents = new ArrayList<>();
        String given = System.getProperty(WORK_DIRECTORY_PROPERTY);
        if (given != null) {
            parents.add(Paths.get(given));
            return parents;
        }
        parents.add(Paths.get(System.getProperty("java.io.tmpdir")));
        String home = System.getProperty("user.home");
        if (home != null && Paths.get(home, ".cache").toFile().isDirectory()) {
            parents.add(Paths.get(home, ".cache"));
        }
        return parents;
    }

    private static ChangeFeedException mismatch(IncompatibleClassChangeError cause) {
        ChangeFeedException failure =
                new ChangeFeedException(
                        "LIBRARY_MISMATCH",
                        "the native libraries were not built with this JAR: " + cause.getMessage(),
                        0,
                        0,
                        null,
                        false);
        failure.initCause(cause);
        return failure;
    }

    private static ChangeFeedException unusable(Path parent, Throwable cause) {
        StringBuilder text =
                new StringBuilder("the native library cannot be loaded by way of ").append(parent);
        if (Mounts.forbidExecution(parent)) {
            text.append(", which is mounted noexec");
        }
        text.append("; the system property ")
                .append(WORK_DIRECTORY_PROPERTY)
                .append(" names another directory, of a file system that allows to execute: ")
                .append(cause.getMessage());
        ChangeFeedException failure =
                new ChangeFeedException("PLATFORM_UNSUPPORTED", text.toString(), 0, 0, null, false);
        failure.initCause(cause);
        return failure;
    }
}
