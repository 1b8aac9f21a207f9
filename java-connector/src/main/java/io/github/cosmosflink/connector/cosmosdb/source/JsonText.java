// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source;

import java.util.List;

/**
 * Writes the members of a JSON object. Small on purpose: the connector brings no JSON library with
 * it.
 */
final class JsonText {

    private JsonText() {}

    static void member(StringBuilder json, String name, String value) {
        string(name(json, name), value);
    }

    static void member(StringBuilder json, String name, long value) {
        name(json, name).append(value);
    }

    static void member(StringBuilder json, String name, List<String> values) {
        name(json, name).append('[');
        for (String value : values) {
            if (json.charAt(json.length() - 1) != '[') {
                json.append(',');
            }
            string(json, value);
        }
        json.append(']');
    }

    /** Writes the comma where one is due, the name and the colon. */
    static StringBuilder name(StringBuilder json, String name) {
        if (json.charAt(json.length() - 1) != '{') {
            json.append(',');
        }
        string(json, name);
        return json.append(':');
    }

    private static void string(StringBuilder json, String value) {
        json.append('"');
        for (int i = 0; i < value.length(); i++) {
            char c = value.charAt(i);
            if (c == '"' || c == '\\') {
                json.append('\\').append(c);
            } else if (c < 0x20 || Character.isSurrogate(c)) {
                // Escaping surrogates keeps an unpaired one from turning into a question mark in
                // UTF-8.
                json.append(String.format("\\u%04x", (int) c));
            } else {
                json.append(c);
            }
        }
        json.append('"');
    }
}
