// SPDX-License-Identifier: Apache-2.0
//! What a process has cost so far.

/// CPU seconds of this process, user and system.
pub fn seconds() -> Result<f64, String> {
    let stat = std::fs::read_to_string("/proc/self/stat").map_err(|error| error.to_string())?;
    // The name of the program, in parentheses, may hold spaces.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |index: usize| -> Result<f64, String> {
        fields
            .get(index)
            .and_then(|field| field.parse().ok())
            .ok_or_else(|| "/proc/self/stat".to_owned())
    };
    // Linux counts these in hundredths of a second for every program.
    Ok((ticks(11)? + ticks(12)?) / 100.0)
}
