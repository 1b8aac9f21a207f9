// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.nativelib;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.github.cosmosflink.connector.cosmosdb.source.backend.ChangeFeedException;
import io.github.cosmosflink.connector.cosmosdb.source.backend.ChangeFeedSession;
import io.github.cosmosflink.connector.cosmosdb.source.backend.SplitSnapshot;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.FutureTask;
import java.util.stream.Collectors;

/**
 * What is done with the native library in each class loader: every native, a panic in every native,
 * every call after close.
 */
public final class NativeRound implements Callable<Void>, Runnable {

    /** Nobody listens there, and nothing here sends a request. */
    static final byte[] CONFIGURATION =
            ("{\"endpoint\":\"http://127.0.0.1:1/\",\"key\":\"a2V5\",\"database\":\"d\",\"container\":\"c\","
                            + "\"mode\":\"LATEST_VERSION\",\"startFrom\":{\"kind\":\"BEGINNING\"},"
                            + "\"minSplits\":1,\"retentionExpired\":\"FAIL\","
                            + "\"stopAt\":{\"kind\":\"NEVER\"},\"pageSize\":1000,\"maxBytesInFlight\":67108864,"
                            + "\"idlePollMinMillis\":100,\"idlePollMaxMillis\":1000,\"itemsWithoutLsn\":\"FAIL\","
                            + "\"startupTimeoutMillis\":60000,\"requestTimeoutMillis\":30000,"
                            + "\"certificateValidation\":\"REQUIRED\",\"applicationName\":\"\"}")
                    .getBytes(UTF_8);

    private static final byte[] NO_SPLITS = SplitFraming.encode(Collections.emptyList());

    /** A call of a native. */
    private interface Call {
        void run() throws ChangeFeedException;
    }

    /** What can be done in two class loaders at a time. */
    @Override
    public Void call() throws Exception {
        NativeLoader.load();
        require(
                Natives.identity().endsWith("/" + NativeVersion.ABI + "/linux-x86_64"),
                Natives.identity());
        long session = Natives.open(CONFIGURATION);
        checkThatAllAreCalled(session);
        for (Map.Entry<String, Call> call : calls(session).entrySet()) {
            panicIn(call.getKey(), session, call.getValue());
        }
        require(Natives.poll(session, 1) == null, "a page of no split");
        wakeUpFreesPoll(session);
        refuseWhatIsMalformed(session);
        throughTheSeam();
        closeFreesPoll(session);
        afterClose(session);
        return null;
    }

    /**
     * What must be done alone: a panic in a native without a session strikes whoever calls it next.
     */
    @Override
    public void run() {
        sessionless().forEach((name, call) -> panicIn(name, 0, call));
    }

    private static Map<String, Call> sessionless() {
        Map<String, Call> calls = new LinkedHashMap<>();
        calls.put("identity", () -> Natives.identity());
        calls.put("open", () -> Natives.close(Natives.open(CONFIGURATION)));
        return calls;
    }

    private static Map<String, Call> calls(long session) {
        Map<String, Call> calls = new LinkedHashMap<>();
        calls.put("discover", () -> Natives.discover(session, NO_SPLITS));
        calls.put("addSplits", () -> Natives.addSplits(session, NO_SPLITS));
        calls.put("setPaused", () -> Natives.setPaused(session, NO_SPLITS, NO_SPLITS));
        calls.put("releaseSplits", () -> Natives.releaseSplits(session, NO_SPLITS));
        calls.put("poll", () -> Natives.poll(session, 0));
        calls.put("positionAfter", () -> Natives.positionAfter(session, 1, 0));
        calls.put("recycle", () -> Natives.recycle(session, 1));
        calls.put("wakeUp", () -> Natives.wakeUp(session));
        calls.put("metrics", () -> Natives.metrics(session));
        calls.put("drainLogs", () -> Natives.drainLogs(session));
        calls.put("close", () -> Natives.close(session));
        calls.put("panicForTest", () -> Natives.panicForTest(session, "poll"));
        return calls;
    }

