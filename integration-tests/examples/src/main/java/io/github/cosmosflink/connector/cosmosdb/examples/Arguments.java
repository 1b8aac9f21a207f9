// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.examples;

import java.util.HashMap;
import java.util.Map;

/**
 * Arguments of the form {@code --name value} or {@code --flag}. Flink's own class for it moved
 * between 1.20 and 2.x.
 */
final class Arguments {

    private final Map<String, String> values = new HashMap<>();

    Arguments(String[] args) {
        for (int i = 0; i < args.length; i++) {
            if (!args[i].startsWith("--") || args[i].length() == 2) {
                throw new IllegalArgumentException("expected --name, found '" + args[i] + "'");
            }
            boolean hasValue = i + 1 < args.length && !args[i + 1].startsWith("--");
            values.put(args[i].substring(2), hasValue ? args[++i] : "");
        }
    }

    boolean has(String name) {
        return values.containsKey(name);
    }

    String get(String name, String otherwise) {
        return values.getOrDefault(name, otherwise);
    }

    int get(String name, int otherwise) {
        return has(name) ? Integer.parseInt(values.get(name)) : otherwise;
    }

    /** Fails with the argument's name when it is absent. */
    String require(String name) {
        String value = values.get(name);
        if (value == null || value.isEmpty()) {
            throw new IllegalArgumentException("argument --" + name + " is missing");
        }
        return value;
    }
}
