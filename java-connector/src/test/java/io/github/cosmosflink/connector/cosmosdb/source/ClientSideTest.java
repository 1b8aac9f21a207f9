// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.InputStream;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;
import org.junit.jupiter.api.Test;

/** A job may be submitted from a machine for which there is no native library. */
class ClientSideTest {

    private static final String CONNECTOR = "io.github.cosmosflink.connector.cosmosdb.";

    /** What a client does; run in a class loader of its own by the test. */
    public static final class Client implements Runnable {

        @Override
        public void run() {
            StreamExecutionEnvironment environment =
                    StreamExecutionEnvironment.createLocalEnvironment();
            environment
                    .fromSource(
                            TestSources.builder().build(),
                            WatermarkStrategy.noWatermarks(),
                            "orders")
                    .sinkTo(new DiscardingSink<>());
            assertThat(environment.getStreamGraph().getJobGraph().getVertices()).isNotEmpty();
        }
    }

    /** Defines the connector's classes anew and notes which are asked for. */
    private static final class NotingClassLoader extends ClassLoader {

        private final Set<String> defined = ConcurrentHashMap.newKeySet();

        NotingClassLoader(ClassLoader parent) {
            super(parent);
        }

        @Override
        protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
            if (!name.startsWith(CONNECTOR)) {
                return super.loadClass(name, resolve);
            }
            synchronized (getClassLoadingLock(name)) {
                Class<?> known = findLoadedClass(name);
                return known == null ? define(name) : known;
            }
        }

        private Class<?> define(String name) throws ClassNotFoundException {
            String file = name.replace('.', '/') + ".class";
            try (InputStream in = getParent().getResourceAsStream(file)) {
                if (in == null) {
                    throw new ClassNotFoundException(name);
                }
                defined.add(name);
                byte[] bytes = in.readAllBytes();
                return defineClass(name, bytes, 0, bytes.length);
            } catch (IOException e) {
                throw new ClassNotFoundException(name, e);
            }
        }
    }

    @Test
    void buildingTheJobGraphTouchesNoNativeCode() throws Exception {
        NotingClassLoader loader = new NotingClassLoader(getClass().getClassLoader());
        Thread thread = Thread.currentThread();
        ClassLoader before = thread.getContextClassLoader();
        thread.setContextClassLoader(loader);
        try {
            ((Runnable)
                            loader.loadClass(Client.class.getName())
                                    .getDeclaredConstructor()
                                    .newInstance())
                    .run();
        } finally {
            thread.setContextClassLoader(before);
        }

        assertThat(loader.defined)
                .contains(CONNECTOR + "nativelib.NativeChangeFeedBackend")
                .doesNotContain(
                        CONNECTOR + "nativelib.NativeLoader",
                        CONNECTOR + "nativelib.Natives",
                        CONNECTOR + "nativelib.NativeChangeFeedSession");
        // The names above must be the real ones for their absence to mean anything.
        Class.forName(CONNECTOR + "nativelib.NativeLoader", false, getClass().getClassLoader());
        Class.forName(CONNECTOR + "nativelib.Natives", false, getClass().getClassLoader());
    }
}
