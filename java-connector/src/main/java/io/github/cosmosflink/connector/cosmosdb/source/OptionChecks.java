// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source;

import java.net.URI;
import java.net.URISyntaxException;
import java.time.Duration;
import java.util.Base64;
import java.util.Locale;
import javax.annotation.Nullable;
import org.apache.flink.configuration.ConfigOption;

/**
 * Checks single options; every error names the option, what was found, and what is accepted, and
 * shows no secret.
 */
final class OptionChecks {

    private static final int LONGEST_NAME = 255;
    private static final int LONGEST_APPLICATION_NAME = 64;

    private OptionChecks() {}

    static void checkEndpoint(@Nullable String endpoint) {
        String accepted =
                "an absolute URI like https://account.documents.azure.com:443/, http only for localhost,"
                        + " without path, query and user";
        URI uri;
        try {
            uri = endpoint == null ? null : new URI(endpoint);
        } catch (URISyntaxException e) {
            uri = null;
        }
        boolean valid =
                uri != null
                        && uri.getHost() != null
                        && isSchemeAllowed(uri)
                        && (uri.getPath().isEmpty() || uri.getPath().equals("/"))
                        && uri.getQuery() == null
                        && uri.getFragment() == null
                        && uri.getUserInfo() == null;
        if (!valid) {
            // What follows such a character may hold a secret as well.
            throw refuse(
                    "endpoint",
                    endpoint == null
                            ? null
                            : withoutSecrets(endpoint).replaceAll("[?#;].*", "<hidden>"),
                    accepted);
        }
    }

    private static boolean isSchemeAllowed(URI uri) {
        String scheme = String.valueOf(uri.getScheme()).toLowerCase(Locale.ROOT);
        return scheme.equals("https") || (scheme.equals("http") && isThisMachine(uri.getHost()));
    }

    private static boolean isThisMachine(String host) {
        return host.equalsIgnoreCase("localhost")
                || host.equals("[::1]")
                || host.matches("127(\\.\\d{1,3}){3}");
    }

    static void checkKey(@Nullable String key) {
        if (key == null || key.isEmpty()) {
            throw refuse("key", null, "the account's key, base64");
        }
        if (!isBase64(key)) {
            // Neither the key nor the decoder's message, which quotes from it.
            throw refuse(
                    "key",
                    "a text of " + key.length() + " characters that is not base64",
                    "the account's key, base64");
        }
    }

    private static boolean isBase64(String key) {
        try {
            // The decoder is lenient about padding, the service is not: only the canonical form
            // will do.
            return Base64.getEncoder().encodeToString(Base64.getDecoder().decode(key)).equals(key);
        } catch (IllegalArgumentException e) {
            return false;
        }
    }

    static void checkName(ConfigOption<String> option, @Nullable String name) {
        boolean valid =
                name != null
                        && !name.isBlank()
                        && name.length() <= LONGEST_NAME
                        && !name.endsWith(" ")
                        && name.chars().noneMatch(c -> "/\\?#".indexOf(c) >= 0 || c < 0x20);
        check(
                option,
                name,
                valid,
                "1 to " + LONGEST_NAME + " characters, none of / \\ ? #, not ending in a space");
    }

    static void checkDuration(ConfigOption<Duration> option, @Nullable Duration duration) {
        boolean valid =
                duration != null
                        && duration.compareTo(Duration.ofMillis(1)) >= 0
                        && duration.compareTo(Duration.ofDays(1)) <= 0;
        check(option, duration, valid, "1 millisecond to 1 day");
    }

    static void checkApplicationName(@Nullable String name) {
        boolean valid =
                name != null
                        && name.length() <= LONGEST_APPLICATION_NAME
                        && name.chars().allMatch(c -> c > 0x20 && c < 0x7f);
        check(
                CosmosDBSourceOptions.APPLICATION_NAME,
                name,
                valid,
                "at most " + LONGEST_APPLICATION_NAME + " visible ASCII characters");
    }

    static void check(
            ConfigOption<?> option, @Nullable Object found, boolean valid, String accepted) {
        if (!valid) {
            throw refuse(option.key(), found, accepted);
        }
    }

    /**
     * The error of a value that is not accepted. Of a value that is meant for all to see; a secret
     * that was put into its place by mistake is not shown.
     */
    static IllegalArgumentException refuse(String option, @Nullable Object found, String accepted) {
        return new IllegalArgumentException(
                String.format(
                        "option '%s': found %s, accepted: %s",
                        option,
                        found == null ? "nothing" : "'" + withoutSecrets(found.toString()) + "'",
                        accepted));
    }

    /** Without the user of a URI, the keys of connection strings, and what looks like a key. */
    private static String withoutSecrets(String text) {
        return text.replaceAll("//.*@", "//<hidden>@")
                .replaceAll("(?i)(key *=).*", "$1<hidden>")
                .replaceAll("[A-Za-z0-9+/]{40,}={1,2}", "<hidden>");
    }
}
