# SPDX-License-Identifier: Apache-2.0
"""Writes to a container and reads its change feed with Microsoft's Python SDK.

Takes endpoint and key as arguments; prints one line of JSON, or ends with an error that names what is wrong.
"""

import collections
import json
import sys

from azure.cosmos import CosmosClient, PartitionKey
from azure.cosmos.exceptions import CosmosHttpResponseError, CosmosResourceExistsError

DOCUMENTS, KEYS, UPDATED, PAGE = 200, 20, 30, 25


def expect(actual, wanted, what):
    if actual != wanted:
        raise AssertionError(f"{what}: {wanted!r} expected, {actual!r} found")


def read_changes(container, **start):
    """Reads the feed to its end in pages and returns (documents in order, continuation)."""
    pages = container.query_items_change_feed(max_item_count=PAGE, **start).by_page()
    documents = []
    for page in pages:
        items = list(page)
        # The two documents of the batch share an LSN and come together.
        if len(items) > PAGE + 1:
            raise AssertionError(f"a page of {len(items)} where {PAGE} were asked for")
        documents.extend(items)
        if not items:
            break
    return documents, container.client_connection.last_response_headers["etag"]


def read_all_versions(container):
    """Reads all versions and deletes of one order and returns how many there are."""
    mode = "AllVersionsAndDeletes"
    none, position = read_changes(container, start_time="Now", mode=mode, partition_key="c1")
    expect(none, [], "changes from now on")
    container.create_item({"id": "changing", "customer": "c1", "amount": 1})
    container.replace_item("changing", {"id": "changing", "customer": "c1", "amount": 2})
    container.delete_item("changing", "c1")
    changes, _ = read_changes(container, continuation=position)
    operations = [change["metadata"]["operationType"] for change in changes]
    expect(operations, ["create", "replace", "delete"], "operations")
    created, replaced, deleted = changes
    expect(replaced["current"]["amount"], 2, "version of a replace")
    expect(replaced["previous"]["amount"], 1, "previous version of a replace")
    expect(replaced["metadata"]["previousImageLSN"], created["metadata"]["lsn"], "LSN of the version before")
    expect(deleted["metadata"]["id"], "changing", "id of a delete")
    expect(deleted["metadata"]["partitionKey"], {"customer": "c1"}, "partition key of a delete")
    return len(changes)


def main(endpoint, key):
    try:
        CosmosClient(endpoint, "d3Jvbmc=").create_database("refused")
    except CosmosHttpResponseError as error:
        expect(error.status_code, 401, "status with a wrong key")
    else:
        raise AssertionError("a wrong key was accepted")

    client = CosmosClient(endpoint, key)
    database = client.create_database("python")
    container = database.create_container("orders", PartitionKey("/customer"), offer_throughput=21000)
    ranges = list(container.read_feed_ranges())
    if len(ranges) < 3:
        raise AssertionError(f"21,000 RU/s should give 3 partitions, found {len(ranges)}")

    for number in range(DOCUMENTS):
        container.create_item({"id": f"order-{number}", "customer": f"c{number % KEYS}", "amount": number})
    for number in range(UPDATED):
        item = container.read_item(f"order-{number}", f"c{number % KEYS}")
        item["amount"] += 1000
        container.replace_item(item["id"], item)
    container.delete_item("order-199", "c19")
    try:
        container.create_item({"id": "order-0", "customer": "c0"})
    except CosmosResourceExistsError:
        pass
    else:
        raise AssertionError("a second item of one id was accepted")
    batch = [
        ("create", ({"id": "b1", "customer": "c0", "amount": 1},)),
        ("upsert", ({"id": "b2", "customer": "c0", "amount": 2},)),
    ]
    results = container.execute_item_batch(batch, "c0")
    expect([result["statusCode"] for result in results], [201, 201], "statuses of the batch")

    alive = DOCUMENTS - 1 + 2
    one = list(container.query_items("SELECT * FROM c WHERE c.amount >= @n", [{"name": "@n", "value": 1000}], "c3"))
    expect(sorted(item["id"] for item in one), ["order-23", "order-3"], "query of one partition key")
    everything = list(container.query_items("SELECT * FROM c", enable_cross_partition_query=True))
    expect(len(everything), alive, "query over all partitions")
    ordered = container.query_items(
        "SELECT c.amount FROM c ORDER BY c.amount DESC OFFSET 1 LIMIT 3", enable_cross_partition_query=True
    )
    expect([item["amount"] for item in ordered], [1028, 1027, 1026], "ordered query over all partitions")
    counted = list(container.query_items("SELECT VALUE COUNT(1) FROM c", enable_cross_partition_query=True))
    expect(counted, [alive], "count over all partitions")

    seen = []
    positions = []
    for feed_range in ranges:
        documents, position = read_changes(container, start_time="Beginning", feed_range=feed_range)
        lsns = [document["_lsn"] for document in documents]
        expect(lsns, sorted(lsns), "order of LSNs in a range")
        seen.extend(documents)
        positions.append(position)
    counts = collections.Counter(document["id"] for document in seen)
    expect(len(counts), alive, "distinct documents in the feed")
    expect(max(counts.values()), 1, "times a document comes in the latest-version feed")
    amounts = {document["id"]: document["amount"] for document in seen}
    expect(amounts["order-29"], 1029, "version of an updated document")
    of_one_key, _ = read_changes(container, start_time="Beginning", partition_key="c7")
    expect(len(of_one_key), DOCUMENTS // KEYS, "documents in the feed of one partition key")

    container.upsert_item({"id": "late", "customer": "c5", "amount": 5})
    late = []
    for position in positions:
        late.extend(document["id"] for document in read_changes(container, continuation=position)[0])
    expect(late, ["late"], "documents after the continuation")

    changes = read_all_versions(container)

    client.delete_database("python")
    line = {"program": "python", "read": len(seen), "ranges": len(ranges), "resumed": len(late), "changes": changes}
    print(json.dumps(line))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
