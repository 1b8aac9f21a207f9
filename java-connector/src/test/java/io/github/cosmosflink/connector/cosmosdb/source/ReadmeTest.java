// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.cosmosflink.connector.cosmosdb.source.backend.ChangeFeedMetrics.Metric;
import io.github.cosmosflink.connector.cosmosdb.source.metrics.ChangeFeedGauges;
import java.io.IOException;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.flink.configuration.ConfigOption;
import org.junit.jupiter.api.Test;

/** The README's tables of options and metrics are complete, and of what there is. */
class ReadmeTest {

    private static final Path README = Path.of("../README.md");

    /** What the README calls two options of one setter, and one that is not a ConfigOption. */
    private static final String INTERVAL = "idlePollInterval";

    private static final String DESERIALIZER = "deserializer";

    /** The names in the first column of the table under a heading. */
    private static Set<String> named(String heading) throws IOException {
        Set<String> names = new TreeSet<>();
        boolean inSection = false;
        for (String line : Files.readAllLines(README)) {
            if (line.startsWith("## ")) {
                inSection = line.equals("## " + heading);
            }
            if (inSection && line.startsWith("| `")) {
                Matcher name = Pattern.compile("`(\\w+)`").matcher(line.split("\\|")[1]);
                while (name.find()) {
                    names.add(name.group(1));
                }
            }
        }
        return names;
    }

    @Test
    void everyOptionHasARow() throws Exception {
        Set<String> options = new TreeSet<>(Set.of(DESERIALIZER));
        for (Field field : CosmosDBSourceOptions.class.getFields()) {
            if (Modifier.isStatic(field.getModifiers())) {
                String key = ((ConfigOption<?>) field.get(null)).key();
                options.add(key.startsWith("idlePoll") ? INTERVAL : key);
            }
        }

        assertThat(named("Options")).isEqualTo(options);
    }

    /** A table that names an option which cannot be set would be of no use. */
    @Test
    void everyOptionHasASetter() throws Exception {
        List<String> setters =
                Arrays.stream(CosmosDBSourceBuilder.class.getMethods())
                        .filter(method -> method.getReturnType() == CosmosDBSourceBuilder.class)
                        .map(method -> method.getName())
                        .collect(Collectors.toCollection(ArrayList::new));

        assertThat(setters).containsExactlyInAnyOrderElementsOf(named("Options"));
    }

    @Test
    void everyMetricHasARow() throws Exception {
        Set<String> metrics =
                Stream.of(Metric.values())
                        .map(ChangeFeedGauges::name)
                        .collect(Collectors.toCollection(TreeSet::new));
        metrics.add("deletesIgnored");
        // Of the enumerator.
        metrics.add("splitsMoved");
        metrics.add("transfersCancelled");

        assertThat(named("Metrics")).isEqualTo(metrics);
    }
}
