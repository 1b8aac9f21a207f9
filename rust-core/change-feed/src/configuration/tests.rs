// SPDX-License-Identifier: Apache-2.0
use super::*;
use crate::error::Code;
use serde_json::{Value, json};

fn valid() -> Value {
    json!({
        "endpoint": "http://127.0.0.1:8081/", "key": "c2VjcmV0a2V5", "database": "db", "container": "c",
        "mode": "LATEST_VERSION", "startFrom": {"kind": "AT", "epochMillis": 5, "tokens": []}, "stopAt": {"kind": "NEVER", "epochMillis": 0},
        "minSplits": 1, "retentionExpired": "FAIL",
        "pageSize": 1000, "maxBytesInFlight": 67108864, "idlePollMinMillis": 100, "idlePollMaxMillis": 1000,
        "itemsWithoutLsn": "FAIL", "startupTimeoutMillis": 1, "requestTimeoutMillis": 1,
        "certificateValidation": "REQUIRED", "applicationName": ""
    })
}

fn read(value: &Value) -> Result<Configuration> {
    Configuration::from_json(value.to_string().as_bytes())
}

#[test]
fn a_valid_configuration_is_read() {
    let configuration = read(&valid()).unwrap();
    assert_eq!(configuration.mode, Mode::LatestVersion);
    assert_eq!(configuration.start, StartFrom::Each(Start::At(5)));
    assert_eq!(configuration.stop, Stop::Never);
    assert_eq!(configuration.min_splits, 1);
    assert_eq!(configuration.retention_expired, RetentionExpired::Fail);
}

#[test]
fn every_bad_value_is_refused_by_its_name() {
    for (option, value) in [
        ("endpoint", json!("ftp://x")),
        ("endpoint", json!("http://example.com/")),
        ("key", json!("not base64!")),
        ("database", json!("")),
        ("container", json!("a/b")),
        ("mode", json!("ALL")),
        ("pageSize", json!(0)),
        ("pageSize", json!(-1)),
        ("pageSize", json!("many")),
        ("startFrom", json!({"kind": "AT"})),
        ("startFrom", json!({"kind": "LATER"})),
        ("startFrom", json!({"kind": "PRESENT_STATE_THEN_CHANGES"})),
        ("startFrom", json!({"kind": "TOKENS", "tokens": []})),
        ("startFrom", json!({"kind": "TOKENS", "tokens": ["5"]})),
        ("startFrom", json!({"kind": "TOKENS", "tokens": [5]})),
        ("startFrom", json!({"kind": "TOKENS"})),
        ("stopAt", json!({"kind": "NEVER", "extra": 1})),
        ("stopAt", json!({"kind": "AT"})),
        ("stopAt", json!({"kind": "AT", "epochMillis": 4})),
        ("minSplits", json!(0)),
        ("minSplits", json!(100_001)),
        ("retentionExpired", json!("SKIP")),
        ("retentionExpired", json!("START_FROM_NOW")),
        ("pageSise", json!(1)),
        ("maxBytesInFlight", json!(5)),
        ("idlePollMinMillis", json!(2000)),
        ("itemsWithoutLsn", json!("SKIP")),
        ("startupTimeoutMillis", json!(0)),
        ("certificateValidation", json!("MAYBE")),
    ] {
        let mut configuration = valid();
        configuration[option] = value;
        let error = read(&configuration).unwrap_err();
        assert_eq!(error.code, Code::ConfigurationInvalid);
        assert!(error.message.contains(&format!("'{option}")), "{error}");
    }
}

#[test]
fn the_key_is_in_no_message_and_no_debug() {
    let secret = "c2VjcmV0a2V5";
    assert!(!format!("{:?}", read(&valid()).unwrap()).contains(secret));
    for broken in [json!({"key": secret}), json!({"key": [secret]}), json!(secret)] {
        assert!(!read(&broken).unwrap_err().to_string().contains(secret));
    }
    // The portal's connection string in the endpoint's place, and what else an address may hold.
    for endpoint in [
        format!("AccountEndpoint=https://a.documents.azure.com:443/;AccountKey={secret};"),
        format!("https://a.documents.azure.com:443/;AccountKey={secret};"),
        format!("ftp://user:{secret}@a/"),
        format!("http://a/?key={secret}"),
        format!("http://[{secret}"),
        format!("mailto:{secret}"),
        secret.to_owned(),
    ] {
        let mut bad = valid();
        bad["endpoint"] = json!(endpoint);
        match read(&bad) {
            Ok(read) => assert!(!format!("{read:?}").contains(secret), "{read:?}"),
            Err(error) => assert!(!error.to_string().contains(secret), "{error}"),
        }
    }
    let mut bad = valid();
    bad["key"] = json!(format!("{secret}!"));
    assert!(!read(&bad).unwrap_err().to_string().contains(secret));
}

fn all_versions(start: Value) -> Value {
    let mut configuration = valid();
    configuration["mode"] = json!("ALL_VERSIONS_AND_DELETES");
    configuration["startFrom"] = start;
    configuration
}

#[test]
fn all_versions_start_at_the_present_or_behind_it() {
    for (kind, start) in [
        ("NOW", StartFrom::Each(Start::Now)),
        ("PRESENT_STATE_THEN_CHANGES", StartFrom::PresentStateThenChanges),
    ] {
        let configuration = read(&all_versions(json!({"kind": kind, "epochMillis": 0, "tokens": []}))).unwrap();
        assert_eq!(configuration.mode, Mode::AllVersionsAndDeletes);
        assert_eq!(configuration.start, start);
    }
    for kind in ["BEGINNING", "AT"] {
        let error = read(&all_versions(json!({"kind": kind, "epochMillis": 5, "tokens": []}))).unwrap_err();
        assert!(
            error.message.contains("'startFrom.kind'") && error.message.contains(kind),
            "{error}"
        );
    }
}

#[test]
fn a_fallback_for_an_expired_retention_is_read() {
    for (text, fallback) in [
        ("FAIL", RetentionExpired::Fail),
        ("START_FROM_NOW", RetentionExpired::StartFromNow),
        ("PRESENT_STATE_THEN_CHANGES", RetentionExpired::PresentStateThenChanges),
    ] {
        let mut configuration = all_versions(json!({"kind": "NOW"}));
        configuration["retentionExpired"] = json!(text);
        assert_eq!(read(&configuration).unwrap().retention_expired, fallback);
    }
}

#[test]
fn tokens_are_of_the_configured_mode() {
    let tokens = json!({"kind": "TOKENS", "epochMillis": 0, "tokens": [crate::token::tests::token(
        r#"{"op":"ChangeFeed","rid":"r","root":{"kind":"unordered_merge","active_tokens":[
            {"min_epk":"","max_epk":"FF","server_continuation":"1"}]}}"#,
    )]});
    let mut configuration = valid();
    configuration["startFrom"] = tokens.clone();
    assert!(matches!(read(&configuration).unwrap().start, StartFrom::Tokens(saved) if saved.len() == 1));
    let error = read(&all_versions(tokens)).unwrap_err();
    assert!(
        error.message.contains("'startFrom.tokens'") && error.message.contains("token 1 of mode LATEST_VERSION"),
        "{error}"
    );
}

#[test]
fn an_end_in_time_is_read() {
    let mut configuration = valid();
    configuration["stopAt"] = json!({"kind": "AT", "epochMillis": 6});
    assert_eq!(read(&configuration).unwrap().stop, Stop::At(6));
}
