// SPDX-License-Identifier: Apache-2.0
//! The natives, one function each. A function does three things: it reads its arguments, asks the core, and makes the
//! answer; a failure of any of them, panics included, is an exception.

use std::time::Duration;

use change_feed::framing::{decode_splits, encode_splits};
use change_feed::{Code, Error};
use jni::objects::{JByteArray, JByteBuffer, JClass, JLongArray, JObject, JObjectArray, JString};
use jni::strings::JNIStr;
use jni::sys::{jint, jlong};
use jni::{Env, EnvUnowned, NativeMethod, jni_str};

use crate::errors::{NativeError, ThrowChangeFeedException};
use crate::register::ABI;
use crate::{faults, sessions};

type Outcome<T> = Result<T, NativeError>;

/// Declares the natives: the functions that the JVM calls, their names, and how they are registered. In brackets the
/// argument that is the session, 0 where there is none.
macro_rules! natives {
    ($($java:literal $signature:literal [$session:tt] $function:ident($($argument:ident: $type:ty),*) $(-> $return:ty)?;)*) => {
        /// The natives' names in Java.
        pub const NAMES: &[&str] = &[$($java),*];

        /// Binds all natives to a class loader's `Natives`.
        pub fn register(env: &mut Env<'_>, class: &JClass<'_>) -> jni::errors::Result<()> {
            let methods = [$({
                const NAME: &JNIStr = jni_str!($java);
                const SIGNATURE: &JNIStr = jni_str!($signature);
                // SAFETY: name, signature and function stand side by side in the one list below, where each function takes
                // what the signature of its static native says.
                unsafe { NativeMethod::from_raw_parts(NAME, SIGNATURE, entry::$function as *mut std::ffi::c_void) }
            }),*];
            // SAFETY: as above; all natives are static.
            unsafe { env.register_native_methods(class, &methods) }
        }

        mod entry {
            use super::*;

            $(pub extern "system" fn $function<'local>(
                mut unowned: EnvUnowned<'local>,
                _class: JClass<'local>,
                $($argument: $type),*
            ) $(-> $return)? {
                unowned
                    .with_env(|env| {
                        faults::strike($session, $java);
                        super::$function(env, $($argument),*)
                    })
                    .resolve::<ThrowChangeFeedException>()
            })*
        }
    };
}

