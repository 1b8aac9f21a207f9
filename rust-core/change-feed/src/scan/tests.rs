// SPDX-License-Identifier: Apache-2.0
use super::*;
use proptest::prelude::*;

fn read(json: &str) -> (Bytes, Vec<Item>) {
    read_as(json, Mode::LatestVersion)
}

fn read_as(json: &str, mode: Mode) -> (Bytes, Vec<Item>) {
    let body = Bytes::copy_from_slice(json.as_bytes());
    let items = items(&body, mode).unwrap();
    (body, items)
}

fn text(body: &Bytes, span: Span) -> &str {
    std::str::from_utf8(&body[span.offset as usize..(span.offset + span.len) as usize]).unwrap()
}

#[test]
fn enveloped_items_are_read_in_any_order_of_keys() {
    let (body, items) = read(
        r#"{"_count":2,"Documents":[
            {"metadata":{"operationType":"replace","lsn":7,"crts":9},"current":{"_etag":"\"e1\"","id":"a","_ts":5,"_lsn":7}},
            {"current":{"id":"b","_lsn":8,"_ts":6,"metadata":"mine"}}],"_rid":"r"}"#,
    );
    assert_eq!(items.len(), 2);
    assert_eq!(items[0].lsn, Some(7));
    assert_eq!(items[0].timestamp_millis, Some(5000));
    assert_eq!(items[0].operation, Operation::Replace);
    assert_eq!(text(&body, items[0].etag), r#"\"e1\""#);
    assert_eq!(text(&body, items[0].id), "a");
    assert_eq!(
        text(&body, items[0].document),
        r#"{"_etag":"\"e1\"","id":"a","_ts":5,"_lsn":7}"#
    );
    assert_eq!(items[1].lsn, Some(8));
    assert_eq!(items[1].etag, Span::default());
}

#[test]
fn a_bare_document_with_fields_named_like_the_envelope_stays_whole() {
    let (body, items) = read(
        r#"{"Documents":[{"id":"a","current":{"x":1},"metadata":"text","_rid":"r","_lsn":3,"_ts":1,"_etag":"e"}]}"#,
    );
    assert!(text(&body, items[0].document).contains("\"metadata\":\"text\""));
    assert_eq!(items[0].lsn, Some(3));
}

#[test]
fn a_field_of_the_users_named_like_the_lsn_says_nothing() {
    for theirs in ["7", "\"x\"", "1.5", "null", "{}"] {
        let document = format!(r#"{{"id":"a","_lsn":{theirs},"_ts":5}}"#);
        let (body, items) = read(&format!(
            r#"{{"Documents":[{{"current":{document},"metadata":{{"lsn":9}}}}]}}"#
        ));
        assert_eq!((items[0].lsn, text(&body, items[0].document)), (Some(9), &*document));
    }
}

#[test]
fn every_change_of_the_all_versions_mode_is_read_with_what_it_says() {
    let (body, items) = read_as(
        r#"{"Documents":[
            {"current":{"id":"a","v":1,"_ts":5,"_etag":"e1"},"metadata":{"lsn":1,"crts":9,"operationType":"create"}},
            {"current":{"id":"a","v":2,"_ts":6},"previous":{"id":"a","v":1,"_ts":5},
             "metadata":{"lsn":2,"crts":9,"operationType":"replace","previousImageLSN":1}},
            {"current":{},"previous":{"id":"a","v":2,"_ts":6},
             "metadata":{"lsn":3,"crts":7,"operationType":"delete","id":"a","partitionKey":["x",{},null,1.5]}},
            {"metadata":{"lsn":4,"crts":8,"operationType":"delete","timeToLiveExpired":true,"id":"q\"\u00e4"}}]}"#,
        Mode::AllVersionsAndDeletes,
    );
    let operations: Vec<Operation> = items.iter().map(|item| item.operation).collect();
    use Operation::{Create, Delete, Replace};
    assert_eq!(operations, [Create, Replace, Delete, Delete]);
    let ids: Vec<&str> = items.iter().map(|item| text(&body, item.id)).collect();
    assert_eq!(ids, ["a", "a", "a", r#"q\"\u00e4"#]);
    let lsns: Vec<Option<i64>> = items.iter().map(|item| item.lsn).collect();
    assert_eq!(lsns, [Some(1), Some(2), Some(3), Some(4)]);
    let times: Vec<Option<i64>> = items.iter().map(|item| item.timestamp_millis).collect();
    assert_eq!(times, [Some(5000), Some(6000), Some(7000), Some(8000)]);
    assert_eq!(text(&body, items[1].previous), r#"{"id":"a","v":1,"_ts":5}"#);
    assert_eq!(text(&body, items[2].previous), r#"{"id":"a","v":2,"_ts":6}"#);
    assert_eq!(
        (items[2].document, items[3].document),
        (Span::default(), Span::default())
    );
    assert_eq!(text(&body, items[2].partition_key), r#"["x",{},null,1.5]"#);
    assert_eq!(items[0].partition_key, Span::default());
    assert!(items[3].time_to_live_expired && !items[2].time_to_live_expired);
}

#[test]
fn what_is_left_of_a_deleted_document_is_not_its_content() {
    let (body, items) = read_as(
        r#"{"Documents":[{"current":{"id":"a","pk":"x"},"metadata":{"lsn":4,"crts":2,"operationType":"delete"}}]}"#,
        Mode::AllVersionsAndDeletes,
    );
    assert_eq!(items[0].document, Span::default());
    assert_eq!(text(&body, items[0].id), "a");
}

#[test]
fn latest_versions_are_not_taken_for_all_of_them() {
    for latest in [
        r#"{"Documents":[{"id":"a","_rid":"r","_lsn":3}]}"#,
        r#"{"Documents":[{"current":{"id":"a"},"metadata":{"lsn":3}}]}"#,
    ] {
        let body = Bytes::copy_from_slice(latest.as_bytes());
        assert_eq!(items(&body, Mode::LatestVersion).unwrap().len(), 1);
        let error = items(&body, Mode::AllVersionsAndDeletes).unwrap_err();
        assert!(error.message.contains("operation type"), "{error}");
    }
}

#[test]
fn what_is_no_page_is_refused_without_quoting_documents() {
    for bad in [
        "",
        "[]",
        "[[]]",
        "{}",
        r#"{"Documents":[1]}"#,
        r#"{"Documents":[["rid"]]}"#,
        r#"{"Documents":[{"current":["secretvalue"]}]}"#,
        r#"{"Documents":[{"secretfield":"secretvalue"}]}"#,
        r#"{"Documents":[{"metadata":{"operationType":"purge"},"current":{}}]}"#,
        r#"{"Documents":[{"metadata":{"operationType":3},"current":{"id":"a"}}]}"#,
        r#"{"Documents":[{"metadata":{"operationType":"create"},"current":{}}]}"#,
        r#"{"Documents":[{"metadata":{"lsn":1}}]}"#,
        r#"{"Documents":[{"current":{"_lsn":"secretvalue"}}]}"#,
    ] {
        let error = items(&Bytes::copy_from_slice(bad.as_bytes()), Mode::LatestVersion).unwrap_err();
        assert_eq!(error.code, Code::PageMalformed, "{bad}");
        assert!(!error.message.contains("secretvalue"), "{error}");
    }
}

proptest! {
    #[test]
    fn noise_never_panics(noise in ".{0,200}") {
        let _ = items(&Bytes::from(noise), Mode::AllVersionsAndDeletes);
    }
}
