// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.nativelib;

import io.github.cosmosflink.connector.cosmosdb.source.backend.ChangeFeedException;
import io.github.cosmosflink.connector.cosmosdb.source.backend.ChangeFeedMetrics;
import io.github.cosmosflink.connector.cosmosdb.source.backend.ChangeFeedPage;
import io.github.cosmosflink.connector.cosmosdb.source.backend.ChangeFeedSession;
import io.github.cosmosflink.connector.cosmosdb.source.backend.SplitSnapshot;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import javax.annotation.Nullable;

/**
 * A session of the core behind its handle. Keeps the pages that are out, because closing frees
 * their memory: each is taken back here first, so that no thread reads a page whose bytes are gone.
 */
final class NativeChangeFeedSession implements ChangeFeedSession {

    /** While pages come, log lines are fetched no more often: one native call brings a page. */
    private static final long LOGS_EVERY_NANOS = 100_000_000;

    private final long handle;
    private final NativeLogs logs;

    /** For the polling thread. */
    private long logsFetched = System.nanoTime();

    /** Guards the two fields below; never held during a native call. */
    private final Object lock = new Object();

    private final Set<NativeChangeFeedPage> pages = new HashSet<>();
    private boolean closed;

    NativeChangeFeedSession(long handle) {
        this.handle = handle;
        this.logs = new NativeLogs(handle);
    }

    @Override
    public List<SplitSnapshot> discover(List<SplitSnapshot> known) throws ChangeFeedException {
        try {
            return SplitFraming.decode(
                    ByteBuffer.wrap(Natives.discover(handle, SplitFraming.encode(known))));
        } finally {
            logs.drain();
        }
    }

    @Override
    public void addSplits(List<SplitSnapshot> splits) throws ChangeFeedException {
        Natives.addSplits(handle, SplitFraming.encode(splits));
    }

    @Override
    public void setPaused(Collection<String> pause, Collection<String> resume)
            throws ChangeFeedException {
        Natives.setPaused(handle, SplitFraming.encodeIds(pause), SplitFraming.encodeIds(resume));
    }

    @Override
    public void releaseSplits(Collection<String> splitIds) throws ChangeFeedException {
        Natives.releaseSplits(handle, SplitFraming.encodeIds(splitIds));
    }

    @Override
    @Nullable
    public ChangeFeedPage poll(long timeoutMillis) throws ChangeFeedException {
        Object[] polled = null;
        try {
            polled = Natives.poll(handle, timeoutMillis);
        } finally {
            if (polled == null || System.nanoTime() - logsFetched > LOGS_EVERY_NANOS) {
                logs.drain();
                logsFetched = System.nanoTime();
            }
        }
        if (polled == null) {
            return null;
        }
        NativeChangeFeedPage page =
                new NativeChangeFeedPage(this, (byte[]) polled[0], (ByteBuffer) polled[1]);
        synchronized (lock) {
            if (!closed) {
                if (page.holdsMemory()) {
                    pages.add(page);
                }
                return page;
            }
        }
        // Closed between the core's answer and here: the page's bytes are no longer ours to read.
        throw new ChangeFeedException(
                "SESSION_CLOSED", "the change feed session is closed", 0, 0, null, false);
    }

    @Override
    public void wakeUp() {
        try {
            Natives.wakeUp(handle);
        } catch (ChangeFeedException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public ChangeFeedMetrics metrics() throws ChangeFeedException {
        return new ChangeFeedMetrics(Natives.metrics(handle));
    }

    @Override
    public void close() {
        List<NativeChangeFeedPage> out;
        synchronized (lock) {
            if (closed) {
                return;
            }
            closed = true;
            out = new ArrayList<>(pages);
        }
        try {
            out.forEach(NativeChangeFeedPage::recycle);
            logs.drain();
        } finally {
            closeHandle();
        }
    }

    private void closeHandle() {
        try {
            Natives.close(handle);
        } catch (ChangeFeedException e) {
            throw new UncheckedIOException(e);
        }
    }

    byte[] positionAfter(long page, int group) throws ChangeFeedException {
        return Natives.positionAfter(handle, page, group);
    }

    /** Called once by each page, from any thread. */
    void recycle(NativeChangeFeedPage page, long id) {
        synchronized (lock) {
            pages.remove(page);
        }
        try {
            Natives.recycle(handle, id);
        } catch (ChangeFeedException e) {
            throw new UncheckedIOException(e);
        }
    }
}
