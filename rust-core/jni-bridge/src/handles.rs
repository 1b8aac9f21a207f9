// SPDX-License-Identifier: Apache-2.0
//! Handles: what Java holds in place of a pointer. A handle names a slot of a table and the slot's generation, so that one
//! that is stale, made up or closed is an error and never a wild read.
//!
//! A close meets calls in flight so: from its first moment no call enters; the resource is told to free those that block;
//! the close waits for them to leave, within a bound; then the table lets go of the resource. A call that outstays the bound
//! keeps its resource alive until it leaves.

use std::sync::Arc;
use std::time::{Duration, Instant};

use change_feed::{Code, Error, Result};
use parking_lot::{Condvar, Mutex, RwLock};

/// What a handle can stand for.
pub trait Resource: Send + Sync + 'static {
    /// Frees calls that block and ends what the resource does. Called once, with calls still in flight.
    fn shut_down(&self);

    /// Gives back what only Java's calls needed. Called once, after the last call has left or the bound has passed.
    fn release(&self);
}

/// All handles of one kind. 0 is never a handle.
pub struct HandleTable<R> {
    slots: RwLock<Vec<Slot<R>>>,
}

struct Slot<R> {
    /// Counts the handles that this slot has stood for. A slot that has run out of generations is not used again.
    generation: u32,
    entry: Option<Arc<Entry<R>>>,
}

struct Entry<R> {
    resource: R,
    calls: Mutex<Calls>,
    left: Condvar,
}

#[derive(Default)]
struct Calls {
    in_flight: usize,
    closing: bool,
}

/// A call in flight: the resource stays while this lives, and a close waits for it.
pub struct Call<R> {
    entry: Arc<Entry<R>>,
}

impl<R> std::ops::Deref for Call<R> {
    type Target = R;

    fn deref(&self) -> &R {
        &self.entry.resource
    }
}

impl<R> Drop for Call<R> {
    fn drop(&mut self) {
        self.entry.calls.lock().in_flight -= 1;
        self.entry.left.notify_all();
    }
}

impl<R: Resource> HandleTable<R> {
    pub const fn new() -> Self {
        Self {
            slots: RwLock::new(Vec::new()),
        }
    }

    /// Takes a resource in; the handle stands for it until [`HandleTable::close`].
    pub fn insert(&self, resource: R) -> u64 {
        let entry = Some(Arc::new(Entry {
            resource,
            calls: Mutex::default(),
            left: Condvar::new(),
        }));
        let mut slots = self.slots.write();
        let free = slots
            .iter()
            .position(|slot| slot.entry.is_none() && slot.generation < u32::MAX);
        let index = free.unwrap_or_else(|| {
            slots.push(Slot {
                generation: 0,
                entry: None,
            });
            slots.len() - 1
        });
        let slot = &mut slots[index];
        slot.generation += 1;
        slot.entry = entry;
        (u64::from(slot.generation) << 32) | index as u64
    }

    /// Begins a call. `SESSION_CLOSED` when the handle is closed or closing, `INTERNAL` when there never was such a handle.
    pub fn enter(&self, handle: u64) -> Result<Call<R>> {
        let entry = self.find(handle)?.ok_or_else(Error::closed)?;
        let mut calls = entry.calls.lock();
        if calls.closing {
            return Err(Error::closed());
        }
        calls.in_flight += 1;
        drop(calls);
        Ok(Call { entry })
    }

    /// Ends the handle as the module says, waiting at most `bound` for calls in flight. Idempotent: of several closes the
    /// first does the work, the others return at once. `INTERNAL` when there never was such a handle.
    pub fn close(&self, handle: u64, bound: Duration) -> Result<()> {
        let Some(entry) = self.find(handle)? else {
            return Ok(());
        };
        if std::mem::replace(&mut entry.calls.lock().closing, true) {
            return Ok(());
        }
        entry.resource.shut_down();
        let deadline = Instant::now() + bound;
        let mut calls = entry.calls.lock();
        while calls.in_flight > 0 && !entry.left.wait_until(&mut calls, deadline).timed_out() {}
        drop(calls);
        entry.resource.release();
        self.slots.write()[index_of(handle)].entry = None;
        Ok(())
    }

    /// The entry of a handle, `None` when it is closed.
    fn find(&self, handle: u64) -> Result<Option<Arc<Entry<R>>>> {
        let slots = self.slots.read();
        let generation = (handle >> 32) as u32;
        match slots.get(index_of(handle)) {
            Some(slot) if generation != 0 && generation == slot.generation => Ok(slot.entry.clone()),
            Some(slot) if generation != 0 && generation < slot.generation => Ok(None),
            _ => Err(Error::new(Code::Internal, format!("{handle:#x} was never a handle"))),
        }
    }
}

impl<R: Resource> Default for HandleTable<R> {
    fn default() -> Self {
        Self::new()
    }
}

