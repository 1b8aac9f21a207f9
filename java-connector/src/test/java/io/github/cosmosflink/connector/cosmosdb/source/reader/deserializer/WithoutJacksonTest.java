// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.reader.deserializer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.InputStream;
import java.lang.reflect.InvocationTargetException;
import org.junit.jupiter.api.Test;

/** Jackson is the job's own: nothing needs it but the adapters that say so. */
class WithoutJacksonTest {

    private static final String CONNECTOR = "io.github.cosmosflink.connector.cosmosdb.";

    /** The connector's classes anew, in a world without Jackson. */
    private static final class NoJackson extends ClassLoader {

        NoJackson(ClassLoader parent) {
            super(parent);
        }

        @Override
        protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
            if (name.startsWith("com.fasterxml.jackson.")) {
                throw new ClassNotFoundException(name);
            }
            if (!name.startsWith(CONNECTOR)) {
                return super.loadClass(name, resolve);
            }
            synchronized (getClassLoadingLock(name)) {
                Class<?> known = findLoadedClass(name);
                return known == null ? define(name) : known;
            }
        }

        private Class<?> define(String name) throws ClassNotFoundException {
            try (InputStream in =
                    getParent().getResourceAsStream(name.replace('.', '/') + ".class")) {
                byte[] bytes = in.readAllBytes();
                return defineClass(name, bytes, 0, bytes.length);
            } catch (IOException e) {
                throw new ClassNotFoundException(name, e);
            }
        }
    }

    private static Class<?> load(Class<?> type) throws Exception {
        return new NoJackson(WithoutJacksonTest.class.getClassLoader()).loadClass(type.getName());
    }

    @Test
    void textNeedsNoJackson() throws Exception {
        Class<?> schemas = load(CosmosDBDeserializationSchema.class);

        assertThat(schemas.getMethod("json").invoke(null)).isNotNull();
    }

    @Test
    void anAdapterThatNeedsItSaysSoWhileTheJobIsBuilt() throws Exception {
        Class<?> schemas = load(CosmosDBDeserializationSchema.class);

        assertThatThrownBy(() -> schemas.getMethod("pojo", Class.class).invoke(null, Object.class))
                .isInstanceOf(InvocationTargetException.class)
                .cause()
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("PojoDeserializationSchema needs")
                .hasMessageContaining("jackson-databind");
    }
}
