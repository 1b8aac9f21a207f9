// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.backend;

import java.io.IOException;
import javax.annotation.Nullable;

/**
 * Any failure that comes from the core, with the service's own account of it. Codes:
 * docs/native-interface.md.
 */
public class ChangeFeedException extends IOException {

    private static final long serialVersionUID = 1L;

    private final String code;
    private final int httpStatus;
    private final int subStatus;
    @Nullable private final String activityId;
    private final boolean retryable;

    /** Called from native code: keep the signature. */
    public ChangeFeedException(
            String code,
            String message,
            int httpStatus,
            int subStatus,
            @Nullable String activityId,
            boolean retryable) {
        super(describe(code, message, httpStatus, subStatus, activityId));
        this.code = code;
        this.httpStatus = httpStatus;
        this.subStatus = subStatus;
        this.activityId = activityId;
        this.retryable = retryable;
    }

    private static String describe(
            String code,
            String message,
            int httpStatus,
            int subStatus,
            @Nullable String activityId) {
        StringBuilder text = new StringBuilder(code).append(": ").append(message);
        if (httpStatus != 0) {
            text.append(" (status ").append(httpStatus).append('/').append(subStatus);
            if (activityId != null) {
                text.append(", activity id ").append(activityId);
            }
            text.append(')');
        }
        return text.toString();
    }

    /** Stable across versions; see docs/native-interface.md. */
    public String code() {
        return code;
    }

    /** HTTP status of the service's answer, 0 when there was none. */
    public int httpStatus() {
        return httpStatus;
    }

    public int subStatus() {
        return subStatus;
    }

    @Nullable
    public String activityId() {
        return activityId;
    }

    /** Whether the same call may succeed later without any change. */
    public boolean isRetryable() {
        return retryable;
    }
}
