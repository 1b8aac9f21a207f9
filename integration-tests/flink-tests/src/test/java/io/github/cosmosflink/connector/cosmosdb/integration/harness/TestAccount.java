// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.integration.harness;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.net.URI;
import java.util.UUID;
import org.junit.jupiter.api.extension.AfterAllCallback;
import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/**
 * The account that a test class works with: a local server of its own, or the one that the
 * environment names by COSMOS_ENDPOINT and COSMOS_KEY. There it makes a database, and drops it at
 * the end.
 */
public final class TestAccount implements BeforeAllCallback, AfterAllCallback, AutoCloseable {

    /** check-output looks for it in every log. */
    private static final String KEY =
            "dGhpcyBrZXkgbXVzdCBuZXZlciBiZSBzZWVuIGluIGEgbG9nIG9yIGFuIGV4Y2VwdGlvbg==";

    private LocalServer local;
    private URI endpoint;
    private String key;
    private CosmosClient client;
    private final String database;
    private boolean created;

    public TestAccount() {
        this("flink-tests-" + UUID.randomUUID());
    }

    /**
     * @param database the name of the account's first database
     */
    public TestAccount(String database) {
        this.database = database;
    }

    @Override
    public void beforeAll(ExtensionContext context) throws Exception {
        open();
    }

    @Override
    public void afterAll(ExtensionContext context) throws Exception {
        close();
    }

    /** For programs that are no tests. */
    public void open() throws Exception {
        String given = System.getenv("COSMOS_ENDPOINT");
        if (given == null) {
            key = KEY;
            local = LocalServer.start(key);
            endpoint = local.endpoint();
        } else {
            key = System.getenv("COSMOS_KEY");
            endpoint = URI.create(given);
        }
        client = new CosmosClient(endpoint, key);
        client.create("", "dbs", LocalServer.JSON.createObjectNode().put("id", database));
        created = true;
    }

    @Override
    public void close() throws Exception {
        if (local != null) {
            local.close();
        } else if (created) {
            client.delete("dbs/" + database, "dbs");
        }
    }

    public String endpoint() {
        return endpoint.toString();
    }

    public String key() {
        return key;
    }

    public String database() {
        return database;
    }

    /** The server's own handles; without them the test is skipped, and says so. */
    public LocalServer local() {
        assumeTrue(
                local != null,
                "needs the administrative interface of cosmos-local, which an account does not have");
        return local;
    }

    boolean isLocal() {
        return local != null;
    }

    CosmosClient client() {
        return client;
    }

    /**
     * A new container with {@code /pk} as its partition key.
     *
     * @param partitions how many physical partitions it has; an account decides itself
     */
    public TestContainer createContainer(int partitions) throws Exception {
        return createContainer("container-" + UUID.randomUUID(), partitions);
    }

    /** A new container of one partition with so many request units a second. */
    public TestContainer createThrottledContainer(int throughput) throws Exception {
        String name = "container-" + UUID.randomUUID();
        ObjectNode container = LocalServer.JSON.createObjectNode();
        container.put("database", database).put("container", name).put("throughput", throughput);
        local().post("containers", container);
        return new TestContainer(this, name);
    }

    /** A new container whose feed has all versions and deletes, kept for an hour. */
    public TestContainer createContainerWithAllVersions(int partitions) throws Exception {
        return createContainerWithAllVersions(partitions, null);
    }

    /**
     * As {@link #createContainerWithAllVersions(int)}.
     *
     * @param timeToLive of its items, in seconds; null for ever
     */
    public TestContainer createContainerWithAllVersions(int partitions, Integer timeToLive)
            throws Exception {
        String name = "container-" + UUID.randomUUID();
        ObjectNode container = LocalServer.JSON.createObjectNode();
        container.put("database", database).put("container", name).put("partitions", partitions);
        container.putArray("partitionKey").add("/pk");
        container.putObject("allVersionsAndDeletes").put("retentionSeconds", 3600);
        container.put("defaultTimeToLive", timeToLive);
        local().post("containers", container);
        return new TestContainer(this, name);
    }

    /** A new container of a name, with {@code /pk} as its partition key. */
    public TestContainer createContainer(String name, int partitions) throws Exception {
        ObjectNode container = LocalServer.JSON.createObjectNode();
        if (local != null) {
            container.put("database", database).put("container", name);
            container.putArray("partitionKey").add("/pk");
            local.post("containers", container.put("partitions", partitions));
        } else {
            container.put("id", name);
            ObjectNode partitionKey = container.putObject("partitionKey");
            partitionKey.put("kind", "Hash").put("version", 2).putArray("paths").add("/pk");
            client.create("dbs/" + database, "colls", container);
        }
        return new TestContainer(this, name);
    }
}