    /** All but {@code bind}, which cannot panic: it is not the core's. */
    private static void checkThatAllAreCalled(long session) {
        Set<String> called = new TreeSet<>(calls(session).keySet());
        called.addAll(sessionless().keySet());
        called.add("bind");
        Set<String> natives =
                Arrays.stream(Natives.class.getDeclaredMethods())
                        .filter(method -> Modifier.isNative(method.getModifiers()))
                        .map(Method::getName)
                        .collect(Collectors.toCollection(TreeSet::new));
        require(natives.equals(called), "natives " + natives);
    }

    private static void panicIn(String name, long session, Call call) {
        ChangeFeedException panic =
                failure(
                        "PANIC",
                        name,
                        () -> {
                            Natives.panicForTest(session, name);
                            call.run();
                        });
        require(
                panic.getMessage().contains(name + " was asked to panic")
                        && panic.getMessage().contains("cosmosdb_flink::"),
                "message and backtrace of " + panic.getMessage());
    }

    private static void wakeUpFreesPoll(long session) throws Exception {
        Natives.wakeUp(session);
        require(Natives.poll(session, Long.MAX_VALUE) == null, "a page instead of a wake-up");
    }

    private static void refuseWhatIsMalformed(long session) {
        failure("INTERNAL", "a null array", () -> Natives.addSplits(session, null));
        failure("INTERNAL", "a null name", () -> Natives.panicForTest(session, null));
        failure("INTERNAL", "truncated splits", () -> Natives.addSplits(session, new byte[3]));
        failure("INTERNAL", "a page that is not out", () -> Natives.positionAfter(session, 77, 0));
        failure("INTERNAL", "a negative group", () -> Natives.positionAfter(session, 77, -1));
        failure("INTERNAL", "handle 0", () -> Natives.metrics(0));
        failure("INTERNAL", "a made-up handle", () -> Natives.poll(session ^ (1L << 62), 0));
        failure("CONFIGURATION_INVALID", "no JSON", () -> Natives.open(new byte[] {'{'}));
        failure(
                "POSITION_CORRUPT",
                "a position that is none",
                () ->
                        Natives.addSplits(
                                session,
                                SplitFraming.encode(
                                        Collections.singletonList(
                                                new SplitSnapshot(
                                                        "s", "[,FF)", new byte[] {1, 2, 3})))));
    }

    private static void throughTheSeam() throws Exception {
        try (ChangeFeedSession session = new NativeChangeFeedBackend().open(CONFIGURATION)) {
            session.wakeUp();
            require(session.poll(Long.MAX_VALUE) == null, "a page instead of a wake-up");
            session.setPaused(Collections.singleton("s"), Collections.singleton("t"));
            session.releaseSplits(Collections.singleton("s"));
            session.metrics();
        }
    }

    private static void closeFreesPoll(long session) throws Exception {
        CountDownLatch polling = new CountDownLatch(1);
        FutureTask<ChangeFeedException> poll =
                new FutureTask<>(
                        () ->
                                failure(
                                        "SESSION_CLOSED",
                                        "a poll when the session is closed",
                                        () -> {
                                            polling.countDown();
                                            Natives.poll(session, Long.MAX_VALUE);
                                        }));
        Thread thread = new Thread(poll);
        thread.start();
        polling.await();
        Natives.close(session);
        thread.join();
        poll.get();
    }

    private static void afterClose(long session) throws ChangeFeedException {
        for (Map.Entry<String, Call> call : calls(session).entrySet()) {
            switch (call.getKey()) {
                case "panicForTest":
                    break;
                case "recycle":
                case "wakeUp":
                case "close":
                    call.getValue().run();
                    break;
                default:
                    failure("SESSION_CLOSED", call.getKey() + " after close", call.getValue());
                    break;
            }
        }
    }

    private static ChangeFeedException failure(String code, String what, Call call) {
        try {
            call.run();
        } catch (ChangeFeedException e) {
            require(e.code().equals(code), what + ": " + e);
            return e;
        }
        throw new AssertionError(what + " did not fail with " + code);
    }

    private static void require(boolean holds, String what) {
        if (!holds) {
            throw new AssertionError(what);
        }
    }
}
