// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.reader.deserializer;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JavaType;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.type.TypeFactory;
import com.fasterxml.jackson.databind.util.LRUMap;
import org.apache.flink.api.common.serialization.DeserializationSchema;

/** Makes the mappers of the adapters that need Jackson, and says so when it is not there. */
final class Jackson {

    private Jackson() {}

    /**
     * A tolerant reader, with the modules that the job brings (for {@code java.time} and the like).
     * What it learns of types it keeps to itself: Jackson's own place for that is a static, which
     * would hold the job's classes for as long as Jackson's are loaded.
     */
    static ObjectMapper mapper(DeserializationSchema.InitializationContext context) {
        return new ObjectMapper()
                .setTypeFactory(
                        TypeFactory.defaultInstance()
                                .withCache(new LRUMap<Object, JavaType>(16, 200)))
                .configure(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES, false)
                // A failure names the place in the document, it does not quote the document.
                .configure(JsonParser.Feature.INCLUDE_SOURCE_IN_LOCATION, false)
                .registerModules(
                        ObjectMapper.findModules(context.getUserCodeClassLoader().asClassLoader()));
    }

    /**
     * Fails while the job is being built, not when it runs, and with a message that says what to
     * add.
     *
     * @param adapter the class that needs Jackson
     */
    static void require(Class<?> adapter) {
        try {
            Class.forName(
                    "com.fasterxml.jackson.databind.ObjectMapper", false, adapter.getClassLoader());
        } catch (ClassNotFoundException e) {
            throw new IllegalStateException(
                    adapter.getSimpleName()
                            + " needs com.fasterxml.jackson.core:jackson-databind beside the connector,"
                            + " in the job's JAR or wherever the connector's JAR is",
                    e);
        }
    }
}
