// SPDX-License-Identifier: Apache-2.0
//! What the server has answered for each feed range, by its own log: a reader's counters are those of all its ranges.

use std::collections::HashMap;

use change_feed::Configuration;
use serde_json::Value;
use tokio::runtime::Runtime;

/// The answers of the server that a configuration names.
pub struct Answers {
    requests: String,
    http: reqwest::Client,
    runtime: Runtime,
}

impl Answers {
    pub fn of(configuration: &Configuration) -> Self {
        Self {
            requests: configuration.endpoint.join("/_admin/requests").unwrap().to_string(),
            // The admin interface of a TLS server has the same certificate, which is nobody's business here.
            http: reqwest::Client::builder()
                .tls_danger_accept_invalid_certs(true)
                .build()
                .unwrap(),
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap(),
        }
    }

    /// The number of the last answer.
    pub fn last(&self) -> u64 {
        self.behind(0)
            .last()
            .map_or(0, |answer| answer["seq"].as_u64().unwrap())
    }

    /// How many ranges were told at least twice, behind the answer with this number, that there is nothing new. Who asks a
    /// second time has handled the first answer.
    pub fn twice_nothing_new(&self, number: u64) -> usize {
        let mut told = HashMap::<String, u32>::new();
        for answer in self.behind(number) {
            if answer["kind"] == "changefeed" && answer["status"] == 304 {
                let range = ["partitionKeyRangeId", "startEpk", "endEpk"].map(|name| answer[name].to_string());
                *told.entry(range.join(" ")).or_default() += 1;
            }
        }
        told.values().filter(|times| **times >= 2).count()
    }

    fn behind(&self, number: u64) -> Vec<Value> {
        let url = format!("{}?from={}", self.requests, number + 1);
        let text = self
            .runtime
            .block_on(async { self.http.get(url).send().await.unwrap().text().await.unwrap() });
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}
