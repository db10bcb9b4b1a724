//! Where a listener is bound: an address, a bare port of 127.0.0.1, or `off`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

/// The value of `--http`, `--https` and `--admin`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bind {
    /// No listener.
    Off,
    /// This address; port 0 lets the kernel choose.
    At(SocketAddr),
}

impl Bind {
    /// The address, unless the listener is off.
    pub(crate) fn address(self) -> Option<SocketAddr> {
        match self {
            Bind::Off => None,
            Bind::At(address) => Some(address),
        }
    }
}

impl FromStr for Bind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "off" {
            return Ok(Bind::Off);
        }
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Ok(Bind::At(address));
        }
        // Nothing binds a non-loopback address unless told to: a bare port means 127.0.0.1.
        let port =
            text.strip_prefix("localhost:").or_else(|| text.strip_prefix(':')).unwrap_or(text);
        if let Ok(port) = port.parse::<u16>() {
            return Ok(Bind::At(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)));
        }
        Err(format!(
            "{text:?} is not an address: write IP:PORT as in 127.0.0.1:8080, [::1]:8080 or 0.0.0.0:80, \
             a port alone for 127.0.0.1, or off"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read() {
        let rows = [
            ("127.0.0.1:8080", "127.0.0.1:8080"),
            ("0.0.0.0:80", "0.0.0.0:80"),
            ("[::1]:443", "[::1]:443"),
            ("8080", "127.0.0.1:8080"),
            (":8080", "127.0.0.1:8080"),
            ("localhost:0", "127.0.0.1:0"),
        ];
        for (text, address) in rows {
            assert_eq!(text.parse(), Ok(Bind::At(address.parse().unwrap())), "{text}");
        }
        assert_eq!("off".parse(), Ok(Bind::Off));
        for text in
            ["", "example.com:80", "1.2.3.4", "127.0.0.1:70000", "::1", "http://127.0.0.1:80"]
        {
            assert!(text.parse::<Bind>().is_err(), "{text}");
        }
    }
}
