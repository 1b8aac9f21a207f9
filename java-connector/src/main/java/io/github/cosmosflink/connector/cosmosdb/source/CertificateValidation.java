// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source;

import org.apache.flink.annotation.PublicEvolving;

/** Whether the endpoint's TLS certificate must be trusted. */
@PublicEvolving
public enum CertificateValidation {
    /** An untrusted certificate is refused. */
    REQUIRED,
    /**
     * Any certificate is accepted of a loopback host, or of the host that the environment variable
     * {@code AZURE_COSMOS_EMULATOR_HOST} names; elsewhere an untrusted one is refused.
     */
    REQUIRED_UNLESS_EMULATOR
}
