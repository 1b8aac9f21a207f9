// SPDX-License-Identifier: Apache-2.0

import com.azure.cosmos.CosmosClient;
import com.azure.cosmos.CosmosClientBuilder;
import com.azure.cosmos.CosmosContainer;
import com.azure.cosmos.CosmosDatabase;
import com.azure.cosmos.CosmosException;
import com.azure.cosmos.models.ChangeFeedMetaData;
import com.azure.cosmos.models.ChangeFeedOperationType;
import com.azure.cosmos.models.ChangeFeedProcessorItem;
import com.azure.cosmos.models.CosmosBatch;
import com.azure.cosmos.models.CosmosBatchResponse;
import com.azure.cosmos.models.CosmosChangeFeedRequestOptions;
import com.azure.cosmos.models.CosmosItemRequestOptions;
import com.azure.cosmos.models.CosmosQueryRequestOptions;
import com.azure.cosmos.models.FeedRange;
import com.azure.cosmos.models.FeedResponse;
import com.azure.cosmos.models.PartitionKey;
import com.azure.cosmos.models.SqlParameter;
import com.azure.cosmos.models.SqlQuerySpec;
import com.azure.cosmos.models.ThroughputProperties;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * Writes to a container and reads its change feed with Microsoft's Java SDK in gateway mode.
 *
 * <p>Takes endpoint and key as arguments; prints one line of JSON, or ends with an error that names
 * what is wrong.
 */
public final class ChangeFeed {

    private static final int DOCUMENTS = 200;
    private static final int KEYS = 20;
    private static final int UPDATED = 30;
    private static final int PAGE = 25;

    private static final ObjectMapper MAPPER = new ObjectMapper();

    private ChangeFeed() {}

    public static void main(String[] args) {
        refusesWrongKey(args[0]);
        try (CosmosClient client = client(args[0], args[1])) {
            client.createDatabase("java");
            CosmosDatabase database = client.getDatabase("java");
            database.createContainer(
                    "orders", "/customer", ThroughputProperties.createManualThroughput(21_000));
            CosmosContainer container = database.getContainer("orders");
            List<FeedRange> ranges = container.getFeedRanges();
            check(ranges.size() >= 3, "21,000 RU/s should give 3 partitions, found " + ranges);

            write(container);
            int alive = DOCUMENTS - 1 + 2;
            query(container, alive);

            List<String> positions = new ArrayList<>();
            Map<String, Integer> amounts = new HashMap<>();
            int read = 0;
            for (FeedRange range : ranges) {
                List<JsonNode> changes = new ArrayList<>();
                positions.add(
                        read(
                                container,
                                CosmosChangeFeedRequestOptions.createForProcessingFromBeginning(
                                        range),
                                changes));
                long lastLsn = 0;
                for (JsonNode change : changes) {
                    check(change.get("_lsn").asLong() >= lastLsn, "LSNs decrease in " + range);
                    lastLsn = change.get("_lsn").asLong();
                    amounts.put(change.get("id").asText(), change.get("amount").asInt());
                }
                read += changes.size();
            }
            expect(amounts.size(), alive, "distinct documents in the feed");
            expect(read, alive, "documents in the feed");
            expect(amounts.get("order-29"), 1029, "version of an updated document");

            List<JsonNode> ofOneKey = new ArrayList<>();
            read(
                    container,
                    CosmosChangeFeedRequestOptions.createForProcessingFromBeginning(
                            FeedRange.forLogicalPartition(new PartitionKey("c7"))),
                    ofOneKey);
            expect(ofOneKey.size(), DOCUMENTS / KEYS, "documents in the feed of one partition key");

            List<JsonNode> fromNow = new ArrayList<>();
            String now =
                    read(
                            container,
                            CosmosChangeFeedRequestOptions.createForProcessingFromNow(
                                    FeedRange.forFullRange()),
                            fromNow);
            expect(fromNow.size(), 0, "documents from now on");

            container.upsertItem(order("late", "c5", 5));
            List<JsonNode> late = new ArrayList<>();
            positions.add(now);
            for (String position : positions) {
                read(
                        container,
                        CosmosChangeFeedRequestOptions.createForProcessingFromContinuation(
                                position),
                        late);
            }
            // Once from the position in its range, once from "now" over the whole container.
            expect(ids(late), Set.of("late"), "ids after the continuations");
            expect(late.size(), 2, "documents after the continuations");

            int changes = allVersions(container);

            database.delete();
            System.out.printf(
                    "{\"program\": \"java\", \"read\": %d, \"ranges\": %d, \"resumed\": %d,"
                            + " \"changes\": %d}%n",
                    read, ranges.size(), late.size(), changes);
        }
        // Threads of the SDK's HTTP client linger for a while.
        System.exit(0);
    }

