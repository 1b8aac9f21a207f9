// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.examples;

import java.io.IOException;
import java.io.StringWriter;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.functions.RichMapFunction;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonFactory;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonGenerator;

/** A change as one line of JSON, with the time at which the job saw it. */
public class ToLine extends RichMapFunction<Change, String> {

    private static final long serialVersionUID = 1L;

    private transient JsonFactory json;

    @Override
    public void open(OpenContext context) {
        json = new JsonFactory();
    }

    @Override
    public String map(Change change) throws IOException {
        StringWriter line = new StringWriter(160);
        try (JsonGenerator generator = json.createGenerator(line)) {
            generator.writeStartObject();
            generator.writeStringField("id", change.id);
            generator.writeStringField("pk", change.partitionKey);
            generator.writeStringField("etag", change.etag);
            generator.writeNumberField("lsn", change.lsn);
            generator.writeNumberField("ts", change.timestamp);
            generator.writeNumberField("at", System.currentTimeMillis());
            generator.writeEndObject();
        }
        return line.toString();
    }
}
