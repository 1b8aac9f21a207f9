// SPDX-License-Identifier: Apache-2.0
//! Writes the corpora anew: `cargo run -p fuzz-targets --example seeds`, after a format has changed.

use std::fs;
use std::path::{Path, PathBuf};

use change_feed::configuration::{Mode, Start};
use change_feed::framing::{SplitSnapshot, encode_splits};
use change_feed::position::{ContainerIdentity, End, Lineage, LineageLsn, Position, Then};
use change_feed::range::EpkRange;
use serde_json::{Value, json};

fn main() {
    pages();
    tokens();
    positions();
    configurations();
    framed();
}

/// Writes a seed that must be taken (`ok-…`) or refused, as its name says.
fn put(corpus: &str, name: &str, bytes: impl AsRef<[u8]>) {
    let folder: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(corpus);
    fs::create_dir_all(&folder).expect("the corpus's folder");
    fs::write(folder.join(name), bytes).expect("a seed");
}

fn pages() {
    put("page", "ok-empty", r#"{"_rid":"r","Documents":[],"_count":0}"#);
    let document = r#"{"id":"a","pk":"x","text":"a \"b\" \\ {[,:é\ud83d\ude00","n":[1,-2.5e3,true,null,{}],"_rid":"r==","_self":"s","_etag":"\"0\"","_ts":1700000000,"_lsn":7}"#;
    put(
        "page",
        "ok-bare",
        format!(r#"{{"Documents":[{document},{document}],"_count":2}}"#),
    );
    let metadata = r#"{"lsn":8,"crts":1700000000,"operationType":"replace","previousImageLSN":7}"#;
    put(
        "page",
        "ok-enveloped",
        format!(
            r#"{{"_count":3,"Documents":[{{"current":{document},"metadata":{metadata}}},
            {{ "metadata" : {metadata}, "previous" : {document} , "current" : {document} }},
            {{"current":{{}},"previous":{document},"metadata":{{"lsn":9,"crts":1700000001,"operationType":"delete","timeToLiveExpired":true,"id":"a","partitionKey":{{"pk":"x"}}}}}}]}}"#
        ),
    );
    put("page", "list", "[[]]");
    put("page", "no-documents", r#"{"_rid":"r"}"#);
    put(
        "page",
        "unknown-operation",
        r#"{"Documents":[{"current":{},"metadata":{"operationType":"purge"}}]}"#,
    );
}

