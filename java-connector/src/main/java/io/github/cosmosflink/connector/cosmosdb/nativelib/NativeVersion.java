// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.nativelib;

import io.github.cosmosflink.connector.cosmosdb.source.backend.ChangeFeedException;
import java.io.IOException;
import java.io.InputStream;
import java.util.Properties;

/** What the JAR says that its native library is; written by the build beside the library. */
final class NativeVersion {

    /**
     * The ABI number that the code of this package is written for; ABI in jni-bridge and jni-stub.
     */
    static final int ABI = 2;

    static final String RESOURCE = "/META-INF/native/version.properties";

    private final String version;

    NativeVersion(String version) {
        this.version = version;
    }

    /**
     * @throws ChangeFeedException with code PLATFORM_UNSUPPORTED when the JAR holds no native
     *     library at all, with LIBRARY_MISMATCH when it holds one of another ABI
     */
    static NativeVersion ofJar() throws ChangeFeedException {
        Properties properties = new Properties();
        try (InputStream in = NativeVersion.class.getResourceAsStream(RESOURCE)) {
            if (in == null) {
                throw failure(
                        "PLATFORM_UNSUPPORTED",
                        "the JAR holds no native library: " + RESOURCE + " is not in it");
            }
            properties.load(in);
        } catch (ChangeFeedException e) {
            throw e;
        } catch (IOException | IllegalArgumentException e) {
            ChangeFeedException failure =
                    failure(
                            "PLATFORM_UNSUPPORTED",
                            "the JAR's " + RESOURCE + " cannot be read: " + e.getMessage());
            failure.initCause(e);
            throw failure;
        }
        if (!Integer.toString(ABI).equals(properties.getProperty("abi"))) {
            throw failure(
                    "LIBRARY_MISMATCH",
                    String.format(
                            "the JAR's classes speak ABI %d, its native library ABI %s; they come"
                                    + " from different builds",
                            ABI, properties.getProperty("abi")));
        }
        return new NativeVersion(properties.getProperty("version"));
    }

    /** Of the library and of this JAR, as in {@code 0.1.0}. */
    String version() {
        return version;
    }

    /**
     * Compares with what a loaded library says of itself.
     *
     * @param identity {@code <version>/<abi>/<target>}
     * @throws ChangeFeedException with code LIBRARY_MISMATCH when version or ABI differ
     */
    void check(String identity) throws ChangeFeedException {
        if (!identity.startsWith(version + "/" + ABI + "/")) {
            throw failure(
                    "LIBRARY_MISMATCH",
                    String.format(
                            "the native library is %s, the JAR was built with %s/%d; where the"
                                    + " system property %s is set, its directory holds the library of"
                                    + " another version",
                            identity, version, ABI, NativeLoader.DIRECTORY_PROPERTY));
        }
    }

    private static ChangeFeedException failure(String code, String message) {
        return new ChangeFeedException(code, message, 0, 0, null, false);
    }
}
