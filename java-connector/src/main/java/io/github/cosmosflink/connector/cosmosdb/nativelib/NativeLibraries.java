// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.nativelib;

import io.github.cosmosflink.connector.cosmosdb.source.backend.ChangeFeedException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;

/** The bytes of the stub and the core, from the JAR or from a directory that the user named. */
final class NativeLibraries {

    static final String CORE = "libcosmosdb_flink.so";
    static final String STUB = "libcosmosdb_flink_stub.so";

    private final byte[] stub;

    /** The core's bytes when it comes from the JAR, else null and its file is used where it is. */
    private final byte[] core;

    private final Path coreFile;

    private NativeLibraries(byte[] stub, byte[] core, Path coreFile) {
        this.stub = stub;
        this.core = core;
        this.coreFile = coreFile;
    }

    /**
     * @throws ChangeFeedException with code PLATFORM_UNSUPPORTED when the JAR has no library for
     *     the platform
     */
    static NativeLibraries ofJar(NativePlatform platform) throws ChangeFeedException {
        String directory = "/META-INF/native/" + platform.name() + "/";
        return new NativeLibraries(resource(directory + STUB), resource(directory + CORE), null);
    }

    /**
     * @throws ChangeFeedException with code PLATFORM_UNSUPPORTED when a file is missing: nothing
     *     else is tried
     */
    static NativeLibraries inDirectory(Path directory) throws ChangeFeedException {
        try {
            Path core = directory.toRealPath().resolve(CORE);
            if (!Files.isReadable(core)) {
                throw new NoSuchFileException(core.toString());
            }
            return new NativeLibraries(Files.readAllBytes(directory.resolve(STUB)), null, core);
        } catch (IOException e) {
            throw unsupported(
                    String.format(
                            "the system property %s names %s, which does not hold %s and %s as"
                                    + " readable files",
                            NativeLoader.DIRECTORY_PROPERTY, directory, CORE, STUB),
                    e);
        }
    }

    private static byte[] resource(String name) throws ChangeFeedException {
        try (InputStream in = NativeLibraries.class.getResourceAsStream(name)) {
            if (in == null) {
                throw new NoSuchFileException(name);
            }
            return in.readAllBytes();
        } catch (IOException e) {
            throw unsupported("the JAR does not hold " + name, e);
        }
    }

    private static ChangeFeedException unsupported(String message, IOException cause) {
        ChangeFeedException failure =
                new ChangeFeedException("PLATFORM_UNSUPPORTED", message, 0, 0, null, false);
        failure.initCause(cause);
        return failure;
    }

    /**
     * Loads the stub for the class loader of this class and lets it bind the core.
     *
     * @param parent holds, or gets, the directory of this user
     * @param version for people who look into that directory
     * @return the core's file
     * @throws IOException when a file cannot be written or the directory is not to be trusted
     * @throws UnsatisfiedLinkError in the dynamic linker's words
     * @throws IncompatibleClassChangeError when stub, core and natives were not built together
     */
    Path bind(Path parent, NativeVersion version) throws IOException {
        NativeDirectory directory = NativeDirectory.under(parent);
        Path file = core == null ? coreFile : directory.keep(CORE, version.version(), core);
        Path own = directory.temporary(STUB, stub);
        try {
            System.load(own.toString());
        } finally {
            // The mapping outlives the name; the next class loader needs a file of its own all the
            // same, as the JVM refuses
            // to load one file for two.
            Files.deleteIfExists(own);
        }
        Natives.bind(file.toString());
        return file;
    }
}