    /** Reads all versions and deletes of one order, as the SDK's own classes have them. */
    private static int allVersions(CosmosContainer container) {
        List<ChangeFeedProcessorItem> none = new ArrayList<>();
        String now =
                readAllVersions(
                        container,
                        CosmosChangeFeedRequestOptions.createForProcessingFromNow(
                                FeedRange.forFullRange()),
                        none);
        expect(none.size(), 0, "changes from now on");
        PartitionKey key = new PartitionKey("c1");
        container.createItem(order("changing", "c1", 1));
        container.replaceItem(
                order("changing", "c1", 2), "changing", key, new CosmosItemRequestOptions());
        container.deleteItem("changing", key, new CosmosItemRequestOptions());

        List<ChangeFeedProcessorItem> changes = new ArrayList<>();
        readAllVersions(
                container,
                CosmosChangeFeedRequestOptions.createForProcessingFromContinuation(now),
                changes);
        List<ChangeFeedOperationType> operations = new ArrayList<>();
        changes.forEach(change -> operations.add(change.getChangeFeedMetaData().getOperationType()));
        expect(
                operations,
                List.of(
                        ChangeFeedOperationType.CREATE,
                        ChangeFeedOperationType.REPLACE,
                        ChangeFeedOperationType.DELETE),
                "operations");
        ChangeFeedMetaData created = changes.get(0).getChangeFeedMetaData();
        ChangeFeedProcessorItem replaced = changes.get(1);
        ChangeFeedProcessorItem deleted = changes.get(2);
        expect(replaced.getCurrent().get("amount").asInt(), 2, "version of a replace");
        expect(replaced.getPrevious().get("amount").asInt(), 1, "previous version of a replace");
        expect(
                replaced.getChangeFeedMetaData().getPreviousLogSequenceNumber(),
                created.getLogSequenceNumber(),
                "LSN of the version before");
        check(deleted.getCurrent().isEmpty(), "a delete has a version: " + deleted.getCurrent());
        expect(deleted.getPrevious().get("amount").asInt(), 2, "previous version of a delete");
        check(
                !deleted.getChangeFeedMetaData().isTimeToLiveExpired(),
                "a delete is taken for the end of a life");
        return changes.size();
    }

    private static String readAllVersions(
            CosmosContainer container,
            CosmosChangeFeedRequestOptions options,
            List<ChangeFeedProcessorItem> changes) {
        String position = null;
        for (FeedResponse<ChangeFeedProcessorItem> page :
                container
                        .queryChangeFeed(
                                options.allVersionsAndDeletes(), ChangeFeedProcessorItem.class)
                        .iterableByPage()) {
            changes.addAll(page.getResults());
            position = page.getContinuationToken();
        }
        check(position != null, "the feed of all versions gave no continuation");
        return position;
    }

    private static CosmosClient client(String endpoint, String key) {
        return new CosmosClientBuilder().endpoint(endpoint).key(key).gatewayMode().buildClient();
    }

    private static void refusesWrongKey(String endpoint) {
        try (CosmosClient client = client(endpoint, "d3Jvbmc=")) {
            client.createDatabase("refused");
        } catch (RuntimeException e) {
            // Building a client reads the account, and wraps what that answers.
            Throwable cause = e instanceof CosmosException ? e : e.getCause();
            check(cause instanceof CosmosException, "a wrong key ended in " + e);
            expect(((CosmosException) cause).getStatusCode(), 401, "status with a wrong key");
            return;
        }
        throw new AssertionError("a wrong key was accepted");
    }

