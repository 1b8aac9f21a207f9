// SPDX-License-Identifier: Apache-2.0
//! What each class loader loads in place of the core. It maps the core once per process and binds the natives of its
//! class loader's `Natives` to it, then has nothing more to do: the JVM unloads it with the class loader, and the core
//! stays. Why so: docs/decisions/0001-each-class-loader-loads-a-stub-and-the-core-is-mapped-once.md.
//!
//! Built with `--profile stub` (`panic = "abort"`) it knows no std: then an unload leaves neither thread-local keys nor
//! unwind tables of a second std behind. In other profiles it links std, so that the workspace builds and lints as one.
#![cfg_attr(panic = "abort", no_std)]

use core::ffi::{CStr, c_char, c_void};
use core::mem::transmute;
use core::ptr::null_mut;

use jni_sys::{JNI_VERSION_1_8, JNIEnv, JavaVM, jclass, jint, jstring};

/// The number that core, stub and JAR must agree on; `ABI` in jni-bridge and in `NativeVersion`.
const ABI: u32 = 2;

/// `register` in jni-bridge. 0: done; 1: a Java exception is pending; 2: the core speaks another ABI.
type Register = unsafe extern "C" fn(abi: u32, vm: *mut JavaVM, env: *mut JNIEnv, natives: jclass) -> u32;
const REGISTER: &CStr = c"cosmosdb_flink_register";

/// Tells the JVM which JNI this library wants, and touches nothing else: it runs once per class loader.
#[unsafe(no_mangle)]
pub extern "system" fn JNI_OnLoad(_vm: *mut JavaVM, _reserved: *mut c_void) -> jint {
    JNI_VERSION_1_8
}

/// `Natives.bind(String corePath)`: maps the core and lets it register the natives of `natives`. A failure is an
/// `UnsatisfiedLinkError` with the dynamic linker's words.
///
/// # Safety
/// Called by the JVM only, which passes a valid environment, the class and a string or null.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn Java_io_github_cosmosflink_connector_cosmosdb_nativelib_Natives_bind(
    env: *mut JNIEnv,
    natives: jclass,
    core_path: jstring,
) {
    // SAFETY: `env` is this thread's and every pointer comes from the JVM or the dynamic linker and is checked for null;
    // no JNI function is called while an exception is pending.
    unsafe {
        let jni = &(**env).v1_6;
        if core_path.is_null() {
            return link_error(env, c"no path of the native core was given");
        }
        // Modified UTF-8 is the file name's bytes for all but U+0000 and what lies beyond the BMP; dlopen's error names
        // the path that it saw.
        let path = (jni.GetStringUTFChars)(env, core_path, null_mut());
        if path.is_null() {
            return; // OutOfMemoryError is pending.
        }
        // NODELETE: no dlclose, by whomever, may take code away from under tokio's threads. LOCAL: versions live side by
        // side. The same path is found again by name, so a process maps each content once.
        let core = libc::dlopen(path, libc::RTLD_NOW | libc::RTLD_LOCAL | libc::RTLD_NODELETE);
        (jni.ReleaseStringUTFChars)(env, core_path, path);
        if core.is_null() {
            return linker_error(env);
        }
        let register = libc::dlsym(core, REGISTER.as_ptr());
        if register.is_null() {
            return linker_error(env);
        }
        let mut vm = null_mut();
        if (jni.GetJavaVM)(env, &mut vm) != 0 {
            return link_error(env, c"the JVM did not name itself");
        }
        // The handle is kept open on purpose: NODELETE makes a dlclose pointless.
        if transmute::<*mut c_void, Register>(register)(ABI, vm, env, natives) == 2 {
            throw(
                env,
                c"java/lang/IncompatibleClassChangeError",
                c"the native core and its stub are of different ABI numbers",
            );
        }
    }
}

/// # Safety
/// `env` is this thread's and no exception is pending.
unsafe fn linker_error(env: *mut JNIEnv) {
    // SAFETY: dlerror gives null or a string that lives until this thread's next call of the linker.
    unsafe {
        let text: *const c_char = libc::dlerror();
        if text.is_null() {
            link_error(env, c"the dynamic linker failed without a reason");
        } else {
            link_error(env, CStr::from_ptr(text));
        }
    }
}

/// # Safety
/// `env` is this thread's and no exception is pending.
unsafe fn link_error(env: *mut JNIEnv, text: &CStr) {
    // SAFETY: as above.
    unsafe { throw(env, c"java/lang/UnsatisfiedLinkError", text) }
}

/// # Safety
/// `env` is this thread's and no exception is pending.
unsafe fn throw(env: *mut JNIEnv, class: &CStr, text: &CStr) {
    // SAFETY: as above; where the class is not found, FindClass has left an exception of its own.
    unsafe {
        let jni = &(**env).v1_6;
        let class = (jni.FindClass)(env, class.as_ptr());
        if !class.is_null() {
            (jni.ThrowNew)(env, class, text.as_ptr());
        }
    }
}

/// Nothing above panics; `no_std` wants an answer all the same.
#[cfg(panic = "abort")]
#[panic_handler]
fn on_panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    // SAFETY: abort has no precondition.
    unsafe { libc::abort() }
}
