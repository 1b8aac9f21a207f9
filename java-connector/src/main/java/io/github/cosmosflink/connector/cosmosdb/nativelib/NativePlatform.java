// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.nativelib;

import io.github.cosmosflink.connector.cosmosdb.source.backend.ChangeFeedException;
import java.util.Locale;

/**
 * The platforms that the JAR holds a native library for, by the names of their resource
 * directories.
 */
final class NativePlatform {

    private static final String SUPPORTED = "linux-x86_64";

    private final String name;

    private NativePlatform(String name) {
        this.name = name;
    }

    /**
     * @throws ChangeFeedException with code PLATFORM_UNSUPPORTED on any other operating system or
     *     processor
     */
    static NativePlatform current() throws ChangeFeedException {
        return of(System.getProperty("os.name"), System.getProperty("os.arch"));
    }

    static NativePlatform of(String operatingSystem, String processor) throws ChangeFeedException {
        boolean linux = operatingSystem.toLowerCase(Locale.ROOT).equals("linux");
        boolean x86 = processor.equals("amd64") || processor.equals("x86_64");
        if (!linux || !x86) {
            throw new ChangeFeedException(
                    "PLATFORM_UNSUPPORTED",
                    String.format(
                            "there is no native library for %s on %s; JobManagers and TaskManagers"
                                    + " that read a change feed run on %s (a job may be submitted from"
                                    + " anywhere)",
                            operatingSystem, processor, SUPPORTED),
                    0,
                    0,
                    null,
                    false);
        }
        return new NativePlatform(SUPPORTED);
    }

    /** As in {@code META-INF/native/<name>/}. */
    String name() {
        return name;
    }
}
