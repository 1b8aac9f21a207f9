// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.integration;

import io.github.cosmosflink.connector.cosmosdb.integration.harness.ContainerContext;
import io.github.cosmosflink.connector.cosmosdb.integration.harness.TestAccount;
import org.apache.flink.connector.testframe.environment.MiniClusterTestEnvironment;
import org.apache.flink.connector.testframe.external.ExternalContextFactory;
import org.apache.flink.connector.testframe.junit.annotations.TestContext;
import org.apache.flink.connector.testframe.junit.annotations.TestEnv;
import org.apache.flink.connector.testframe.junit.annotations.TestSemantics;
import org.apache.flink.connector.testframe.testsuites.SourceTestSuiteBase;
import org.apache.flink.core.execution.CheckpointingMode;
import org.junit.jupiter.api.extension.RegisterExtension;

/**
 * Flink's own judge of a source, all its cases: one split, several, an idle reader, savepoints
 * restored at the same, a higher and a lower parallelism, the metric {@code numRecordsIn}, a
 * TaskManager that goes. Its fields are found by their annotations.
 */
class FlinkSourceSuiteITCase extends SourceTestSuiteBase<String> {

    @RegisterExtension static final TestAccount ACCOUNT = new TestAccount();

    @TestSemantics
    CheckpointingMode[] semantics = new CheckpointingMode[] {CheckpointingMode.EXACTLY_ONCE};

    @TestEnv MiniClusterTestEnvironment environment = new MiniClusterTestEnvironment();

    @TestContext
    ExternalContextFactory<ContainerContext> contexts =
            testName -> {
                try {
                    return ContainerContext.create(ACCOUNT);
                } catch (Exception e) {
                    throw new IllegalStateException("no container for " + testName, e);
                }
            };
}
