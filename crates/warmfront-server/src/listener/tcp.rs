//! Opening ports, and taking connections from them.
//!
//! Every worker has a socket of its own on the same port (SO_REUSEPORT), and the kernel spreads the
//! connections. That option would also let two programs share a port unnoticed, each getting half of the
//! viewers, so a port is first tried without it.

use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Connections that wait in the kernel to be accepted.
const BACKLOG: i32 = 1024;
/// How long accepting pauses when the process has run out of file descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// A port that cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen for {what} on {address}: {reason}. {advice}")]
pub(crate) struct BindError {
    what: &'static str,
    address: SocketAddr,
    reason: String,
    advice: String,
    #[source]
    source: io::Error,
}

/// One port, opened once for each worker.
#[derive(Debug)]
pub(crate) struct Port {
    /// Where it is, with the port that the kernel chose.
    pub(crate) address: SocketAddr,
    /// A socket for each worker.
    pub(crate) sockets: Vec<TcpListener>,
}

/// Opens `address` for `workers` threads. `what` is `http`, `https` or `admin`: the flag's name.
pub(crate) fn open(
    what: &'static str,
    address: SocketAddr,
    workers: usize,
) -> Result<Port, BindError> {
    let explain = |source| explain(what, address, source);
    drop(socket(address, false).map_err(explain)?);
    let first = socket(address, true).map_err(explain)?;
    let address = first.local_addr().map_err(explain)?;
    let mut sockets = vec![first];
    while sockets.len() < workers {
        sockets.push(socket(address, true).map_err(explain)?);
    }
    Ok(Port { address, sockets })
}

fn socket(address: SocketAddr, shared: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // Lets us start again while connections of an earlier run are in TIME_WAIT; a listener still refuses.
    socket.set_reuse_address(true)?;
    if shared {
        socket.set_reuse_port(true)?;
    }
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    // Without listen() a second probe would not meet this socket.
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn explain(what: &'static str, address: SocketAddr, source: io::Error) -> BindError {
    let elsewhere = SocketAddr::new(address.ip(), address.port().saturating_add(1));
    let other = format!("pass another address (--{what} {elsewhere}) or --{what} off");
    let (reason, advice) = match source.kind() {
        io::ErrorKind::AddrInUse => (
            format!("port {} is in use by another program", address.port()),
            format!("Stop that program, or {other}"),
        ),
        io::ErrorKind::PermissionDenied => (
            format!("port {} needs more rights than this user has", address.port()),
            format!("Run with the capability CAP_NET_BIND_SERVICE, or {other}"),
        ),
        io::ErrorKind::AddrNotAvailable => (
            format!("this machine has no address {}", address.ip()),
            format!("Pass one that it has: --{what} 127.0.0.1:{}", address.port()),
        ),
        _ => (source.to_string(), format!("To go on without it: --{what} off")),
    };
    BindError { what, address, reason, advice, source }
}

/// A connection, and its place among those that the process may have open.
#[derive(Debug)]
pub(crate) struct Accepted {
    /// The socket.
    pub(crate) stream: TcpStream,
    /// Its other end.
    pub(crate) peer: SocketAddr,
    /// Given back when the connection is over.
    pub(crate) place: OwnedSemaphorePermit,
}

/// Hands connections to `take` until `stop` resolves.
///
/// At the limit of `places` connections wait in the kernel's queue. When the process has no file
/// descriptor left, accepting pauses for a moment instead of spinning; `trouble` hears of it.
pub(crate) async fn accept(
    listener: tokio::net::TcpListener,
    places: Arc<Semaphore>,
    stop: impl Future<Output = ()>,
    mut take: impl FnMut(Accepted),
    mut trouble: impl FnMut(&io::Error),
) {
    let mut stop = std::pin::pin!(stop);
    loop {
        let next = async {
            let place =
                places.clone().acquire_owned().await.expect("the semaphore is never closed");
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            biased;
            () = stop.as_mut() => return,
            next = next => next,
        };
        match accepted {
            Ok((stream, peer)) => {
                // A reply is written at once and whole: waiting to fill a segment only delays it.
                let _ = stream.set_nodelay(true);
                take(Accepted { stream, peer, place });
            }
            Err(error) if is_the_viewers(&error) => {}
            Err(error) => {
                trouble(&error);
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Errors of one connection that went away before it was taken.
fn is_the_viewers(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_worker_gets_a_socket_on_the_same_port() {
        let port = open("http", "127.0.0.1:0".parse().unwrap(), 3).unwrap();
        assert_eq!(port.sockets.len(), 3);
        for socket in &port.sockets {
            assert_eq!(socket.local_addr().unwrap(), port.address);
        }
    }

    #[test]
    fn a_busy_port_is_refused_even_when_its_owner_shares_it() {
        let plain = TcpListener::bind("127.0.0.1:0").unwrap();
        let shared = open("http", "127.0.0.1:0".parse().unwrap(), 1).unwrap();
        for address in [plain.local_addr().unwrap(), shared.address] {
            let error = open("https", address, 2).unwrap_err().to_string();
            let port = address.port();
            assert!(error.contains(&format!("port {port} is in use")), "{error}");
            assert!(error.contains("--https off"), "{error}");
        }
    }

    #[test]
    fn an_address_of_another_machine_is_named() {
        let error = open("admin", "192.0.2.1:80".parse().unwrap(), 1).unwrap_err().to_string();
        assert!(error.contains("192.0.2.1") && error.contains("--admin"), "{error}");
    }
}