natives! {
    "identity" "()Ljava/lang/String;" [0] identity() -> JString<'local>;
    "open" "([B)J" [0] open(configuration: JByteArray<'local>) -> jlong;
    "discover" "(J[B)[B" [session] discover(session: jlong, known: JByteArray<'local>) -> JByteArray<'local>;
    "addSplits" "(J[B)V" [session] add_splits(session: jlong, splits: JByteArray<'local>);
    "setPaused" "(J[B[B)V" [session] set_paused(session: jlong, pause: JByteArray<'local>, resume: JByteArray<'local>);
    "releaseSplits" "(J[B)V" [session] release_splits(session: jlong, splits: JByteArray<'local>);
    "poll" "(JJ)[Ljava/lang/Object;" [session] poll(session: jlong, timeout_millis: jlong) -> JObjectArray<'local>;
    "positionAfter" "(JJI)[B" [session] position_after(session: jlong, page: jlong, group: jint) -> JByteArray<'local>;
    "recycle" "(JJ)V" [session] recycle(session: jlong, page: jlong);
    "wakeUp" "(J)V" [session] wake_up(session: jlong);
    "metrics" "(J)[J" [session] metrics(session: jlong) -> JLongArray<'local>;
    "drainLogs" "(J)[B" [session] drain_logs(session: jlong) -> JByteArray<'local>;
    "close" "(J)V" [session] close(session: jlong);
    "panicForTest" "(JLjava/lang/String;)V" [session] panic_for_test(session: jlong, native: JString<'local>);
}

fn identity<'local>(env: &mut Env<'local>) -> Outcome<JString<'local>> {
    let version = env!("CARGO_PKG_VERSION");
    let (system, processor) = (std::env::consts::OS, std::env::consts::ARCH);
    Ok(env.new_string(format!("{version}/{ABI}/{system}-{processor}"))?)
}

fn open(env: &mut Env<'_>, configuration: JByteArray<'_>) -> Outcome<jlong> {
    Ok(sessions::open(&env.convert_byte_array(configuration)?)?.cast_signed())
}

fn discover<'local>(env: &mut Env<'local>, session: jlong, known: JByteArray<'_>) -> Outcome<JByteArray<'local>> {
    let known = decode_splits(&env.convert_byte_array(known)?)?;
    let session = sessions::enter(session.cast_unsigned())?;
    Ok(env.byte_array_from_slice(&encode_splits(&session.discover(&known)?))?)
}

fn add_splits(env: &mut Env<'_>, session: jlong, splits: JByteArray<'_>) -> Outcome<()> {
    let splits = decode_splits(&env.convert_byte_array(splits)?)?;
    Ok(sessions::enter(session.cast_unsigned())?.add_splits(splits)?)
}

fn set_paused(env: &mut Env<'_>, session: jlong, pause: JByteArray<'_>, resume: JByteArray<'_>) -> Outcome<()> {
    let (pause, resume) = (ids(env, pause)?, ids(env, resume)?);
    Ok(sessions::enter(session.cast_unsigned())?.set_paused(&pause, &resume)?)
}

fn release_splits(env: &mut Env<'_>, session: jlong, splits: JByteArray<'_>) -> Outcome<()> {
    let splits = ids(env, splits)?;
    Ok(sessions::enter(session.cast_unsigned())?.release_splits(&splits)?)
}

/// The ids of framed splits.
fn ids(env: &mut Env<'_>, splits: JByteArray<'_>) -> Outcome<Vec<String>> {
    let splits = decode_splits(&env.convert_byte_array(splits)?)?;
    Ok(splits.into_iter().map(|split| split.split_id).collect())
}

fn poll<'local>(env: &mut Env<'local>, session: jlong, timeout_millis: jlong) -> Outcome<JObjectArray<'local>> {
    let session = sessions::enter(session.cast_unsigned())?;
    let timeout = Duration::from_millis(u64::try_from(timeout_millis).unwrap_or(0));
    let Some(page) = session.poll(timeout)? else {
        return Ok(JObjectArray::default());
    };
    let answer = JObjectArray::<JObject<'_>>::new(env, 2, JObject::null())?;
    let index = env.byte_array_from_slice(page.index())?;
    answer.set_element(env, 0, &index)?;
    if let Some(body) = page.body() {
        // SAFETY: the bytes stay while the page is out, which Java ends by `recycle` or `close`; `NativeChangeFeedPage` reads
        // the buffer under its lock, never after either, and never writes it.
        let buffer: JByteBuffer<'_> = unsafe { env.new_direct_byte_buffer(body.as_ptr().cast_mut(), body.len())? };
        answer.set_element(env, 1, &buffer)?;
    }
    // Last, when nothing can fail any more: a page that Java never saw would not be recycled.
    session.lend(page)?;
    Ok(answer)
}

fn position_after<'local>(
    env: &mut Env<'local>,
    session: jlong,
    page: jlong,
    group: jint,
) -> Outcome<JByteArray<'local>> {
    let group = usize::try_from(group).map_err(|_| Error::new(Code::Internal, format!("commit group {group}")))?;
    let page = sessions::enter(session.cast_unsigned())?.page(page.cast_unsigned())?;
    Ok(env.byte_array_from_slice(&page.position_after(group)?)?)
}

fn recycle(_env: &mut Env<'_>, session: jlong, page: jlong) -> Outcome<()> {
    match sessions::enter(session.cast_unsigned()) {
        Ok(session) => session.recycle(page.cast_unsigned()),
        // The close has given all pages back.
        Err(error) if error.code == Code::SessionClosed => {}
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

fn wake_up(_env: &mut Env<'_>, session: jlong) -> Outcome<()> {
    match sessions::enter(session.cast_unsigned()) {
        Ok(session) => session.wake_up(),
        // The close has freed the poll.
        Err(error) if error.code == Code::SessionClosed => {}
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

fn metrics<'local>(env: &mut Env<'local>, session: jlong) -> Outcome<JLongArray<'local>> {
    let values = sessions::enter(session.cast_unsigned())?.metrics()?;
    let array = JLongArray::new(env, values.len())?;
    array.set_region(env, 0, &values)?;
    Ok(array)
}

fn drain_logs<'local>(env: &mut Env<'local>, session: jlong) -> Outcome<JByteArray<'local>> {
    let lines = sessions::enter(session.cast_unsigned())?.drain_logs();
    let mut framed = Vec::new();
    let put = |framed: &mut Vec<u8>, length: usize| {
        framed.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
    };
    put(&mut framed, lines.len());
    for (level, text) in &lines {
        framed.push(*level as u8);
        put(&mut framed, text.len());
        framed.extend_from_slice(text.as_bytes());
    }
    Ok(env.byte_array_from_slice(&framed)?)
}

fn close(_env: &mut Env<'_>, session: jlong) -> Outcome<()> {
    Ok(sessions::close(session.cast_unsigned())?)
}

fn panic_for_test(env: &mut Env<'_>, session: jlong, native: JString<'_>) -> Outcome<()> {
    Ok(faults::arm(session, &native.try_to_string(env)?)?)
}
