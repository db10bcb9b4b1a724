//! HTTP/2 connections to origins, each shared by many requests at once.
//!
//! A [`Slot`] is one request's place on a connection; the connection without requests is kept for the
//! origin's keep-alive time-out and then closed.

use std::collections::HashMap;
use std::fmt;
use std::future::{Future as _, poll_fn};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::select;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::sync::Notify;

use super::calls::Sending;
use super::link::Link;
use super::response::MAX_HEAD;
use super::wire::{Stream, Wire};
use crate::clock::Clock;

/// Requests at once on one connection, or fewer if the origin says so; one more opens another.
const STREAMS: usize = 100;
/// Connections to one place; beyond, requests are refused.
const CONNECTIONS: usize = 16;
/// Places that are remembered; beyond, those without a connection are forgotten, and a new one is refused
/// when all have some.
const PLACES: usize = 256;

/// What an origin may send ahead of its reader: per request, and per connection.
const STREAM_WINDOW: u32 = 256 << 10;
const CONNECTION_WINDOW: u32 = 1 << 20;
/// Of one request's body, held until the origin takes it.
const SEND_BUFFER: usize = 128 << 10;
/// A connection in use whose other end has vanished is found out by a PING.
const PING_EVERY: Duration = Duration::from_secs(20);

/// All HTTP/2 connections of one `Origins`.
#[derive(Default)]
pub(super) struct SharedConnections {
    places: Mutex<HashMap<Key, Arc<Place>>>,
}

/// Scheme, host, port and the name that the certificate was checked for.
pub(super) type Key = (bool, String, u16, String);

/// The connections to one place.
#[derive(Default)]
pub(super) struct Place {
    open: Mutex<Vec<Arc<Open>>>,
    /// Held by whoever opens one more, so that a crowd opens one and not one each.
    pub(super) opening: tokio::sync::Mutex<()>,
}

struct Open {
    sender: SendRequest<Sending>,
    requests: AtomicUsize,
    /// How many the origin takes at once, as far as the driver has seen.
    allowed: AtomicUsize,
    /// Set by every request; whoever waits for the keep-alive time-out looks whether one came.
    used: AtomicBool,
    emptied: Notify,
}

/// One request's place on a connection.
pub(super) struct Slot(Arc<Open>);

/// Why there is no slot now.
pub(super) enum Full {
    /// Another connection may be opened.
    OpenAnother,
    /// There are [`CONNECTIONS`] with [`STREAMS`] requests each.
    NoMore,
}

impl SharedConnections {
    /// `None` when too many places have connections.
    pub(super) fn place(&self, key: Key) -> Option<Arc<Place>> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = places.get(&key) {
            return Some(place.clone());
        }
        if places.len() >= PLACES {
            places.retain(|_, place| Arc::strong_count(place) > 1 || !place.lock().is_empty());
        }
        if places.len() >= PLACES {
            return None;
        }
        let place = Arc::new(Place::default());
        places.insert(key, place.clone());
        Some(place)
    }
}

impl Place {
    /// A place on an open connection.
    pub(super) fn slot(&self) -> Result<Slot, Full> {
        let mut open = self.lock();
        open.retain(|open| !open.sender.is_closed());
        match open.iter().find(|open| open.has_room()) {
            Some(found) => Ok(found.take()),
            None if open.len() < CONNECTIONS => Err(Full::OpenAnother),
            None => Err(Full::NoMore),
        }
    }

    /// Begins HTTP/2 on `stream` and takes the first slot. The connection is driven by a task that ends
    /// with it, or when it had no request for `keepalive`.
    pub(super) async fn add(
        self: &Arc<Self>,
        stream: Stream,
        clock: Arc<dyn Clock>,
        keepalive: Duration,
    ) -> hyper::Result<Slot> {
        let io = TokioIo::new(Wire::new(stream, Arc::new(Link::new())));
        let (sender, connection) = Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_header_list_size(MAX_HEAD as u32)
            .max_send_buf_size(SEND_BUFFER)
            .keep_alive_interval(PING_EVERY)
            .keep_alive_timeout(PING_EVERY)
            .handshake(io)
            .await?;
        let open = Arc::new(Open {
            sender,
            requests: AtomicUsize::new(0),
            allowed: AtomicUsize::new(STREAMS),
            used: AtomicBool::new(false),
            emptied: Notify::new(),
        });
        let slot = open.take();
        self.lock().push(open.clone());
        let place = self.clone();
        tokio::spawn(async move {
            let mut connection = std::pin::pin!(connection);
            let driving = poll_fn(|cx| {
                let polled = connection.as_mut().poll(cx);
                open.allowed.store(connection.as_ref().current_max_send_streams(), Relaxed);
                polled
            });
            let idle = std::pin::pin!(place.until_idle(&open, &*clock, keepalive));
            select(driving, idle).await;
            place.remove(&open);
        });
        Ok(slot)
    }

    /// Resolves when `open` had no request for `keepalive`, and is no longer given to any.
    async fn until_idle(&self, open: &Arc<Open>, clock: &dyn Clock, keepalive: Duration) {
        loop {
            while open.requests.load(Relaxed) > 0 {
                open.emptied.notified().await;
            }
            open.used.store(false, Relaxed);
            clock.sleep(keepalive).await;
            // Slots are given under this lock.
            let mut all = self.lock();
            if open.requests.load(Relaxed) == 0 && !open.used.load(Relaxed) {
                all.retain(|other| !Arc::ptr_eq(other, open));
                return;
            }
        }
    }

    fn remove(&self, open: &Arc<Open>) {
        self.lock().retain(|other| !Arc::ptr_eq(other, open));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Open>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    fn has_room(&self) -> bool {
        let limit = self.allowed.load(Relaxed).clamp(1, STREAMS);
        self.requests.load(Relaxed) < limit
    }

    fn take(self: &Arc<Self>) -> Slot {
        self.requests.fetch_add(1, Relaxed);
        self.used.store(true, Relaxed);
        Slot(self.clone())
    }
}

impl Slot {
    /// A handle to the connection.
    pub(super) fn sender(&self) -> SendRequest<Sending> {
        self.0.sender.clone()
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if self.0.requests.fetch_sub(1, Relaxed) == 1 {
            self.0.emptied.notify_one();
        }
    }
}

impl fmt::Debug for SharedConnections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedConnections")
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Slot")
    }
}
