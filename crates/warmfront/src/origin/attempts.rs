//! One exchange with an HTTP origin: which node, which connection, how often, how long.
//!
//! CloudFront guide, "Origin connection attempts" and "Response timeout": an attempt is a connection and
//! its wait for the first byte. A failed connection uses up one attempt of any request; a read time-out
//! uses one of a GET or HEAD and ends every other request.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::header::{AUTHORIZATION, HOST};
use http::{HeaderMap, Request};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use warmfront_core::Origin;
use warmfront_core::http::upgrade;
use warmfront_core::origin::{Scheme, Signing, Target};

use super::connect::{Dialer, Place};
use super::link::{Driver, Fact, Link};
use super::outgoing::{Head, Outgoing, prepare, sooner};
use super::pool::{Host, Lease, Pool};
use super::response::{BodyLimits, MAX_FIELDS, MAX_HEAD, innermost, receive};
use super::shared::SharedConnections;
use super::signer::{OriginSigner, Signable};
use super::wire::{MAX_INTERIM_RESPONSES, Stream, Wire};
use super::{OriginError, OriginRequest, OriginResponse};
use crate::interim::Interim;

/// Read buffer of one connection, at most.
const MAX_READ_BUFFER: usize = 256 * 1024;

/// HTTP to origins that have an address: HTTP/1.1 here, HTTP/2 in `calls`.
#[derive(Debug)]
pub(super) struct Http {
    pub(super) dialer: Dialer,
    pub(super) pool: Pool,
    pub(super) shared: SharedConnections,
    pub(super) turns: Turns,
    pub(super) signer: Option<Arc<dyn OriginSigner>>,
}

/// Whose turn it is among an origin's nodes.
#[derive(Debug, Default)]
pub(super) struct Turns {
    by_origin: Mutex<HashMap<String, usize>>,
}

/// Origins whose turn is remembered; functions can name new ones without end.
const MAX_TURNS: usize = 1024;

/// How one try ended without a response.
enum Failure {
    /// The connection was gone before the request was written; here it is again.
    NotSent(Request<Outgoing>),
    /// The connection ended without an octet of answer. A kept one was most likely closed while idle.
    Unanswered(hyper::Error),
    /// No answer in time.
    ReadTimeout,
    /// No other try may help.
    Final(OriginError),
}

