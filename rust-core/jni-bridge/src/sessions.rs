// SPDX-License-Identifier: Apache-2.0
//! What a handle stands for: a session of the core and the pages of it that Java holds.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use change_feed::{Code, Configuration, Error, Page, Result, Session};
use parking_lot::Mutex;

use crate::handles::{Call, HandleTable, Resource};

static SESSIONS: HandleTable<OpenSession> = HandleTable::new();

/// How long a close waits for calls in flight. They are freed at its start, so this is for a core that does not keep its
/// word; Flink cancels a task that hangs after 180 s.
const CLOSE_BOUND: Duration = Duration::from_secs(10);

/// A session and the pages that are out, by their ids. A page's memory is Java's to read while it is in here.
pub struct OpenSession {
    session: Session,
    /// `None` once closed: nothing is lent out after that.
    pages: Mutex<Option<HashMap<u64, Arc<Page>>>>,
}

impl std::ops::Deref for OpenSession {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.session
    }
}

impl OpenSession {
    /// Keeps a page until it is recycled. Events hold nothing and are not kept.
    pub fn lend(&self, page: Arc<Page>) -> Result<()> {
        if page.id() != 0 {
            let mut pages = self.pages.lock();
            pages.as_mut().ok_or_else(Error::closed)?.insert(page.id(), page);
        }
        Ok(())
    }

    /// A page that is out.
    pub fn page(&self, id: u64) -> Result<Arc<Page>> {
        let pages = self.pages.lock();
        let pages = pages.as_ref().ok_or_else(Error::closed)?;
        pages.get(&id).cloned().ok_or_else(|| {
            Error::new(
                Code::Internal,
                format!("page {id} is not out: it was recycled or never handed out"),
            )
        })
    }

    /// Ends the loan of a page, if it is one.
    pub fn recycle(&self, id: u64) {
        let page = self.pages.lock().as_mut().and_then(|pages| pages.remove(&id));
        // Outside the lock: the last reference gives the bytes back, which wakes pollers that wait for room.
        drop(page);
    }
}

impl Resource for OpenSession {
    fn shut_down(&self) {
        self.session.close();
    }

    fn release(&self) {
        let pages = self.pages.lock().take();
        drop(pages);
    }
}

/// Opens a session; the handle stands for it until [`close`].
pub fn open(configuration: &[u8]) -> Result<u64> {
    let session = Session::open(Configuration::from_json(configuration)?)?;
    Ok(SESSIONS.insert(OpenSession {
        session,
        pages: Mutex::new(Some(HashMap::new())),
    }))
}

/// Begins a call with a session.
pub fn enter(handle: u64) -> Result<Call<OpenSession>> {
    SESSIONS.enter(handle)
}

/// Ends a session; idempotent.
pub fn close(handle: u64) -> Result<()> {
    SESSIONS.close(handle, CLOSE_BOUND)
}
