// SPDX-License-Identifier: Apache-2.0
//! What is known of a panic: its message, where it was, and the stack. The hook notes it for the thread instead of printing.
//!
//! The hook is that of this library's std, which nobody else in the process shares: another native library's panics are not
//! touched.

use std::any::Any;
use std::backtrace::Backtrace;
use std::cell::RefCell;
use std::future::poll_fn;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::pin::pin;
use std::task::Poll;

use once_cell::sync::OnceCell;

static HOOK: OnceCell<()> = OnceCell::new();

thread_local! {
    /// Where the thread's last panic was, until somebody asks.
    static LAST: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Puts the hook in place, once for the process.
pub fn install_hook() {
    HOOK.get_or_init(|| panic::set_hook(Box::new(note)));
}

fn note(info: &PanicHookInfo<'_>) {
    let place = info.location().map_or_else(String::new, |at| format!(" at {at}"));
    let noted = format!("{place}\n{}", Backtrace::force_capture());
    // A panic in a thread that is already tearing its locals down has nobody to ask about it.
    let _ = LAST.try_with(|last| *last.borrow_mut() = Some(noted));
}

/// Describes a panic that was caught on this thread: message, place, backtrace.
pub fn describe(payload: &(dyn Any + Send)) -> String {
    let message = payload
        .downcast_ref::<&'static str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic whose payload is no text".to_owned());
    let noted = LAST.take().unwrap_or_default();
    format!("{message}{noted}")
}

/// Runs a future whose panic becomes its description instead of unwinding, on whatever threads it is polled.
pub async fn caught<F: Future>(future: F) -> Result<F::Output, String> {
    let mut future = pin!(future);
    poll_fn(|cx| {
        // After a panic the future is not polled again, so nothing sees what it left half done.
        match panic::catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
            Ok(poll) => poll.map(Ok),
            Err(payload) => Poll::Ready(Err(describe(&*payload))),
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use super::*;

    fn description(body: fn()) -> String {
        // Beside the default hook, or the other tests of this process would fail without a word.
        HOOK.get_or_init(|| {
            let default = panic::take_hook();
            panic::set_hook(Box::new(move |info| {
                note(info);
                default(info);
            }));
        });
        describe(&*catch_unwind(body).unwrap_err())
    }

    #[test]
    fn a_constant_message_is_kept() {
        let text = description(|| panic!("no such luck"));
        assert!(text.starts_with("no such luck at "), "{text}");
        assert!(text.contains("panics.rs"), "{text}");
    }

    #[test]
    fn a_formatted_message_is_kept() {
        let text = description(|| panic!("no such luck {}", std::hint::black_box(7)));
        assert!(text.starts_with("no such luck 7 at "), "{text}");
    }

    #[test]
    fn a_payload_of_another_type_is_named_so() {
        let text = description(|| panic::panic_any(7_u8));
        assert!(text.starts_with("a panic whose payload is no text at "), "{text}");
    }

    #[test]
    fn the_stack_names_the_function_that_panicked() {
        #[inline(never)]
        fn a_function_of_its_own() {
            panic!("here");
        }
        let text = description(a_function_of_its_own);
        assert!(text.contains("a_function_of_its_own"), "{text}");
    }

    #[test]
    fn a_panic_is_told_once() {
        description(|| panic!("first"));
        assert_eq!(describe(&"second"), "second");
    }

    #[tokio::test]
    async fn a_panic_of_a_future_is_described() {
        let text = caught(async {
            tokio::task::yield_now().await;
            panic!("in a task");
        })
        .await
        .unwrap_err();
        assert!(text.starts_with("in a task"), "{text}");
        assert_eq!(caught(async { 7 }).await, Ok(7));
    }
}
