// SPDX-License-Identifier: Apache-2.0

//! Signatures of requests with the account key.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use percent_encoding::percent_decode_str;
use sha2::Sha256;

use crate::engine::Request;

/// Cosmos's public, well-known emulator key; it protects nothing.
pub const EMULATOR_KEY: &str =
    "C2y6yDjf5/R+ob0N8A7Cgv30VRDJIWEHLM+4QDU5DE2nQ9nDuVTqobD4b8mGGyPMbIZnqyMsEcaGQy67XIw/Jw==";

/// The account key, decoded. It is never printed.
#[derive(Clone)]
pub struct AccountKey(Vec<u8>);

impl fmt::Debug for AccountKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("AccountKey(..)")
    }
}

impl AccountKey {
    /// Reads a key in base64; the error does not repeat it.
    pub fn parse(text: &str) -> Result<Self, String> {
        match STANDARD.decode(text.trim()) {
            Ok(bytes) if !bytes.is_empty() => Ok(Self(bytes)),
            _ => Err("the key is no base64 text".to_owned()),
        }
    }

    /// Whether a request is signed with this key.
    ///
    /// Resources named by RID are signed with the RID alone in lower case, others with their path; both are
    /// tried, because a path does not tell which of the two it is.
    pub fn signed(&self, request: &Request) -> bool {
        let Some(signature) = signature(request) else {
            return false;
        };
        let date = request
            .header("x-ms-date")
            .or_else(|| request.header("date"))
            .unwrap_or_default()
            .to_lowercase();
        let method = request.method.as_str().to_lowercase();
        resources(&request.path).into_iter().any(|(kind, link)| {
            let text = format!("{method}\n{kind}\n{link}\n{date}\n\n");
            let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("a key of any length does");
            mac.update(text.as_bytes());
            mac.verify_slice(&signature).is_ok()
        })
    }
}

fn signature(request: &Request) -> Option<Vec<u8>> {
    let header = request.header("authorization")?;
    let header = percent_decode_str(header).decode_utf8_lossy();
    let mut parts = header.split('&').map(|part| part.split_once('='));
    if !parts.clone().any(|part| part == Some(("type", "master"))) {
        return None;
    }
    let (_, signature) = parts.find_map(|part| part.filter(|(name, _)| *name == "sig"))?;
    STANDARD.decode(signature).ok()
}

/// Pairs of resource type and resource link that a client may have signed for a path.
fn resources(path: &str) -> Vec<(String, String)> {
    let raw = path.trim_matches('/');
    let decoded = percent_decode_str(raw).decode_utf8_lossy().into_owned();
    let mut found = Vec::with_capacity(4);
    for text in [raw.to_owned(), decoded] {
        let segments: Vec<&str> = text.split('/').filter(|part| !part.is_empty()).collect();
        let (kind, link) = match segments.as_slice() {
            [] => (String::new(), String::new()),
            [.., last] if segments.len() % 2 == 1 => ((*last).to_owned(), segments[..segments.len() - 1].join("/")),
            segments => (segments[segments.len() - 2].to_owned(), segments.join("/")),
        };
        let rid = link.rsplit('/').next().unwrap_or_default().to_lowercase();
        found.push((kind.clone(), link));
        found.push((kind, rid));
    }
    found
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderMap, HeaderValue, Method};

    use super::*;

    fn signed(key: &str, path: &str, link: &str, kind: &str) -> Request {
        let date = "thu, 27 apr 2017 00:51:12 gmt";
        let mut mac = Hmac::<Sha256>::new_from_slice(&STANDARD.decode(key).unwrap()).unwrap();
        mac.update(format!("get\n{kind}\n{link}\n{date}\n\n").as_bytes());
        let signature = STANDARD.encode(mac.finalize().into_bytes());
        let header = format!("type=master&ver=1.0&sig={signature}")
            .replace('=', "%3D")
            .replace('&', "%26")
            .replace('+', "%2B");
        let mut headers = HeaderMap::new();
        headers.insert("x-ms-date", HeaderValue::from_static("Thu, 27 Apr 2017 00:51:12 GMT"));
        headers.insert("authorization", HeaderValue::from_str(&header).unwrap());
        Request {
            method: Method::GET,
            path: path.to_owned(),
            headers,
            body: Bytes::new(),
            replica: false,
            locations: Vec::new(),
        }
    }

    #[test]
    fn names_rids_and_feeds_are_recognised() {
        let key = AccountKey::parse(EMULATOR_KEY).unwrap();
        for (path, link, kind) in [
            ("/", "", ""),
            ("/dbs/Db", "dbs/Db", "dbs"),
            ("/dbs/Db/colls/C/docs", "dbs/Db/colls/C", "docs"),
            ("/dbs/a%20b/colls/C", "dbs/a b/colls/C", "colls"),
            ("/dbs/AAAAAQ==/colls/AAAAAYAAAAE=/docs", "aaaaayaaaae=", "docs"),
        ] {
            assert!(key.signed(&signed(EMULATOR_KEY, path, link, kind)), "{path}");
        }
    }

    #[test]
    fn another_key_or_another_resource_is_refused() {
        let key = AccountKey::parse(EMULATOR_KEY).unwrap();
        assert!(!key.signed(&signed("AAAA", "/dbs/Db", "dbs/Db", "dbs")));
        assert!(!key.signed(&signed(EMULATOR_KEY, "/dbs/Db", "dbs/Other", "dbs")));
        assert_eq!(format!("{key:?}"), "AccountKey(..)");
        assert!(AccountKey::parse("not base64!").is_err());
    }
}
