// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.nativelib;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.github.cosmosflink.connector.cosmosdb.source.backend.ChangeFeedException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Brings the core's log lines of one session to SLF4J, under the session's class. */
final class NativeLogs {

    private static final Logger LOG = LoggerFactory.getLogger(NativeChangeFeedSession.class);

    private final long handle;

    NativeLogs(long handle) {
        this.handle = handle;
    }

    /**
     * Logs what has come since the last call. Never throws: it runs beside what the caller came
     * for.
     */
    void drain() {
        byte[] lines;
        try {
            lines = Natives.drainLogs(handle);
        } catch (ChangeFeedException e) {
            if (!"SESSION_CLOSED".equals(e.code())) {
                LOG.warn("The native library's log lines could not be fetched", e);
            }
            return;
        }
        log(lines, LOG);
    }

    /** Logs framed lines; text of a level that is off is not even decoded. */
    static void log(byte[] lines, Logger logger) {
        ByteBuffer in = ByteBuffer.wrap(lines).order(ByteOrder.LITTLE_ENDIAN);
        int count = in.getInt();
        for (int i = 0; i < count; i++) {
            byte level = in.get();
            int length = in.getInt();
            int start = in.position();
            in.position(start + length);
            switch (level) {
                case 1:
                    if (logger.isErrorEnabled()) {
                        logger.error("{}", new String(lines, start, length, UTF_8));
                    }
                    break;
                case 2:
                    if (logger.isWarnEnabled()) {
                        logger.warn("{}", new String(lines, start, length, UTF_8));
                    }
                    break;
                case 3:
                    if (logger.isInfoEnabled()) {
                        logger.info("{}", new String(lines, start, length, UTF_8));
                    }
                    break;
                case 4:
                    if (logger.isDebugEnabled()) {
                        logger.debug("{}", new String(lines, start, length, UTF_8));
                    }
                    break;
                default:
                    if (logger.isTraceEnabled()) {
                        logger.trace("{}", new String(lines, start, length, UTF_8));
                    }
                    break;
            }
        }
    }
}
