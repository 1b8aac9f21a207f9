// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.integration.harness;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.cosmosflink.connector.cosmosdb.source.ChangeFeedMode;
import io.github.cosmosflink.connector.cosmosdb.source.CosmosDBSource;
import io.github.cosmosflink.connector.cosmosdb.source.CosmosDBSourceBuilder;
import io.github.cosmosflink.connector.cosmosdb.source.StartPosition;
import io.github.cosmosflink.connector.cosmosdb.source.reader.deserializer.CosmosDBDeserializationSchema;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * A container that a test writes into. Keeps a journal of its writes for accounts that have no log
 * of their own. One thread at a time writes the items of a partition key.
 */
public final class TestContainer {

    private final TestAccount account;
    private final String name;
    private final String link;
    private final List<Write> journal = Collections.synchronizedList(new ArrayList<>());

    private List<String> filled = Collections.emptyList();

    TestContainer(TestAccount account, String name) {
        this.account = account;
        this.name = name;
        this.link = "dbs/" + account.database() + "/colls/" + name;
    }

    public String name() {
        return name;
    }

    /** As {@link #source}, of every change from now on. */
    public CosmosDBSourceBuilder<Change> allVersions() {
        return source().changeFeedMode(ChangeFeedMode.ALL_VERSIONS_AND_DELETES)
                .startFrom(StartPosition.now());
    }

    /** A source over this container, to be completed; idle ranges are asked often. */
    public CosmosDBSourceBuilder<Change> source() {
        return source(new ChangeDeserializer());
    }

    /** The same for another type of record. */
    public <T> CosmosDBSourceBuilder<T> source(CosmosDBDeserializationSchema<T> deserializer) {
        return CosmosDBSource.<T>builder()
                .endpoint(account.endpoint())
                .key(account.key())
                .database(account.database())
                .container(name)
                .idlePollInterval(Duration.ofMillis(20), Duration.ofMillis(200))
                .deserializer(deserializer);
    }

    /** Creates or replaces one item. */
    public void upsert(String id, String partitionKey) throws IOException, InterruptedException {
        JsonNode item = account.client().upsert(link, partitionKey, document(id, partitionKey));
        note(id, partitionKey, item.get("_etag"));
    }

    /** Creates or replaces items in one transaction. */
    public void upsertTogether(List<String> ids, String partitionKey)
            throws IOException, InterruptedException {
        ArrayNode operations = LocalServer.JSON.createArrayNode();
        for (String id : ids) {
            ObjectNode operation = operations.addObject().put("operationType", "Upsert");
            operation.set("resourceBody", document(id, partitionKey));
        }
        JsonNode results = account.client().batch(link, partitionKey, operations);
        for (int i = 0; i < ids.size(); i++) {
            note(ids.get(i), partitionKey, results.get(i).get("eTag"));
        }
    }

    public void delete(String id, String partitionKey) throws IOException, InterruptedException {
        account.client().deleteDocument(link, partitionKey, id);
        journal.add(Write.noted(id, partitionKey, "", true));
    }

    private void note(String id, String partitionKey, JsonNode etag) {
        journal.add(
                Write.noted(id, partitionKey, ChangeDeserializer.unquoted(etag.asText()), false));
    }

    private static ObjectNode document(String id, String partitionKey) {
        return LocalServer.JSON
                .createObjectNode()
                .put("id", id)
                .put("pk", partitionKey)
                .put("text", "a \"quoted\" text, a { brace and a tab\t")
                .put("payload", "0123456789".repeat(20));
    }

    /** Creates items 0, 1, …, dealt to the partition keys {@code pk-0…} in turn. */
    public void fill(int items, int partitionKeys) throws IOException, InterruptedException {
        if (account.isLocal()) {
            ObjectNode load = LocalServer.JSON.createObjectNode();
            load.put("documents", items).put("documentBytes", 500);
            load.put("partitionKeys", partitionKeys).put("idPrefix", "doc");
            account.local().post(admin("load"), load);
        } else {
            for (int i = 0; i < items; i++) {
                upsert("doc-" + i, "pk-" + i % partitionKeys);
            }
        }
        filled = writes().stream().map(Write::id).collect(Collectors.toList());
    }

    /** The id of an item that {@link #fill} has made of an empty container. */
    public String filled(int number) {
        return filled.get(number);
    }

    /** How many items {@link #fill} has made. */
    int filled() {
        return filled.size();
    }

    /** Drops the container and makes a new one of its name. */
    public TestContainer recreate() throws Exception {
        delete();
        return account.createContainer(name, 1);
    }

    /** Every write that has taken effect, in an order that is right for each item. */
    public List<Write> writes() throws IOException, InterruptedException {
        if (!account.isLocal()) {
            return new ArrayList<>(journal);
        }
        Map<String, String> roots = roots();
        List<Write> writes = new ArrayList<>();
        for (JsonNode line : account.local().lines(admin("log") + "?from=1&limit=10000000")) {
            writes.add(
                    new Write(
                            line.get("id").asText(),
                            line.get("pk").get(0).asText(),
                            ChangeDeserializer.unquoted(line.get("etag").asText("")),
                            line.get("op").asText().equals("delete"),
                            line.path("ttl").asBoolean(),
                            line.get("lsn").asLong(),
                            line.get("ts").asLong(),
                            roots.get(line.get("partition").asText())));
        }
        return writes;
    }

