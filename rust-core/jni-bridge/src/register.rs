// SPDX-License-Identifier: Apache-2.0
//! The one symbol that the core exports: what the stub of each class loader calls.

use jni::objects::JClass;
use jni::sys::{JNIEnv, jclass};
use jni::{EnvUnowned, JavaVM};
use once_cell::sync::OnceCell;

use change_feed::{Code, Error};

use crate::errors::{NativeError, ThrowChangeFeedException};
use change_feed::panics;

use crate::natives;

/// The number that core, stub and JAR must agree on; `ABI` in jni-stub and in `NativeVersion`. Raised with every change of
/// docs/native-interface.md that an older half would misunderstand.
pub const ABI: u32 = 2;

const REGISTERED: u32 = 0;
const EXCEPTION_PENDING: u32 = 1;
const OTHER_ABI: u32 = 2;

/// The VM that the first stub passed in. There is one a process; a second would make every handle ambiguous.
static VM: OnceCell<JavaVM> = OnceCell::new();

/// Registers the natives of a class loader's `Natives`. 0: done; 1: a Java exception is pending; 2: the stub speaks another
/// ABI, and nothing was touched.
///
/// # Safety
/// `vm` and `env` are the JVM's own, `env` the calling thread's, `natives` a reference that is valid during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cosmosdb_flink_register(
    abi: u32,
    vm: *mut jni::sys::JavaVM,
    env: *mut JNIEnv,
    natives: jclass,
) -> u32 {
    if abi != ABI {
        return OTHER_ABI;
    }
    panics::install_hook();
    // SAFETY: the caller's promise; the environment does not outlive the call.
    let mut unowned = unsafe { EnvUnowned::from_raw(env) };
    let registered = unowned
        .with_env(|env| -> Result<bool, NativeError> {
            // SAFETY: the caller's promise.
            let known = VM.get_or_init(|| unsafe { JavaVM::from_raw(vm) });
            if known.get_raw() != vm {
                return Err(Error::new(Code::Internal, "the core serves another JVM of this process").into());
            }
            // SAFETY: the caller's promise; the JVM owns the reference and frees it after the native call.
            let class = unsafe { JClass::from_raw(env, natives) };
            natives::register(env, &class)?;
            Ok(true)
        })
        .resolve::<ThrowChangeFeedException>();
    if registered { REGISTERED } else { EXCEPTION_PENDING }
}
