// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.nativelib;

/** The text of a JSON string whose bytes are taken from a document as they stand there. */
final class EscapedText {

    private EscapedText() {}

    /**
     * @param raw what stands between a JSON string's quotes
     */
    static String unescape(String raw) {
        if (raw.indexOf('\\') < 0) {
            return raw;
        }
        StringBuilder text = new StringBuilder(raw.length());
        for (int i = 0; i < raw.length(); i++) {
            char c = raw.charAt(i);
            if (c != '\\') {
                text.append(c);
                continue;
            }
            if (++i == raw.length()) {
                throw new IllegalArgumentException("a JSON string that ends in an escape");
            }
            char escaped = raw.charAt(i);
            switch (escaped) {
                case 'b':
                    text.append('\b');
                    break;
                case 'f':
                    text.append('\f');
                    break;
                case 'n':
                    text.append('\n');
                    break;
                case 'r':
                    text.append('\r');
                    break;
                case 't':
                    text.append('\t');
                    break;
                case 'u':
                    if (i + 4 >= raw.length()) {
                        throw new IllegalArgumentException("a JSON string that ends in an escape");
                    }
                    text.append((char) Integer.parseInt(raw.substring(i + 1, i + 5), 16));
                    i += 4;
                    break;
                default:
                    text.append(escaped);
                    break;
            }
        }
        return text.toString();
    }
}
