// SPDX-License-Identifier: Apache-2.0
//! How tests make a native panic, to see that each turns a panic into an exception.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use change_feed::{Code, Error, Result};
use jni::sys::jlong;
use parking_lot::Mutex;

use crate::natives::NAMES;

/// How many are armed: all that an ordinary call looks at.
static COUNT: AtomicUsize = AtomicUsize::new(0);
static ARMED: Mutex<Vec<Fault>> = Mutex::new(Vec::new());

struct Fault {
    /// 0: whichever comes first.
    session: jlong,
    native: &'static str,
}

/// Lets the native panic at its next call with the session. `INTERNAL` when no native has that name.
pub fn arm(session: jlong, native: &str) -> Result<()> {
    let native = NAMES
        .iter()
        .find(|name| **name == native)
        .ok_or_else(|| Error::new(Code::Internal, format!("there is no native '{native}'")))?;
    let mut armed = ARMED.lock();
    armed.push(Fault { session, native });
    COUNT.store(armed.len(), Relaxed);
    Ok(())
}

/// Panics when the native is armed for the session; a fault strikes once.
pub fn strike(session: jlong, native: &'static str) {
    if COUNT.load(Relaxed) == 0 {
        return;
    }
    let mut armed = ARMED.lock();
    let found = armed
        .iter()
        .position(|fault| fault.native == native && (fault.session == 0 || fault.session == session));
    if let Some(index) = found {
        armed.remove(index);
        COUNT.store(armed.len(), Relaxed);
        drop(armed);
        panic!("{native} was asked to panic");
    }
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use super::*;

    #[test]
    fn a_fault_strikes_its_session_once() {
        arm(7, "metrics").unwrap();
        strike(8, "metrics");
        strike(7, "poll");
        assert!(catch_unwind(|| strike(7, "metrics")).is_err());
        strike(7, "metrics");
    }

    #[test]
    fn session_0_is_any() {
        arm(0, "identity").unwrap();
        assert!(catch_unwind(|| strike(0, "identity")).is_err());
    }

    #[test]
    fn an_unknown_native_is_refused() {
        assert!(arm(0, "bind").is_err());
    }
}