fn index_of(handle: u64) -> usize {
    (handle & u64::from(u32::MAX)) as usize
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    /// Counts what is done to it; a call of `block` returns when it is shut down.
    #[derive(Default)]
    struct Counts {
        shut_down: AtomicUsize,
        released: AtomicUsize,
        dropped: AtomicUsize,
    }

    struct Fake {
        counts: Arc<Counts>,
        down: Mutex<bool>,
        changed: Condvar,
    }

    impl Fake {
        fn new(counts: &Arc<Counts>) -> Self {
            Self {
                counts: counts.clone(),
                down: Mutex::new(false),
                changed: Condvar::new(),
            }
        }

        fn block(&self) {
            let mut down = self.down.lock();
            while !*down {
                self.changed.wait(&mut down);
            }
        }
    }

    impl Resource for Fake {
        fn shut_down(&self) {
            self.counts.shut_down.fetch_add(1, SeqCst);
            *self.down.lock() = true;
            self.changed.notify_all();
        }

        fn release(&self) {
            self.counts.released.fetch_add(1, SeqCst);
        }
    }

    impl Drop for Fake {
        fn drop(&mut self) {
            self.counts.dropped.fetch_add(1, SeqCst);
        }
    }

    fn code<T>(result: Result<T>) -> Option<Code> {
        result.err().map(|error| error.code)
    }

    #[test]
    fn a_handle_that_never_was_is_refused() {
        let table = HandleTable::<Fake>::new();
        let handle = table.insert(Fake::new(&Arc::default()));
        for never in [0, 1, handle + 1, handle + (1 << 32), u64::MAX, handle & 0xffff_ffff] {
            assert_eq!(code(table.enter(never)), Some(Code::Internal), "{never:#x}");
            assert_eq!(code(table.close(never, LONG)), Some(Code::Internal), "{never:#x}");
        }
        assert!(table.enter(handle).is_ok());
    }

    #[test]
    fn a_closed_handle_stays_closed_when_its_slot_is_used_again() {
        let counts = Arc::new(Counts::default());
        let table = HandleTable::new();
        let first = table.insert(Fake::new(&counts));
        table.close(first, LONG).unwrap();
        let second = table.insert(Fake::new(&counts));
        assert_eq!(index_of(first), index_of(second));
        assert_eq!(code(table.enter(first)), Some(Code::SessionClosed));
        table.close(first, LONG).unwrap();
        assert!(table.enter(second).is_ok());
        assert_eq!(counts.dropped.load(SeqCst), 1);
    }

    #[test]
    fn a_slot_out_of_generations_is_left_alone() {
        let table = HandleTable::new();
        let handle = table.insert(Fake::new(&Arc::default()));
        table.close(handle, LONG).unwrap();
        table.slots.write()[0].generation = u32::MAX;
        assert_eq!(index_of(table.insert(Fake::new(&Arc::default()))), 1);
    }

    #[test]
    fn close_frees_a_blocked_call_and_waits_for_it() {
        let counts = Arc::new(Counts::default());
        let table = HandleTable::new();
        let handle = table.insert(Fake::new(&counts));
        let released_before_leaving = thread::scope(|scope| {
            let call = table.enter(handle).unwrap();
            let blocked = scope.spawn({
                let counts = &counts;
                move || {
                    call.block();
                    // Freed, but not gone: a close that did not wait would release meanwhile.
                    let watched = Instant::now();
                    while watched.elapsed() < Duration::from_millis(50) && counts.released.load(SeqCst) == 0 {
                        thread::yield_now();
                    }
                    counts.released.load(SeqCst)
                }
            });
            table.close(handle, LONG).unwrap();
            blocked.join().unwrap()
        });
        assert_eq!(released_before_leaving, 0);
        assert_eq!(counts.released.load(SeqCst), 1);
        assert_eq!(counts.dropped.load(SeqCst), 1);
    }

    #[test]
    fn a_call_that_outstays_the_bound_keeps_its_resource() {
        let counts = Arc::new(Counts::default());
        let table = HandleTable::new();
        let handle = table.insert(Fake::new(&counts));
        let call = table.enter(handle).unwrap();
        table.close(handle, Duration::from_millis(1)).unwrap();
        assert_eq!(code(table.enter(handle)), Some(Code::SessionClosed));
        assert_eq!(counts.dropped.load(SeqCst), 0);
        drop(call);
        assert_eq!(counts.dropped.load(SeqCst), 1);
    }

    #[test]
    fn a_call_that_panics_has_left() {
        let table = HandleTable::new();
        let handle = table.insert(Fake::new(&Arc::default()));
        thread::scope(|scope| {
            let call = table.enter(handle).unwrap();
            scope
                .spawn(move || {
                    let _call = call;
                    std::panic::resume_unwind(Box::new("on purpose"));
                })
                .join()
                .unwrap_err();
        });
        let begun = Instant::now();
        table.close(handle, LONG).unwrap();
        assert!(begun.elapsed() < LONG);
    }

    #[test]
    fn of_many_closes_among_calls_one_does_the_work_and_no_call_enters_after_it() {
        for _ in 0..200 {
            let counts = Arc::new(Counts::default());
            let table = HandleTable::new();
            let handle = table.insert(Fake::new(&counts));
            let (closed, is_closed) = mpsc::channel();
            thread::scope(|scope| {
                for _ in 0..2 {
                    let closed = closed.clone();
                    let table = &table;
                    scope.spawn(move || {
                        table.close(handle, LONG).unwrap();
                        closed.send(()).unwrap();
                    });
                }
                let table = &table;
                let counts = &counts;
                scope.spawn(move || {
                    while let Ok(call) = table.enter(handle) {
                        assert_eq!(counts.released.load(SeqCst), 0);
                        drop(call);
                    }
                });
                is_closed.recv().unwrap();
                assert_eq!(code(table.enter(handle)), Some(Code::SessionClosed));
            });
            assert_eq!(counts.shut_down.load(SeqCst), 1);
            assert_eq!(counts.released.load(SeqCst), 1);
            assert_eq!(counts.dropped.load(SeqCst), 1);
        }
    }
}
