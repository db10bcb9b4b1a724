//! Opening a connection: name, addresses, TCP, TLS, all within one attempt's time limit.
//!
//! How often it is tried is `attempts`' business.

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::{Either, select};
use futures_util::stream::FuturesUnordered;
use tokio::net::TcpStream;
use warmfront_core::Origin;
use warmfront_core::origin::Scheme;

use super::OriginError;
use super::pool::Opening;
#[cfg(feature = "tls")]
use super::tls::{HandshakeError, Trust};
use super::wire::Stream;
use crate::clock::Clock;

/// How long an address may stay silent before the next one is tried beside it (RFC 8305 §5).
const ADDRESS_HEAD_START: Duration = Duration::from_millis(250);
/// More addresses of one name than this are ignored.
const MAX_ADDRESSES: usize = 16;

/// Where a request goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) scheme: Scheme,
    /// A name or an address.
    pub(super) host: &'a str,
    pub(super) port: u16,
    /// Given by the operator with `--origin`: any address is fine.
    pub(super) is_node: bool,
    /// Whether TLS must agree on HTTP/2 instead of HTTP/1.1.
    #[cfg_attr(not(feature = "tls"), expect(dead_code, reason = "clear text needs no agreement"))]
    pub(super) http2: bool,
}

/// Opens connections.
#[derive(Debug)]
pub(super) struct Dialer {
    pub(super) clock: Arc<dyn Clock>,
    #[cfg(feature = "tls")]
    pub(super) trust: Trust,
}

impl Dialer {
    /// One attempt. Under https the certificate must be valid for `name`. Dropping the future gives
    /// the attempt up; a name look-up that the system has begun still ends on its own thread.
    pub(super) async fn open(
        &self,
        origin: &Origin,
        place: Place<'_>,
        name: &str,
        limit: Duration,
    ) -> Result<(Stream, Opening), OriginError> {
        let dialing = pin!(self.dial(origin, place, name));
        match select(dialing, self.clock.sleep(limit)).await {
            Either::Left((opened, _)) => opened,
            Either::Right(_) => Err(OriginError::ConnectTimeout {
                origin: origin.id.clone(),
                address: address_of(place),
                seconds: limit.as_secs(),
            }),
        }
    }

    async fn dial(
        &self,
        origin: &Origin,
        place: Place<'_>,
        name: &str,
    ) -> Result<(Stream, Opening), OriginError> {
        let failed = |source| OriginError::Connect {
            origin: origin.id.clone(),
            address: address_of(place),
            source,
        };
        let began = self.clock.monotonic();
        let mut addresses = resolve(origin, place).await?;
        let resolved = self.clock.monotonic();
        let opening = || Opening {
            dns: resolved.saturating_sub(began),
            connect: self.clock.monotonic().saturating_sub(resolved),
        };
        if !place.is_node {
            addresses.retain(|address| is_public_enough(address.ip()));
            if addresses.is_empty() {
                return Err(failed(io::Error::new(
                    io::ErrorKind::PermissionDenied,
                    "the name leads to a link-local or metadata address, which is never an origin",
                )));
            }
        }
        let stream = self.first_to_answer(&addresses).await.map_err(failed)?;
        stream.set_nodelay(true).map_err(failed)?;
        if place.scheme == Scheme::Http {
            return Ok((Stream::Clear(stream), opening()));
        }
        #[cfg(feature = "tls")]
        match self.trust.handshake(stream, name, place.http2).await {
            Ok(stream) => Ok((Stream::Tls(Box::new(stream)), opening())),
            Err(HandshakeError::Broken(source)) => Err(failed(source)),
            Err(HandshakeError::Refused(reason)) => {
                Err(OriginError::Tls { origin: origin.id.clone(), name: name.to_owned(), reason })
            }
        }
        #[cfg(not(feature = "tls"))]
        Err(OriginError::Unavailable {
            origin: origin.id.clone(),
            reason: format!(
                "https to {name} needs the feature `tls`, and this program was built without it"
            ),
        })
    }