impl Http {
    #[expect(clippy::manual_async_fn, reason = "a block does not move what it captures once more")]
    pub(super) fn send<'a>(
        &'a self,
        origin: &'a Origin,
        scheme: Scheme,
        request: OriginRequest,
    ) -> impl Future<Output = Result<OriginResponse, OriginError>> + Send + 'a {
        async move {
            let completion = origin
                .response_completion_timeout
                .map(|limit| self.dialer.clock.monotonic() + limit);
            let name = match is_https(origin, scheme) {
                true => certificate_name(origin, &request.head.headers),
                false => String::new(),
            };
            // Decided before the first attempt puts a signature where the viewer's would be.
            let is_signed = self.signer.is_some()
                && origin.access_control.is_some()
                && origin.signing(request.head.headers.contains_key(AUTHORIZATION))
                    == Signing::Sign;
            let mut head = request.head;
            let interim = head.extensions.remove::<Interim>();
            let (message, copy) = prepare(head, request.body);
            if copy.is_none() {
                // Only this one chance: let the runtime see which idle connections have just been closed
                // (one turn), and their drivers act on it (another).
                tokio::task::yield_now().await;
                tokio::task::yield_now().await;
            }
            let mut message = Some(message);
            let mut may_use_idle = true;
            let turn = self.turns.next(origin);
            let mut attempt = 0;
            loop {
                let more = attempt + 1 < usize::from(origin.connection_attempts.max(1));
                let place = place(origin, scheme, turn + attempt);
                let lease = match self.lease(origin, place, &name, completion, may_use_idle).await {
                    Ok(lease) => lease,
                    Err(OriginError::Connect { .. } | OriginError::ConnectTimeout { .. })
                        if more =>
                    {
                        attempt += 1;
                        continue;
                    }
                    Err(error) => return Err(error),
                };
                let reused = lease.reused;
                let repeat = |head: &Head| head.clone().into_request(Outgoing::Empty);
                let next = message.take().or_else(|| copy.as_ref().map(repeat));
                let mut next = next.expect("a request is repeated only when its head was copied");
                if is_signed {
                    self.sign(origin, &mut next);
                }
                if let Some(interim) = interim.clone() {
                    hyper::ext::on_informational(&mut next, move |response| {
                        interim.pass(response.status(), response.headers());
                    });
                }
                match self.exchange(origin, lease, next, completion).await {
                    Ok(response) => return Ok(response),
                    Err(Failure::NotSent(unsent)) if reused || more => {
                        message = Some(unsent);
                        attempt += usize::from(!reused);
                        may_use_idle = false;
                    }
                    Err(Failure::NotSent(_)) => {
                        return Err(OriginError::Closed {
                            origin: origin.id.clone(),
                            source: None,
                        });
                    }
                    Err(Failure::Unanswered(_)) if reused && copy.is_some() => may_use_idle = false,
                    Err(Failure::Unanswered(error)) => return Err(closed(origin, error)),
                    Err(Failure::ReadTimeout)
                        if more && copy.as_ref().is_some_and(Head::survives_read_timeouts) =>
                    {
                        attempt += 1;
                    }
                    Err(Failure::ReadTimeout) => {
                        return Err(OriginError::ReadTimeout {
                            origin: origin.id.clone(),
                            seconds: origin.read_timeout.as_secs(),
                        });
                    }
                    Err(Failure::Final(error)) => return Err(error),
                }
            }
        }
    }

    fn sign(&self, origin: &Origin, request: &mut Request<Outgoing>) {
        let (Some(signer), Some(control)) = (&self.signer, &origin.access_control) else { return };
        let has_body = !http_body::Body::is_end_stream(request.body());
        let (method, uri) = (request.method().clone(), request.uri().clone());
        let headers = request.headers_mut();
        let signable = Signable { method: &method, uri: &uri, headers, has_body };
        signer.sign(control, signable, self.dialer.clock.wall());
    }

    /// An idle connection, or a new one.
    async fn lease(
        &self,
        origin: &Origin,
        place: Place<'_>,
        name: &str,
        completion: Option<Duration>,
        may_use_idle: bool,
    ) -> Result<Lease, OriginError> {
        let host = self.pool.host(place.scheme, place.host, place.port, name);
        if may_use_idle && let Some(lease) = host.take(self.dialer.clock.monotonic()) {
            return Ok(lease);
        }
        // Boxed so that the common case does not carry the connector's state around.
        Box::pin(self.connect(origin, host, place, name, completion)).await
    }

    async fn connect(
        &self,
        origin: &Origin,
        host: Arc<Host>,
        place: Place<'_>,
        name: &str,
        completion: Option<Duration>,
    ) -> Result<Lease, OriginError> {
        let remaining = completion.map(|at| at.saturating_sub(self.dialer.clock.monotonic()));
        let limit = origin.connection_timeout.min(remaining.unwrap_or(Duration::MAX));
        let opened = self.dialer.open(origin, place, name, limit).await;
        if opened.is_err() && self.is_over(completion) {
            return Err(too_slow(origin));
        }
        let (stream, opening) = opened?;
        let flatten = !matches!(stream, Stream::Clear(_));
        let link = Arc::new(Link::new());
        let mut builder = http1::Builder::new();
        builder.max_headers(MAX_FIELDS).max_header_size(MAX_HEAD).max_buf_size(MAX_READ_BUFFER);
        if flatten {
            builder.writev(false);
        }
        let io = TokioIo::new(Wire::new(stream, link.clone()));
        let (sender, connection) =
            builder.handshake(io).await.map_err(|error| closed(origin, error))?;
        let tick = origin.read_timeout.min(origin.keepalive_timeout);
        let clock = self.dialer.clock.clone();
        // Ends with the connection; the lease or the pool ends the connection.
        tokio::spawn(Driver::new(connection.with_upgrades(), link.clone(), clock, tick));
        Ok(host.lease(sender, link, opening))
    }

    #[expect(clippy::manual_async_fn, reason = "a block does not move what it captures once more")]
    fn exchange<'a>(
        &'a self,
        origin: &'a Origin,
        mut lease: Lease,
        mut request: Request<Outgoing>,
        completion: Option<Duration>,
    ) -> impl Future<Output = Result<OriginResponse, Failure>> + Send + 'a {
        async move {
            let link = lease.link().clone();
            request.body_mut().travels_over(&link, lease.host(), origin.read_timeout, completion);
            let asked = upgrade::announced(request.headers());
            let uploading = matches!(request.body(), Outgoing::Streamed(_));
            let sent = self.dialer.clock.monotonic();
            let deadline = sent + origin.read_timeout;
            link.begin(sooner(Some(deadline), completion), uploading);
            match lease.sender().try_send_request(request).await {
                Ok(response) => {
                    let limits = BodyLimits {
                        read_timeout: origin.read_timeout,
                        completion,
                        keepalive: origin.keepalive_timeout,
                        sent,
                    };
                    receive(response, lease, limits, asked)
                        .map_err(|reason| Failure::Final(invalid(origin, reason)))
                }
                Err(mut failed) => Err(match failed.take_message() {
                    Some(unsent) => Failure::NotSent(unsent),
                    None => self.failure(origin, &link, failed.into_error(), completion),
                }),
            }
        }
    }

    fn failure(
        &self,
        origin: &Origin,
        link: &Link,
        error: hyper::Error,
        completion: Option<Duration>,
    ) -> Failure {
        if link.is(Fact::ViewerFailed) {
            return Failure::Final(OriginError::ViewerBody);
        }
        if link.is(Fact::Flooded) {
            let reason = format!("more than {MAX_INTERIM_RESPONSES} interim responses (1xx)");
            return Failure::Final(invalid(origin, reason));
        }
        if link.is(Fact::Expired) {
            return match self.is_over(completion) {
                true => Failure::Final(too_slow(origin)),
                false => Failure::ReadTimeout,
            };
        }
        if error.is_parse() {
            // hyper has a method for this, but not in its client; a test holds the wording.
            let reason = match innermost(&error).as_str() {
                "message head is too large" => format!(
                    "origin header block too big (limits: {MAX_FIELDS} fields, {MAX_HEAD} octets)"
                ),
                other => other.to_owned(),
            };
            return Failure::Final(invalid(origin, reason));
        }
        if !link.is(Fact::Received) {
            return Failure::Unanswered(error);
        }
        Failure::Final(closed(origin, error))
    }

    pub(super) fn is_over(&self, completion: Option<Duration>) -> bool {
        completion.is_some_and(|at| self.dialer.clock.monotonic() >= at)
    }
}

