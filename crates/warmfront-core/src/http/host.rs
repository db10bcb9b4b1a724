//! The Host field and what stands for it: which values name exactly one host, and the name in them.

/// Whether `host` is a name or a bracketed IPv6 address, with or without a port.
///
/// Stricter than RFC 3986: no userinfo, no list, no percent-encoding, since two servers could read
/// those differently (`reliability.md` §1, rule 4).
pub fn is_valid(host: &str) -> bool {
    let (name, port) = match host.strip_prefix('[') {
        Some(rest) => {
            let Some((address, port)) = rest.split_once(']') else { return false };
            if !address
                .bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F' | b':' | b'.'))
            {
                return false;
            }
            match port.strip_prefix(':') {
                Some(port) => (address, port),
                None if port.is_empty() => (address, ""),
                None => return false,
            }
        }
        None => {
            // By octets: names are too short for a search that has to be set up first.
            let colon = host.bytes().position(|byte| byte == b':');
            let (name, port) = colon.map_or((host, ""), |at| (&host[..at], &host[at + 1..]));
            let is_plain =
                |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
            if !name.bytes().all(is_plain) {
                return false;
            }
            (name, port)
        }
    };
    !name.is_empty() && port.len() <= 5 && port.bytes().all(|byte| byte.is_ascii_digit())
}

/// The name alone: no port, no trailing dot; an IPv6 address keeps its brackets.
pub fn name(host: &str) -> &str {
    let name = match host.rsplit_once(':') {
        Some((name, port))
            if port.bytes().all(|byte| byte.is_ascii_digit()) && !inside_brackets(name) =>
        {
            name
        }
        _ => host,
    };
    name.strip_suffix('.').unwrap_or(name)
}

fn inside_brackets(head: &str) -> bool {
    head.starts_with('[') && !head.ends_with(']')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_name_or_address_with_or_without_a_port() {
        for host in [
            "a",
            "a.example",
            "a.example.",
            "a_b-c.example:80",
            "10.0.0.1:8080",
            "[::1]",
            "[::1]:8443",
            "[::ffff:10.0.0.1]:1",
            "a:",
            "XN--a",
        ] {
            assert!(is_valid(host), "{host}");
        }
    }

    #[test]
    fn whatever_could_be_read_as_another_host_is_none() {
        for host in [
            "", ":80", "a b", "a,b", "a, b", "u@a", "u:p@a", "a/b", "a?b", "a#b", "a:80:90",
            "a:8x", "a:123456", "[::1", "::1", "[::1]x", "[::1]:x", "[]", "[g::1]", "a%2eb", "ä",
            "a\\b",
        ] {
            assert!(!is_valid(host), "{host}");
        }
    }

    #[test]
    fn the_name_is_what_is_left_without_port_and_last_dot() {
        for (host, expected) in [
            ("a.example", "a.example"),
            ("a.example:80", "a.example"),
            ("a.example.:80", "a.example"),
            ("a:", "a"),
            ("[::1]:80", "[::1]"),
            ("[::1]", "[::1]"),
            ("", ""),
        ] {
            assert_eq!(name(host), expected, "{host}");
        }
    }
}
