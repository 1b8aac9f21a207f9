// SPDX-License-Identifier: Apache-2.0
//! What was done to a document, and the version before it.

use super::truth::Truth;
use super::{Emissions, Samples};
use crate::change_log::{Operation, bare_etag};
use crate::committed::ChangeOperation;

/// Changes whose operation or previous version is not the log's. What was read as present state says neither.
pub fn mistold(truth: &Truth, emissions: &Emissions<'_>, samples: &mut Samples) -> u64 {
    let mut mistold = 0;
    for emission in emissions.all.iter().filter(|emission| emission.change.op.is_known()) {
        let version = &truth.versions[emission.version];
        let before = version
            .previous
            .map(|previous| &truth.versions[previous])
            .filter(|previous| !previous.is_delete());
        let operation = match (version.op, before) {
            (Operation::Delete, _) => ChangeOperation::Delete,
            (_, None) => ChangeOperation::Create,
            (_, Some(_)) => ChangeOperation::Replace,
        };
        let told = emission.change.previous_etag.as_deref().map(bare_etag);
        if emission.change.op != operation || told != before.map(|before| before.etag.as_str()) {
            mistold += 1;
            samples.add("mistold", emission.change);
        }
    }
    mistold
}