impl Turns {
    pub(super) fn next(&self, origin: &Origin) -> usize {
        let Target::Nodes(nodes) = &origin.target else { return 0 };
        if nodes.len() < 2 {
            return 0;
        }
        let mut turns = self.by_origin.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(turn) = turns.get_mut(&origin.id) {
            *turn = turn.wrapping_add(1) % nodes.len();
            return *turn;
        }
        if turns.len() >= MAX_TURNS {
            turns.clear();
        }
        turns.insert(origin.id.clone(), 0);
        0
    }
}

pub(super) fn place(origin: &Origin, scheme: Scheme, turn: usize) -> Place<'_> {
    match &origin.target {
        Target::Nodes(nodes) if !nodes.is_empty() => {
            let node = &nodes[turn % nodes.len()];
            Place {
                scheme: node.scheme,
                host: &node.host,
                port: node.port,
                is_node: true,
                http2: false,
            }
        }
        _ => Place {
            scheme,
            host: &origin.domain_name,
            port: origin.port_for(scheme),
            is_node: false,
            http2: false,
        },
    }
}

pub(super) fn is_https(origin: &Origin, scheme: Scheme) -> bool {
    match &origin.target {
        Target::Nodes(nodes) => nodes.iter().any(|node| node.scheme == Scheme::Https),
        _ => scheme == Scheme::Https,
    }
}

/// Which name the certificate must be for, and SNI asks for. CloudFront guide (§5.1): the origin's
/// domain name, or the Host that is forwarded; the request carries one of the two. `--origin` changes
/// only where we connect, so a node needs a certificate for the same name.
pub(super) fn certificate_name(origin: &Origin, headers: &HeaderMap) -> String {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    host.map_or(origin.domain_name.as_str(), without_port).to_owned()
}

/// The name in a Host field, without brackets around an IPv6 address.
fn without_port(host: &str) -> &str {
    if let Some(bracketed) = host.strip_prefix('[') {
        return bracketed.split(']').next().unwrap_or(bracketed);
    }
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

fn closed(origin: &Origin, error: hyper::Error) -> OriginError {
    OriginError::Closed { origin: origin.id.clone(), source: Some(error.into()) }
}

pub(super) fn invalid(origin: &Origin, reason: String) -> OriginError {
    OriginError::InvalidResponse { origin: origin.id.clone(), reason }
}

pub(super) fn too_slow(origin: &Origin) -> OriginError {
    let limit = origin.response_completion_timeout.unwrap_or_default();
    OriginError::CompletionTimeout { origin: origin.id.clone(), seconds: limit.as_secs() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_certificate_name_is_the_host_without_its_port() {
        let check = |host, expected| assert_eq!(without_port(host), expected, "{host}");
        check("example.com", "example.com");
        check("example.com:8443", "example.com");
        check("192.0.2.1:1", "192.0.2.1");
        check("[2001:db8::1]:443", "2001:db8::1");
        check("[2001:db8::1]", "2001:db8::1");
    }
}
