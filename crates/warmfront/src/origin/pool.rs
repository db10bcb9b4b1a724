//! Idle connections, the last used first, per place and certificate name.
//!
//! A [`Lease`] is a connection in use: released it is kept for the next request, dropped it is closed.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::client::conn::http1::SendRequest;
use warmfront_core::origin::Scheme;

use super::link::{Fact, Link};
use super::outgoing::Outgoing;
use crate::clock::Clock;

/// How much one pool keeps. A pool belongs to one [`Origins`](super::Origins), so a program with a
/// worker per core has one for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolLimits {
    /// Idle connections to one place; the oldest is closed when one more comes back. Default 64.
    pub idle_per_host: usize,
    /// Places that connections are kept for; one beyond pushes another out. Default 256.
    pub hosts: usize,
}

impl Default for PoolLimits {
    fn default() -> Self {
        Self { idle_per_host: 64, hosts: 256 }
    }
}

/// All idle connections.
pub(super) struct Pool {
    hosts: Mutex<Hosts>,
    clock: Arc<dyn Clock>,
    limits: PoolLimits,
}

#[derive(Default)]
struct Hosts {
    by_key: HashMap<Vec<u8>, Arc<Host>>,
    /// The key being looked up, so that a look-up allocates nothing.
    key: Vec<u8>,
}

/// The idle connections to one place.
pub(super) struct Host {
    name: String,
    idle: Mutex<VecDeque<Open>>,
    limit: usize,
    clock: Arc<dyn Clock>,
}

/// An open connection; dropping it closes the socket.
struct Open {
    sender: SendRequest<Outgoing>,
    link: Arc<Link>,
}

/// A connection in use.
pub(super) struct Lease {
    open: Option<Open>,
    host: Arc<Host>,
    /// Whether it carried a request before.
    pub(super) reused: bool,
    /// How long it took to open; nothing for one that carried a request before.
    pub(super) opening: Opening,
}

/// How long a connection took to open.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Opening {
    pub(super) dns: Duration,
    pub(super) connect: Duration,
}

impl Pool {
    pub(super) fn new(clock: Arc<dyn Clock>, limits: PoolLimits) -> Self {
        Self { hosts: Mutex::default(), clock, limits }
    }

    /// The connections to `host:port`; under https only those whose certificate was checked for `name`.
    pub(super) fn host(&self, scheme: Scheme, host: &str, port: u16, name: &str) -> Arc<Host> {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        let Hosts { by_key, key } = &mut *hosts;
        key.clear();
        let name = if scheme == Scheme::Https { name } else { "" };
        // Fixed length first, and a length before the first text: no two places share a key.
        key.push(u8::from(scheme == Scheme::Https));
        key.extend_from_slice(&port.to_be_bytes());
        key.extend_from_slice(&host.len().to_be_bytes());
        key.extend_from_slice(host.as_bytes());
        key.extend_from_slice(name.as_bytes());
        if let Some(host) = by_key.get(key.as_slice()) {
            return host.clone();
        }
        if by_key.len() >= self.limits.hosts {
            by_key.retain(|_, host| Arc::strong_count(host) > 1 || host.has_idle());
        }
        if by_key.len() >= self.limits.hosts
            && let Some(any) = by_key.keys().next().cloned()
        {
            // Connections in use keep their host alive and are closed when they come back.
            by_key.remove(&any);
        }
        let host = Arc::new(Host {
            name: format!("{host}:{port}"),
            idle: Mutex::default(),
            limit: self.limits.idle_per_host,
            clock: self.clock.clone(),
        });
        by_key.insert(key.clone(), host.clone());
        host
    }
}

impl Host {
    /// `host:port`, for messages.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// The idle connection that was used last, unless all have ended.
    pub(super) fn take(self: &Arc<Self>, now: Duration) -> Option<Lease> {
        let mut idle = self.lock();
        let mut busy = Vec::new();
        let mut taken = None;
        while let Some(last) = idle.pop_back() {
            if last.sender.is_closed() || last.link.is_overdue(now) {
                drop(last);
            } else if last.sender.is_ready() {
                taken = Some(last);
                break;
            } else {
                // Its driver, on another thread, has yet to see the end of the last response.
                busy.push(last);
            }
        }
        idle.extend(busy.into_iter().rev());
        drop(idle);
        let opening = Opening::default();
        taken.map(|open| Lease { open: Some(open), host: self.clone(), reused: true, opening })
    }

    /// A fresh connection, in use.
    pub(super) fn lease(
        self: &Arc<Self>,
        sender: SendRequest<Outgoing>,
        link: Arc<Link>,
        opening: Opening,
    ) -> Lease {
        Lease { open: Some(Open { sender, link }), host: self.clone(), reused: false, opening }
    }

    fn put(&self, newest: Open) {
        let mut idle = self.lock();
        while let Some(oldest) = idle.front() {
            if !oldest.sender.is_closed() && idle.len() < self.limit {
                break;
            }
            idle.pop_front();
        }
        if self.limit > 0 {
            idle.push_back(newest);
        }
    }

    fn has_idle(&self) -> bool {
        self.lock().iter().any(|idle| !idle.sender.is_closed())
    }

    #[cfg(test)]
    pub(super) fn idle_count(&self) -> usize {
        self.lock().iter().filter(|idle| !idle.sender.is_closed()).count()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<Open>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lease {
    pub(super) fn host(&self) -> &Arc<Host> {
        &self.host
    }

    pub(super) fn link(&self) -> &Arc<Link> {
        &self.open.as_ref().expect("a lease holds its connection until it is released").link
    }

    pub(super) fn sender(&mut self) -> &mut SendRequest<Outgoing> {
        &mut self.open.as_mut().expect("a lease holds its connection until it is released").sender
    }

    /// The response has ended: keeps the connection for `keepalive`, unless it is closing or the
    /// request's body was not wanted whole. hyper closes an idle connection on any octet it gets
    /// (reliability.md row 16), so nothing that follows a response is ever taken for the next one.
    pub(super) fn release(mut self, keepalive: Duration) {
        let Some(open) = self.open.take() else { return };
        let unfit = open.sender.is_closed()
            || open.link.is(Fact::Uploading)
            || open.link.is(Fact::Closing)
            || keepalive.is_zero();
        if !unfit {
            open.link.must_happen_by(Some(self.host.clock.monotonic() + keepalive));
            self.host.put(open);
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.link.close();
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host").field("name", &self.name).finish_non_exhaustive()
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease").field("host", &self.host.name).finish_non_exhaustive()
    }
}