    /** Of each physical partition that there is or was: the one that it has come from by splits. */
    private Map<String, String> roots() throws IOException, InterruptedException {
        Map<String, String> roots = new HashMap<>();
        for (JsonNode partition : state().get("partitions")) {
            String id = partition.get("id").asText();
            JsonNode parents = partition.get("parents");
            String root = parents.isEmpty() ? id : parents.get(0).asText();
            roots.put(id, root);
            parents.forEach(parent -> roots.put(parent.asText(), root));
        }
        return roots;
    }

    /** The last LSN of each physical partition. */
    public Map<String, Long> lsns() throws IOException, InterruptedException {
        Map<String, Long> lsns = new HashMap<>();
        for (JsonNode partition : state().get("partitions")) {
            lsns.put(partition.get("id").asText(), partition.get("lsn").asLong());
        }
        return lsns;
    }

    /**
     * A continuation token at the present end of each physical partition, of the form in which
     * Microsoft's SDK for Rust hands them out.
     */
    public List<String> tokens(ChangeFeedMode mode) throws IOException, InterruptedException {
        JsonNode state = state();
        List<String> tokens = new ArrayList<>();
        for (JsonNode partition : state.get("partitions")) {
            ObjectNode token = LocalServer.JSON.createObjectNode();
            token.put("op", "ChangeFeed").set("rid", state.get("rid"));
            if (mode == ChangeFeedMode.ALL_VERSIONS_AND_DELETES) {
                token.put("cfm", true);
            }
            ObjectNode root = token.putObject("root").put("kind", "unordered_merge");
            ObjectNode entry = root.putArray("active_tokens").addObject();
            entry.set("min_epk", partition.get("minInclusive"));
            entry.set("max_epk", partition.get("maxExclusive"));
            entry.put("server_continuation", '"' + partition.get("lsn").asText() + '"');
            tokens.add(
                    "c1."
                            + Base64.getUrlEncoder()
                                    .withoutPadding()
                                    .encodeToString(LocalServer.JSON.writeValueAsBytes(token)));
        }
        return tokens;
    }

    private JsonNode state() throws IOException, InterruptedException {
        return account.local().get(admin("").replaceAll("/$", ""));
    }

    /** How long deletes and old versions are kept for the feed of all versions. */
    public void retainSeconds(int seconds) throws IOException, InterruptedException {
        ObjectNode settings = LocalServer.JSON.createObjectNode();
        settings.putObject("allVersionsAndDeletes").put("retentionSeconds", seconds);
        account.local().post(admin("settings"), settings);
    }

    /** Drops the container. */
    public void delete() throws Exception {
        account.client().delete(link, "colls");
    }

    /** Splits the physical partition that holds the most documents. */
    public void split(int lockMillis) throws IOException, InterruptedException {
        account.local()
                .post(
                        admin("split"),
                        LocalServer.JSON.createObjectNode().put("lockMillis", lockMillis));
    }

    /** Splits a physical partition by its id. */
    public void split(String partition, int lockMillis) throws IOException, InterruptedException {
        account.local()
                .post(
                        admin("split"),
                        LocalServer.JSON
                                .createObjectNode()
                                .put("partition", partition)
                                .put("lockMillis", lockMillis));
    }

    /** Makes one physical partition of two neighbours, whose LSNs go on. */
    public void merge(String left, String right) throws IOException, InterruptedException {
        merge(left, right, false);
    }

    /** As {@link #merge(String, String)}, or with LSNs that are counted from 1 again. */
    public void merge(String left, String right, boolean renumber)
            throws IOException, InterruptedException {
        ObjectNode merge = LocalServer.JSON.createObjectNode().put("renumberLsns", renumber);
        merge.putArray("partitions").add(left).add(right);
        account.local().post(admin("merge"), merge);
    }

    /** Ids of the physical partitions that take reads and writes now. */
    public List<String> partitions() throws IOException, InterruptedException {
        List<String> ids = new ArrayList<>();
        state().get("partitions").forEach(partition -> ids.add(partition.get("id").asText()));
        return ids;
    }

    /** Which physical partition took the last write of each partition key. */
    public Map<String, String> partitionOfKeys() throws IOException, InterruptedException {
        Map<String, String> partitions = new HashMap<>();
        for (JsonNode line : account.local().lines(admin("log") + "?from=1&limit=10000000")) {
            partitions.put(line.get("pk").get(0).asText(), line.get("partition").asText());
        }
        return partitions;
    }

    private String admin(String action) {
        return "containers/" + account.database() + "/" + name + "/" + action;
    }
}
