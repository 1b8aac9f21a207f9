// SPDX-License-Identifier: Apache-2.0
//! How a failure becomes a `ChangeFeedException`.
//!
//! The class is looked up at each throw, which finds it by the class loader of the native's own class: a cached reference
//! would belong to one job and keep its class loader.

use std::any::Any;
use std::fmt;

use change_feed::{Code, Error};
use jni::errors::ErrorPolicy;
use jni::objects::{JObject, JThrowable, JValue};
use jni::strings::JNIString;
use jni::{Env, jni_sig, jni_str};

use change_feed::panics;

/// What a native can fail with.
#[derive(Debug)]
pub enum NativeError {
    /// The core refused or failed.
    Core(Error),
    /// The JVM refused or failed; a Java exception may be pending.
    Jni(jni::errors::Error),
}

impl From<Error> for NativeError {
    fn from(error: Error) -> Self {
        Self::Core(error)
    }
}

impl From<jni::errors::Error> for NativeError {
    fn from(error: jni::errors::Error) -> Self {
        Self::Jni(error)
    }
}

impl fmt::Display for NativeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Core(error) => error.fmt(f),
            Self::Jni(error) => write!(f, "the JVM: {error}"),
        }
    }
}

impl std::error::Error for NativeError {}

/// Throws; the native then returns null or 0, which Java does not see.
pub struct ThrowChangeFeedException;

impl<T: Default> ErrorPolicy<T, NativeError> for ThrowChangeFeedException {
    type Captures<'unowned_env_local: 'native_method, 'native_method> = ();

    fn on_error<'unowned_env_local: 'native_method, 'native_method>(
        env: &mut Env<'unowned_env_local>,
        _captures: &mut (),
        error: NativeError,
    ) -> jni::errors::Result<T> {
        let error = match error {
            NativeError::Core(error) => error,
            NativeError::Jni(error) => Error::new(Code::Internal, format!("the JVM: {error}")),
        };
        throw(env, &error);
        Ok(T::default())
    }

    fn on_panic<'unowned_env_local: 'native_method, 'native_method>(
        env: &mut Env<'unowned_env_local>,
        _captures: &mut (),
        payload: Box<dyn Any + Send + 'static>,
    ) -> jni::errors::Result<T> {
        let error = Error::new(Code::Panic, panics::describe(&*payload));
        // A payload may panic in its own drop, which would replace the panic that is to be told.
        std::mem::forget(payload);
        throw(env, &error);
        Ok(T::default())
    }
}

/// Leaves an exception pending, whatever happens: the one that is pending already (an `OutOfMemoryError`, say), the
/// `ChangeFeedException`, or, where that cannot be made, an `IllegalStateException` with its text.
fn throw(env: &mut Env<'_>, error: &Error) {
    if env.exception_check() {
        return;
    }
    let Err(why) = throw_change_feed_exception(env, error);
    if !env.exception_check() {
        let text = JNIString::from(format!("{error} (no ChangeFeedException could be made: {why})"));
        // Fails with "an exception is pending", which is what was asked for.
        let _ = env.throw_new(jni_str!("java/lang/IllegalStateException"), text);
    }
}

fn throw_change_feed_exception(
    env: &mut Env<'_>,
    error: &Error,
) -> Result<std::convert::Infallible, jni::errors::Error> {
    let class = env.find_class(jni_str!(
        "io/github/cosmosflink/connector/cosmosdb/source/backend/ChangeFeedException"
    ))?;
    let code = env.new_string(error.code.as_str())?;
    let message = env.new_string(&error.message)?;
    let activity_id: JObject<'_> = match &error.activity_id {
        Some(id) => env.new_string(id)?.into(),
        None => JObject::null(),
    };
    let exception = env.new_object(
        class,
        jni_sig!("(Ljava/lang/String;Ljava/lang/String;IILjava/lang/String;Z)V"),
        &[
            JValue::Object(&code),
            JValue::Object(&message),
            JValue::Int(i32::from(error.http_status)),
            JValue::Int(error.sub_status.cast_signed()),
            JValue::Object(&activity_id),
            JValue::Bool(error.retryable),
        ],
    )?;
    let exception = env.cast_local::<JThrowable<'_>>(exception)?;
    // `throw` tells of success by `JavaException`.
    Err(match env.throw(exception) {
        Err(error) => error,
        Ok(()) => jni::errors::Error::JavaException,
    })
}
