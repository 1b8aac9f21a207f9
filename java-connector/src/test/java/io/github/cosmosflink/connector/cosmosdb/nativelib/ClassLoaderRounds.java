// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.nativelib;

import java.io.File;
import java.io.IOException;
import java.lang.ref.WeakReference;
import java.net.MalformedURLException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.slf4j.LoggerFactory;

/**
 * Main class of a child JVM: loads the connector in many class loaders, one after the other and two
 * at a time, as a session cluster does with its jobs; runs a {@link NativeRound} in each; prints
 * one line of figures.
 */
public final class ClassLoaderRounds {

    private static final String CONNECTOR = "io.github.cosmosflink.";

    private ClassLoaderRounds() {}

    public static void main(String[] arguments) throws Exception {
        int rounds = Integer.parseInt(arguments[0]);
        // The logging system starts here and not under a round: its shutdown hook is a thread,
        // which inherits the access
        // control context, and with it the class loader, of whoever logs first.
        LoggerFactory.getLogger(ClassLoaderRounds.class).debug("{} rounds", rounds);
        List<WeakReference<ClassLoader>> loaders = new ArrayList<>();
        for (int i = 0; i < rounds; i++) {
            runInTwoLoaders(loaders);
        }
        long alive = aliveAfterGc(loaders);
        Set<String> cores = mapped("libcosmosdb_flink-");
        Set<String> stubs = mapped("libcosmosdb_flink_stub");
        System.out.printf(
                "loaders=%d alive=%d cores=%d stubs=%d left=%d%n",
                loaders.size(), alive, cores.size(), stubs.size(), filesLeft(cores));
    }

    /** Apart from main, so that no local variable keeps a loader. */
    private static void runInTwoLoaders(List<WeakReference<ClassLoader>> loaders) throws Exception {
        try (URLClassLoader first = new ConnectorFirst();
                URLClassLoader second = new ConnectorFirst()) {
            loaders.add(new WeakReference<>(first));
            loaders.add(new WeakReference<>(second));
            Callable<?> alone = round(first);
            Callable<?> beside = round(second);
            List<Throwable> failures = new ArrayList<>();
            Thread thread =
                    new Thread(
                            () -> {
                                try {
                                    beside.call();
                                } catch (Throwable e) {
                                    failures.add(e);
                                }
                            });
            thread.start();
            try {
                alone.call();
            } finally {
                thread.join();
            }
            for (Throwable failure : failures) {
                throw new AssertionError(failure);
            }
            ((Runnable) alone).run();
        }
    }

    private static Callable<?> round(ClassLoader loader) throws ReflectiveOperationException {
        return (Callable<?>)
                loader.loadClass(NativeRound.class.getName())
                        .getDeclaredConstructor()
                        .newInstance();
    }

    private static long aliveAfterGc(List<WeakReference<ClassLoader>> loaders)
            throws InterruptedException {
        long deadline = System.nanoTime() + 30_000_000_000L;
        while (true) {
            System.gc();
            long alive = loaders.stream().filter(loader -> loader.get() != null).count();
            if (alive == 0 && mappedStubs() == 0 || System.nanoTime() > deadline) {
                return alive;
            }
            Thread.sleep(50);
        }
    }

    private static int mappedStubs() {
        try {
            return mapped("libcosmosdb_flink_stub").size();
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    /**
     * Distinct files with this in their name in the process's memory map. Two class loaders that
     * start at once may both bring the core, and the one rename hides the other's file: it is
     * marked deleted, but stays the one that is mapped.
     */
    private static Set<String> mapped(String name) throws IOException {
        try (Stream<String> lines = Files.lines(Paths.get("/proc/self/maps"))) {
            return lines.filter(line -> line.contains(name))
                    .map(line -> line.substring(line.indexOf('/')).replace(" (deleted)", ""))
                    .collect(Collectors.toSet());
        }
    }

    /** Files beside the core: none, each stub is deleted as soon as it is loaded. */
    private static long filesLeft(Set<String> cores) throws IOException {
        Path core = Paths.get(cores.iterator().next());
        try (Stream<Path> files = Files.list(core.getParent())) {
            return files.filter(file -> !file.equals(core)).count();
        }
    }

    /**
     * Finds the connector's classes itself, all others by its parent: as Flink's loader of user
     * code does.
     */
    private static final class ConnectorFirst extends URLClassLoader {

        ConnectorFirst() {
            super(classPath(), ClassLoaderRounds.class.getClassLoader());
        }

        private static URL[] classPath() {
            return Stream.of(System.getProperty("java.class.path").split(File.pathSeparator))
                    .map(
                            entry -> {
                                try {
                                    return Paths.get(entry).toUri().toURL();
                                } catch (MalformedURLException e) {
                                    throw new AssertionError(e);
                                }
                            })
                    .toArray(URL[]::new);
        }

        @Override
        protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
            if (!name.startsWith(CONNECTOR)) {
                return super.loadClass(name, resolve);
            }
            synchronized (getClassLoadingLock(name)) {
                Class<?> found = findLoadedClass(name);
                return found != null ? found : findClass(name);
            }
        }
    }
}
