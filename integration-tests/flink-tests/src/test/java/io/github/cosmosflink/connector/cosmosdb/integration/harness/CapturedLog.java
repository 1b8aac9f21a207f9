// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.integration.harness;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.stream.Collectors;
import org.apache.logging.log4j.LogManager;
import org.apache.logging.log4j.core.LogEvent;
import org.apache.logging.log4j.core.LoggerContext;
import org.apache.logging.log4j.core.appender.AbstractAppender;
import org.apache.logging.log4j.core.config.Configuration;
import org.apache.logging.log4j.core.config.Property;

/** The connector's log lines while this is open. */
public final class CapturedLog implements AutoCloseable {

    private static final String CONNECTOR = "io.github.cosmosflink";

    private final List<String> lines = new CopyOnWriteArrayList<>();
    private final Appender appender = new Appender();
    private final LoggerContext context = (LoggerContext) LogManager.getContext(false);

    public CapturedLog() {
        appender.start();
        Configuration configuration = context.getConfiguration();
        configuration.getLoggerConfig(CONNECTOR).addAppender(appender, null, null);
        context.updateLoggers();
    }

    /** Lines that hold the text, each with its level first. */
    public List<String> with(String text) {
        return lines.stream().filter(line -> line.contains(text)).collect(Collectors.toList());
    }

    /** Those with the text among the lines behind the last one that holds the other text. */
    public List<String> withBehindLast(String text, String other) {
        List<String> found = new ArrayList<>();
        for (String line : lines) {
            if (line.contains(other)) {
                found.clear();
            } else if (line.contains(text)) {
                found.add(line);
            }
        }
        return found;
    }

    @Override
    public void close() {
        context.getConfiguration().getLoggerConfig(CONNECTOR).removeAppender(appender.getName());
        context.updateLoggers();
        appender.stop();
    }

    private final class Appender extends AbstractAppender {

        Appender() {
            super("captured", null, null, false, Property.EMPTY_ARRAY);
        }

        @Override
        public void append(LogEvent event) {
            lines.add(event.getLevel() + " " + event.getMessage().getFormattedMessage());
        }
    }
}
