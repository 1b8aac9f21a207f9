// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.reader.deserializer;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.InputStream;
import java.lang.ref.WeakReference;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.connector.testutils.formats.DummyInitializationContext;
import org.apache.flink.util.Collector;
import org.junit.jupiter.api.Test;

/**
 * A job's classes go with the job. Where Jackson lies in Flink's own folder and the job's classes
 * in its JAR, what Jackson keeps in statics would keep them.
 */
class PojoClassLoaderTest {

    /** What a user makes of a document. */
    public static class Order {
        public String id;
        public List<Order> parts;
    }

    /** Defines the class of the job anew; all else comes from where the connector does. */
    private static final class JobsClassLoader extends ClassLoader {

        JobsClassLoader() {
            super(PojoClassLoaderTest.class.getClassLoader());
        }

        @Override
        protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
            if (!name.equals(Order.class.getName())) {
                return super.loadClass(name, resolve);
            }
            synchronized (getClassLoadingLock(name)) {
                Class<?> loaded = findLoadedClass(name);
                return loaded == null ? define(name) : loaded;
            }
        }

        private Class<?> define(String name) throws ClassNotFoundException {
            String file = name.substring(name.lastIndexOf('.') + 1) + ".class";
            try (InputStream in = PojoClassLoaderTest.class.getResourceAsStream(file)) {
                byte[] bytes = in.readAllBytes();
                return defineClass(name, bytes, 0, bytes.length);
            } catch (IOException e) {
                throw new ClassNotFoundException(name, e);
            }
        }
    }

    private static WeakReference<ClassLoader> run() throws Exception {
        JobsClassLoader loader = new JobsClassLoader();
        Class<?> order = loader.loadClass(Order.class.getName());
        assertThat(order).isNotEqualTo(Order.class);
        read(CosmosDBDeserializationSchema.pojo(order), order);
        return new WeakReference<>(loader);
    }

    private static <T> void read(CosmosDBDeserializationSchema<T> schema, Class<?> type)
            throws Exception {
        List<T> records = new ArrayList<>();
        schema.open(new DummyInitializationContext());
        schema.deserialize(
                "{\"id\":\"a\",\"parts\":[{\"id\":\"b\"}]}".getBytes(StandardCharsets.UTF_8),
                new TestMetadata(),
                new Collector<>() {
                    @Override
                    public void collect(T record) {
                        records.add(record);
                    }

                    @Override
                    public void close() {}
                });
        assertThat(records).singleElement().isInstanceOf(type);
    }

    @Test
    void aJobsClassesCanBeUnloaded() throws Exception {
        WeakReference<ClassLoader> loader = run();

        for (int i = 0; i < 20 && loader.get() != null; i++) {
            System.gc();
        }

        assertThat(loader.get()).as("the class loader of a job that is gone").isNull();
    }
}