    /// Tries the addresses in turn, the next one as soon as one fails or keeps silent.
    async fn first_to_answer(&self, addresses: &[SocketAddr]) -> io::Result<TcpStream> {
        let mut waiting = addresses.iter().copied();
        let mut under_way = FuturesUnordered::new();
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        loop {
            if under_way.is_empty() {
                match waiting.next() {
                    Some(address) => under_way.push(TcpStream::connect(address)),
                    None => return Err(last),
                }
            }
            let outcome = if waiting.len() == 0 {
                under_way.next().await
            } else {
                match select(under_way.next(), self.clock.sleep(ADDRESS_HEAD_START)).await {
                    Either::Left((outcome, _)) => outcome,
                    Either::Right(_) => None,
                }
            };
            match outcome {
                Some(Ok(stream)) => return Ok(stream),
                Some(Err(error)) => last = error,
                None => under_way.extend(waiting.next().map(TcpStream::connect)),
            }
        }
    }
}

/// `host:port` for messages.
fn address_of(place: Place<'_>) -> String {
    match place.host.parse() {
        Ok(ip) => SocketAddr::new(ip, place.port).to_string(),
        Err(_) => format!("{}:{}", place.host, place.port),
    }
}

/// All addresses, IPv4 and IPv6 alternating (CloudFront's default is IPv4, so it comes first).
async fn resolve(origin: &Origin, place: Place<'_>) -> Result<Vec<SocketAddr>, OriginError> {
    if let Ok(ip) = place.host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(ip, place.port)]);
    }
    let unknown = |source| OriginError::Dns {
        origin: origin.id.clone(),
        name: place.host.to_owned(),
        source,
    };
    let found = tokio::net::lookup_host((place.host, place.port))
        .await
        .map_err(|error| unknown(Some(error)))?;
    let (v4, v6): (Vec<_>, Vec<_>) = found.take(MAX_ADDRESSES).partition(SocketAddr::is_ipv4);
    let (mut v4, mut v6) = (v4.into_iter(), v6.into_iter());
    let mut addresses = Vec::new();
    loop {
        let pair = (v4.next(), v6.next());
        addresses.extend(pair.0);
        addresses.extend(pair.1);
        if pair == (None, None) {
            break;
        }
    }
    if addresses.is_empty() { Err(unknown(None)) } else { Ok(addresses) }
}

/// Refuses the addresses of cloud metadata services and those that mean "this link" or "this host,
/// whichever": a name in DNS must not lead there (reliability.md §5, SSRF).
fn is_public_enough(ip: IpAddr) -> bool {
    const EC2_METADATA: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
    match ip.to_canonical() {
        IpAddr::V4(ip) => !(ip.is_link_local() || ip.is_unspecified()),
        IpAddr::V6(ip) => {
            !(ip.is_unicast_link_local() || ip.is_unspecified() || ip == EC2_METADATA)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use tokio::net::{TcpListener, TcpSocket};

    use super::*;
    use crate::clock::VirtualClock;

    fn dialer(clock: &VirtualClock) -> Dialer {
        Dialer {
            clock: Arc::new(clock.clone()),
            #[cfg(feature = "tls")]
            trust: Trust::default(),
        }
    }

    /// An address that drops every further connection request: its queue of one is full.
    async fn silent() -> (TcpListener, TcpStream, SocketAddr) {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(0).unwrap();
        let address = listener.local_addr().unwrap();
        let waiting = TcpStream::connect(address).await.unwrap();
        (listener, waiting, address)
    }

    #[tokio::test]
    async fn every_address_is_tried_until_one_answers() {
        let clock = VirtualClock::starting_at(SystemTime::UNIX_EPOCH);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let live = listener.local_addr().unwrap();
        let refused = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let (_listener, _waiting, silent) = silent().await;
        for addresses in [vec![live], vec![refused, live], vec![silent, live, refused]] {
            let dialer = dialer(&clock);
            let turning = async {
                loop {
                    tokio::task::yield_now().await;
                    clock.advance(ADDRESS_HEAD_START);
                }
            };
            tokio::select! {
                stream = dialer.first_to_answer(&addresses) => {
                    assert_eq!(stream.unwrap().peer_addr().unwrap(), live, "{addresses:?}");
                }
                () = turning => {}
            }
        }
        let error = dialer(&clock).first_to_answer(&[refused, refused]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    }

    #[test]
    fn names_never_lead_to_metadata_services() {
        let check = |ip: &str, expected| {
            assert_eq!(is_public_enough(ip.parse().unwrap()), expected, "{ip}");
        };
        check("192.0.2.7", true);
        check("127.0.0.1", true);
        check("10.0.0.1", true);
        check("2001:db8::1", true);
        check("169.254.169.254", false);
        check("::ffff:169.254.169.254", false);
        check("fe80::1", false);
        check("febf::1", false);
        check("fd00:ec2::254", false);
        check("0.0.0.0", false);
        check("::", false);
    }
}