fn tokens() {
    let token = |entries: Value| {
        json!({"op": "ChangeFeed", "rid": "r", "root": {"kind": "unordered_merge", "active_tokens": entries}})
            .to_string()
    };
    let entry = |min: &str, max: &str| json!({"min_epk": min, "max_epk": max, "server_continuation": "\"5\""});
    put("token", "ok-one-range", token(json!([entry("", "FF")])));
    put(
        "token",
        "ok-two-ranges",
        token(json!([entry("", "1FFF"), entry("1FFF", "FF")])),
    );
    let all_versions = json!({"op": "ChangeFeed", "rid": "r", "cfm": true, "root": {"kind": "unordered_merge",
        "start_from": {"kind": "now"}, "active_tokens": [entry("", "1FFF"), entry("1FFF", "FF")]}});
    put("token", "ok-all-versions", all_versions.to_string());
    put("token", "no-range", token(json!([entry("FF", "")])));
    put("token", "list", r#"["r",[[]]]"#);
    put("token", "other-version", "c2.e30");
    put("token", "c1.-not-base64", "c1.!!");
}

fn positions() {
    let lineage_lsn = || LineageLsn {
        lsn: 42,
        lineage: Lineage {
            partition_id: "3".to_owned(),
            range: EpkRange::new("", "7F").expect("a range"),
        },
    };
    let fresh = Position {
        identity: ContainerIdentity {
            endpoint: "https://account.documents.azure.com/".to_owned(),
            database: "shop".to_owned(),
            container: "orders".to_owned(),
            rid: "AAAAAAAAAAA=".to_owned(),
        },
        mode: Mode::LatestVersion,
        range: EpkRange::new("", "3F").expect("a range"),
        generation: 0,
        start: Start::Beginning,
        token: None,
        mark: None,
        reached: None,
        end: None,
        then: None,
    };
    let read = Position {
        generation: 1,
        start: Start::At(1_700_000_000_000),
        token: Some("c1.e30".to_owned()),
        mark: Some(lineage_lsn()),
        end: Some(End::Lsn(lineage_lsn())),
        ..fresh.clone()
    };
    let present_state = Position {
        then: Some(Then {
            token: "c1.e30".to_owned(),
            end: Some(End::Time(1_700_000_000_000)),
        }),
        ..read.clone()
    };
    let all_versions = Position {
        mode: Mode::AllVersionsAndDeletes,
        start: Start::Now,
        mark: None,
        reached: Some(lineage_lsn()),
        ..read.clone()
    };
    for (name, position) in [
        ("ok-fresh", fresh),
        ("ok-read", read.clone()),
        ("ok-present-state", present_state),
        ("ok-all-versions", all_versions),
    ] {
        put("position", name, fuzz_targets::position::seed(&position));
    }
    put("position", "empty", "");
    let mut lower_case = fuzz_targets::position::seed(&read);
    let bound = lower_case.iter().rposition(|byte| *byte == b'F').expect("a bound");
    lower_case[bound] = b'f';
    put("position", "lower-case-bound", lower_case);
}

fn configurations() {
    let options = json!({
        "endpoint": "http://127.0.0.1:8081/", "key": "c2VjcmV0c2VjcmV0c2VjcmV0", "database": "db", "container": "c",
        "mode": "LATEST_VERSION", "startFrom": {"kind": "AT", "epochMillis": 5, "tokens": []}, "stopAt": {"kind": "NEVER", "epochMillis": 0},
        "minSplits": 1, "retentionExpired": "FAIL",
        "pageSize": 1000, "maxBytesInFlight": 67_108_864, "idlePollMinMillis": 100, "idlePollMaxMillis": 1000,
        "itemsWithoutLsn": "FAIL", "startupTimeoutMillis": 1, "requestTimeoutMillis": 1,
        "certificateValidation": "REQUIRED", "applicationName": ""
    });
    put("configuration", "ok-latest-version", options.to_string());
    let mut all_versions = options.clone();
    all_versions["mode"] = json!("ALL_VERSIONS_AND_DELETES");
    all_versions["startFrom"] = json!({"kind": "PRESENT_STATE_THEN_CHANGES", "epochMillis": 0, "tokens": []});
    all_versions["stopAt"] = json!({"kind": "AT", "epochMillis": 5});
    all_versions["retentionExpired"] = json!("START_FROM_NOW");
    put("configuration", "ok-all-versions", all_versions.to_string());
    let mut wrong = options.clone();
    wrong["key"] = json!("c2VjcmV0c2VjcmV0c2VjcmV0!");
    put("configuration", "key-no-base64", wrong.to_string());
    wrong["mode"] = json!("ALL");
    wrong["key"] = json!("ALL_VERSIONS_AND_DELETES");
    put("configuration", "key-of-words-of-the-message", wrong.to_string());
    wrong = options;
    wrong["pageSise"] = json!(1);
    put("configuration", "unknown-option", wrong.to_string());
}

fn framed() {
    let split = |id: &str| SplitSnapshot {
        split_id: id.to_owned(),
        feed_range: "[,FF)".to_owned(),
        position: vec![1, 2, 3],
    };
    put("framing", "ok-none", encode_splits(&[]));
    put("framing", "ok-two", encode_splits(&[split("-FF@0"), split("")]));
    put("framing", "many", u32::MAX.to_le_bytes());
}
