// SPDX-License-Identifier: Apache-2.0

//! Queries in pages over a real socket.

mod common;

use common::{Answer, Client, Local, ids};
use serde_json::json;

const DOCUMENTS: u32 = 30;

fn filled(local: &Local) -> Client {
    let client = local.container(1);
    for number in 0..DOCUMENTS {
        let document =
            json!({"id": format!("i{number}"), "pk": format!("p{number}"), "n": number, "group": number % 2});
        assert_eq!(client.upsert(&document).status, 201);
    }
    client
}

fn query(client: &Client, text: &str, range: &str, page: &str, continuation: Option<&str>) -> Answer {
    let mut headers = vec![
        ("x-ms-documentdb-isquery", "True"),
        ("content-type", "application/query+json"),
        ("x-ms-documentdb-partitionkeyrangeid", range),
        ("x-ms-max-item-count", page),
    ];
    headers.extend(continuation.map(|token| ("x-ms-continuation", token)));
    let body = json!({"query": text}).to_string();
    let answer = client.send("POST", "/dbs/db/colls/c/docs", &headers, body.as_bytes());
    assert_eq!(answer.status, 200, "{answer:?}");
    answer
}

fn continuation(answer: &Answer) -> Option<String> {
    answer.headers.get("x-ms-continuation").cloned()
}

/// All results of a query in one partition, page by page from a continuation on.
fn drain(client: &Client, text: &str, range: &str, page: &str, from: Option<String>) -> Vec<String> {
    let mut found = Vec::new();
    let mut next = from;
    loop {
        let answer = query(client, text, range, page, next.as_deref());
        found.extend(ids(&answer.documents()));
        next = continuation(&answer);
        if next.is_none() {
            return found;
        }
    }
}

#[test]
fn pages_make_up_the_whole() {
    let local = Local::start();
    let client = filled(&local);
    for text in [
        "SELECT * FROM c",
        "SELECT * FROM c WHERE c.group = 1",
        "SELECT c.id FROM c WHERE c.n >= 5 OFFSET 3 LIMIT 11",
        "SELECT TOP 7 * FROM c",
        "SELECT * FROM c ORDER BY c.group DESC",
    ] {
        let whole = drain(&client, text, "0", "-1", None);
        assert!(!whole.is_empty(), "{text}");
        for page in ["1", "4", "1000"] {
            assert_eq!(
                drain(&client, text, "0", page, None),
                whole,
                "{text} in pages of {page}"
            );
        }
    }
}

#[test]
fn the_last_page_has_no_continuation() {
    let local = Local::start();
    let client = filled(&local);
    for (text, page) in [
        ("SELECT * FROM c", "30"),
        ("SELECT * FROM c WHERE c.group = 0", "15"),
        ("SELECT * FROM c OFFSET 2 LIMIT 5", "5"),
    ] {
        assert_eq!(continuation(&query(&client, text, "0", page, None)), None, "{text}");
    }
}

#[test]
fn what_sorts_alike_is_in_the_order_of_creation() {
    let local = Local::start();
    let client = filled(&local);
    let odd: Vec<String> = (0..DOCUMENTS).filter(|n| n % 2 == 1).map(|n| format!("i{n}")).collect();
    let ascending = drain(&client, "SELECT * FROM c ORDER BY c.group", "0", "-1", None);
    assert_eq!(ascending[15..], odd);
    let mut descending = drain(&client, "SELECT * FROM c ORDER BY c.group DESC", "0", "-1", None);
    descending.truncate(15);
    descending.reverse();
    assert_eq!(descending, odd);
}

/// The parent's continuation is good for both children: nothing is left out, nothing comes again.
#[test]
fn a_query_goes_on_in_the_children_of_a_split() {
    let local = Local::start();
    let client = filled(&local);
    for (text, wanted) in [
        ("SELECT * FROM c", 30),
        ("SELECT * FROM c WHERE c.group = 1", 15),
        ("SELECT * FROM c OFFSET 0 LIMIT 1000", 30),
    ] {
        let parents = client.partitions();
        let mut found = Vec::new();
        let mut positions = Vec::new();
        for parent in &parents {
            let first = query(&client, text, parent, "4", None);
            found.extend(ids(&first.documents()));
            positions.push(continuation(&first));
        }
        for (parent, position) in parents.iter().zip(positions) {
            let split = client.admin("POST", "containers/db/c/split", &json!({"partition": parent}));
            assert_eq!(split.status, 200, "{split:?}");
            for child in split.json()["children"].as_array().unwrap() {
                if let Some(position) = &position {
                    let child = child.as_str().unwrap();
                    found.extend(drain(&client, text, child, "4", Some(position.clone())));
                }
            }
        }
        found.sort_unstable();
        let all = found.len();
        found.dedup();
        assert_eq!((found.len(), all), (wanted, wanted), "{text}");
    }
}

/// A sorted query goes on where it was, in each of the partitions that its own became.
#[test]
fn a_sorted_query_resumes_in_the_children_of_its_partition() {
    let local = Local::start();
    let client = local.container(1);
    for n in 0..30 {
        // Three documents of each value of `n`, spread over the keys.
        client.upsert(&json!({"id": format!("i{n}"), "pk": format!("p{n}"), "n": n / 3}));
    }
    for (order, first) in [("ASC", 0), ("DESC", 9)] {
        let query = json!({"query": format!("SELECT * FROM c ORDER BY c.n {order}")}).to_string();
        let page = |range: &str, token: Option<&str>| {
            let mut headers = vec![
                ("x-ms-documentdb-isquery", "True"),
                ("content-type", "application/query+json"),
                ("x-ms-max-item-count", "4"),
                ("x-ms-documentdb-partitionkeyrangeid", range),
            ];
            headers.extend(token.map(|token| ("x-ms-continuation", token)));
            let answer = client.send("POST", "/dbs/db/colls/c/docs", &headers, query.as_bytes());
            assert_eq!(answer.status, 200, "{answer:?}");
            (answer.documents(), answer.headers.get("x-ms-continuation").cloned())
        };
        let parent = client.partitions().remove(0);
        let (mut found, token) = page(&parent, None);
        assert_eq!(found[0]["n"], first);
        let split = client.admin("POST", "containers/db/c/split", &json!({"partition": parent}));
        let children = split.json()["children"].clone();
        for child in children.as_array().unwrap() {
            let mut token = token.clone();
            let mut of_child = Vec::new();
            while let Some(position) = token {
                let (documents, next) = page(child.as_str().unwrap(), Some(&position));
                of_child.extend(documents);
                token = next;
            }
            let values: Vec<_> = of_child
                .iter()
                .map(|document| document["n"].as_u64().unwrap())
                .collect();
            let sorted = if order == "ASC" {
                values.is_sorted()
            } else {
                values.iter().rev().is_sorted()
            };
            assert!(sorted, "{values:?}");
            found.extend(of_child);
        }
        let mut ids = ids(&found);
        ids.sort();
        ids.dedup();
        assert_eq!((found.len(), ids.len()), (30, 30), "{order}");
        let merge = json!({"partitions": children});
        assert_eq!(client.admin("POST", "containers/db/c/merge", &merge).status, 200);
    }
}
