// SPDX-License-Identifier: Apache-2.0
//! The account key's signature of a request, as the service's documentation of its REST interface says it.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, Mac};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::Sha256;

/// The value of the `authorization` header. `link` is the resource without its leading slash, `date` the value of the
/// `x-ms-date` header.
pub fn authorization(
    key: &str,
    method: &str,
    resource_type: &str,
    link: &str,
    date: &str,
) -> Result<String, &'static str> {
    let key = BASE64_STANDARD.decode(key).map_err(|_| "the key is not base64")?;
    let text = format!(
        "{}\n{}\n{link}\n{}\n\n",
        method.to_lowercase(),
        resource_type.to_lowercase(),
        date.to_lowercase()
    );
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).map_err(|_| "the key has no bytes")?;
    mac.update(text.as_bytes());
    let signature = BASE64_STANDARD.encode(mac.finalize().into_bytes());
    Ok(utf8_percent_encode(&format!("type=master&ver=1.0&sig={signature}"), NON_ALPHANUMERIC).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_the_example_of_the_documentation() {
        let signed = authorization(
            "dsZQi3KtZmCv1ljt3VNWNm7sQUF1y5rJfC6kv5JiwvW0EndXdDku/dkKBp8/ufDToSxLzR4y+O/0H/t4bQtVNw==",
            "GET",
            "dbs",
            "dbs/ToDoList",
            "Thu, 27 Apr 2017 00:51:12 GMT",
        );
        assert_eq!(
            signed.as_deref(),
            Ok("type%3Dmaster%26ver%3D1%2E0%26sig%3Dc09PEVJrgp2uQRkr934kFbTqhByc7TVr3OHyqlu%2Bc%2Bc%3D")
        );
    }

    #[test]
    fn refuses_a_key_that_is_not_base64_without_showing_it() {
        assert_eq!(
            authorization("not base64!", "GET", "dbs", "", ""),
            Err("the key is not base64")
        );
    }
}