    private static void write(CosmosContainer container) {
        for (int number = 0; number < DOCUMENTS; number++) {
            container.createItem(order("order-" + number, "c" + number % KEYS, number));
        }
        for (int number = 0; number < UPDATED; number++) {
            String id = "order-" + number;
            PartitionKey key = new PartitionKey("c" + number % KEYS);
            ObjectNode order = container.readItem(id, key, ObjectNode.class).getItem();
            order.put("amount", order.get("amount").asInt() + 1000);
            container.replaceItem(order, id, key, new CosmosItemRequestOptions());
        }
        container.deleteItem(
                "order-199", new PartitionKey("c19"), new CosmosItemRequestOptions());
        try {
            container.createItem(order("order-0", "c0", 0));
            throw new AssertionError("a second item of one id was accepted");
        } catch (CosmosException e) {
            expect(e.getStatusCode(), 409, "status of a second item of one id");
        }
        CosmosBatch batch = CosmosBatch.createCosmosBatch(new PartitionKey("c0"));
        batch.createItemOperation(order("b1", "c0", 1));
        batch.upsertItemOperation(order("b2", "c0", 2));
        CosmosBatchResponse response = container.executeCosmosBatch(batch);
        check(response.isSuccessStatusCode(), "the batch failed: " + response.getErrorMessage());
    }

    private static void query(CosmosContainer container, int alive) {
        CosmosQueryRequestOptions ofOneKey =
                new CosmosQueryRequestOptions().setPartitionKey(new PartitionKey("c3"));
        SqlQuerySpec large =
                new SqlQuerySpec(
                        "SELECT * FROM c WHERE c.amount >= @n", new SqlParameter("@n", 1000));
        expect(
                ids(collect(container, large, ofOneKey, JsonNode.class)),
                Set.of("order-3", "order-23"),
                "query of one partition key");
        CosmosQueryRequestOptions all = new CosmosQueryRequestOptions();
        expect(
                collect(container, new SqlQuerySpec("SELECT * FROM c"), all, JsonNode.class).size(),
                alive,
                "query over all partitions");
        expect(
                collect(
                        container,
                        new SqlQuerySpec(
                                "SELECT VALUE c.amount FROM c ORDER BY c.amount DESC"
                                        + " OFFSET 1 LIMIT 3"),
                        all,
                        Integer.class),
                List.of(1028, 1027, 1026),
                "ordered query over all partitions");
        expect(
                collect(
                        container,
                        new SqlQuerySpec("SELECT VALUE COUNT(1) FROM c"),
                        all,
                        Integer.class),
                List.of(alive),
                "count over all partitions");
    }

    private static <T> List<T> collect(
            CosmosContainer container,
            SqlQuerySpec query,
            CosmosQueryRequestOptions options,
            Class<T> type) {
        return container.queryItems(query, options, type).stream().collect(Collectors.toList());
    }

    /** Reads a feed to its end into {@code changes} and returns the position after it. */
    private static String read(
            CosmosContainer container,
            CosmosChangeFeedRequestOptions options,
            List<JsonNode> changes) {
        String position = null;
        for (FeedResponse<JsonNode> page :
                container
                        .queryChangeFeed(options.setMaxItemCount(PAGE), JsonNode.class)
                        .iterableByPage()) {
            int size = page.getResults().size();
            // The two documents of the batch share an LSN and come together.
            check(size <= PAGE + 1, "a page has " + size + " where " + PAGE + " were asked for");
            changes.addAll(page.getResults());
            position = page.getContinuationToken();
        }
        check(position != null, "the feed gave no continuation");
        return position;
    }

    private static ObjectNode order(String id, String customer, int amount) {
        return MAPPER.createObjectNode()
                .put("id", id)
                .put("customer", customer)
                .put("amount", amount);
    }

    private static Set<String> ids(List<JsonNode> documents) {
        Set<String> ids = new HashSet<>();
        documents.forEach(document -> ids.add(document.get("id").asText()));
        return ids;
    }

    private static void expect(Object actual, Object wanted, String what) {
        check(wanted.equals(actual), what + ": " + wanted + " expected, " + actual + " found");
    }

    private static void check(boolean condition, String message) {
        if (!condition) {
            throw new AssertionError(message);
        }
    }
}
