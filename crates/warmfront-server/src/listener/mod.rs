//! The doors: sockets, TLS and HTTP framing around `Edge::call`, on one thread per core.
//!
//! [`workers`] runs the threads, [`tcp`] opens the ports and accepts, [`tls`], [`dev_ca`] and
//! [`dev_certificates`] bring the certificates, [`http`] speaks HTTP/1.1 and HTTP/2 over hyper, [`interims`] adds the interim responses that hyper cannot
//! send, [`pulse`] knows what each connection is waiting for and ends those that wait too long, as [`patience`] decides. What a request means is the engine's business: the one
//! seam to it is [`Answers`].

pub(crate) mod dev_ca;
pub(crate) mod dev_certificates;
pub(crate) mod guard;
pub(crate) mod http;
pub(crate) mod interims;
pub(crate) mod patience;
pub(crate) mod pulse;
pub(crate) mod tcp;
pub(crate) mod tls;
pub(crate) mod workers;

use std::future::Future;

use warmfront::{Edge, Reply, ViewerRequest};

/// Whoever answers requests: the edge, or a few lines in a test.
pub(crate) trait Answers: Clone + Send + Sync + 'static {
    /// Answers one request; always gives a reply.
    fn answer(&self, request: ViewerRequest) -> impl Future<Output = Reply> + Send;
}

impl Answers for Edge {
    fn answer(&self, request: ViewerRequest) -> impl Future<Output = Reply> + Send {
        self.call(request)
    }
}

#[cfg(test)]
mod tests;
