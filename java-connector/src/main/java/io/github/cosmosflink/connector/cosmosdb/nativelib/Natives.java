// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.nativelib;

import io.github.cosmosflink.connector.cosmosdb.source.backend.ChangeFeedException;
import javax.annotation.Nullable;

/**
 * Everything that crosses into the native library; docs/native-interface.md says what each call
 * does and what its bytes mean. Call {@link NativeLoader#load()} first. All but {@link #bind} may
 * fail with a {@link ChangeFeedException}, and a panic in the core is one with code {@code PANIC}.
 */
final class Natives {

    private Natives() {}

    /** In the stub: maps the core and registers all others for this class. */
    static native void bind(String corePath);

    static native String identity() throws ChangeFeedException;

    static native long open(byte[] configuration) throws ChangeFeedException;

    static native byte[] discover(long session, byte[] known) throws ChangeFeedException;

    static native void addSplits(long session, byte[] splits) throws ChangeFeedException;

    static native void setPaused(long session, byte[] pause, byte[] resume)
            throws ChangeFeedException;

    static native void releaseSplits(long session, byte[] splits) throws ChangeFeedException;

    /** {@code {byte[] index, ByteBuffer body or null}}, or null. */
    @Nullable
    static native Object[] poll(long session, long timeoutMillis) throws ChangeFeedException;

    static native byte[] positionAfter(long session, long page, int group)
            throws ChangeFeedException;

    static native void recycle(long session, long page) throws ChangeFeedException;

    static native void wakeUp(long session) throws ChangeFeedException;

    static native long[] metrics(long session) throws ChangeFeedException;

    static native byte[] drainLogs(long session) throws ChangeFeedException;

    static native void close(long session) throws ChangeFeedException;

    static native void panicForTest(long session, String nativeName) throws ChangeFeedException;
}
