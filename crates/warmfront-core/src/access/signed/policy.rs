//! A custom policy: one statement, read strictly (CloudFront guide: create a policy statement for a signed
//! URL that uses a custom policy).
//!
//! The shape is fixed and small, so the reader is too: no general JSON, no depth to bound. Keys come in
//! any order; one that is unknown or doubled makes the policy malformed, since ignoring a condition would
//! let more viewers in than the signer meant.

use std::net::{IpAddr, Ipv4Addr};

/// What a policy allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Policy {
    /// `None`: every object of the distributions that trust the key.
    pub(super) resource: Option<String>,
    /// Seconds since 1970.
    pub(super) expires: u64,
    /// Seconds since 1970; access begins after them.
    pub(super) begins: Option<u64>,
    pub(super) addresses: Option<Addresses>,
}

/// An IPv4 network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Addresses {
    network: u32,
    mask: u32,
}

/// A longer policy fits in no URL (CloudFront guide: URLs have at most 8,192 bytes).
const MAX_POLICY: usize = 8192;

impl Addresses {
    /// Whether `viewer` is in the network. No IPv6 viewer is (CloudFront guide: IP addresses).
    pub(super) fn contain(self, viewer: IpAddr) -> bool {
        match viewer.to_canonical() {
            IpAddr::V4(viewer) => viewer.to_bits() & self.mask == self.network,
            IpAddr::V6(_) => false,
        }
    }

    /// `192.0.2.0/24`, or one address.
    fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits))
                if bits.len() <= 2 && bits.bytes().all(|b| b.is_ascii_digit()) =>
            {
                (address, bits.parse::<u32>().ok().filter(|&bits| bits <= 32)?)
            }
            Some(_) => return None,
            None => (text, 32),
        };
        let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
        Some(Self { network: address.parse::<Ipv4Addr>().ok()?.to_bits() & mask, mask })
    }
}

impl Policy {
    /// `None` for whatever is not exactly a policy.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        if text.len() > MAX_POLICY {
            return None;
        }
        let mut reader = Reader { rest: std::str::from_utf8(text).ok()? };
        let mut statement = None;
        reader.object(|reader, key| match key {
            "Statement" if statement.is_none() => {
                reader.expect('[')?;
                statement = Some(reader.statement()?);
                reader.expect(']')
            }
            _ => None,
        })?;
        reader.skip_space();
        reader.rest.is_empty().then_some(statement?)
    }
}

/// What is left to read. Every method gives `None` for what may not stand there.
struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn statement(&mut self) -> Option<Policy> {
        let (mut resource, mut condition) = (None, None);
        self.object(|reader, key| match key {
            "Resource" if resource.is_none() => {
                resource = Some(reader.string()?);
                Some(())
            }
            "Condition" if condition.is_none() => {
                condition = Some(reader.condition()?);
                Some(())
            }
            _ => None,
        })?;
        let (expires, begins, addresses) = condition?;
        Some(Policy { resource, expires: expires?, begins, addresses })
    }

    fn condition(&mut self) -> Option<(Option<u64>, Option<u64>, Option<Addresses>)> {
        let (mut expires, mut begins, mut addresses) = (None, None, None);
        self.object(|reader, key| match key {
            "DateLessThan" if expires.is_none() => {
                expires = Some(reader.only("AWS:EpochTime", Self::number)?);
                Some(())
            }
            "DateGreaterThan" if begins.is_none() => {
                begins = Some(reader.only("AWS:EpochTime", Self::number)?);
                Some(())
            }
            "IpAddress" if addresses.is_none() => {
                let text = reader.only("AWS:SourceIp", Self::string)?;
                addresses = Some(Addresses::parse(&text)?);
                Some(())
            }
            _ => None,
        })?;
        Some((expires, begins, addresses))
    }

    /// An object with exactly this key.
    fn only<T>(&mut self, name: &str, read: impl Fn(&mut Self) -> Option<T>) -> Option<T> {
        let mut found = None;
        self.object(|reader, key| {
            if key != name || found.is_some() {
                return None;
            }
            found = Some(read(reader)?);
            Some(())
        })?;
        found
    }

    fn object(&mut self, mut entry: impl FnMut(&mut Self, &str) -> Option<()>) -> Option<()> {
        self.expect('{')?;
        if self.took('}') {
            return Some(());
        }
        loop {
            let key = self.string()?;
            self.expect(':')?;
            entry(self, &key)?;
            if self.took('}') {
                return Some(());
            }
            self.expect(',')?;
        }
    }

    fn string(&mut self) -> Option<String> {
        self.expect('"')?;
        let mut text = String::new();
        let mut characters = self.rest.chars();
        loop {
            match characters.next()? {
                '"' => break,
                '\\' => text.push(match characters.next()? {
                    plain @ ('"' | '\\' | '/') => plain,
                    'b' => '\u{8}',
                    'f' => '\u{c}',
                    'n' => '\n',
                    'r' => '\r',
                    't' => '\t',
                    // Halves of a pair name no character of a URL.
                    'u' => char::from_u32(hexadecimal(&mut characters)?)?,
                    _ => return None,
                }),
                control if control < ' ' => return None,
                plain => text.push(plain),
            }
        }
        self.rest = characters.as_str();
        Some(text)
    }

    /// A whole number without a sign.
    fn number(&mut self) -> Option<u64> {
        self.skip_space();
        let end = self.rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.rest.len());
        let (digits, rest) = self.rest.split_at(end);
        self.rest = rest;
        let leads_with_zero = digits.len() > 1 && digits.starts_with('0');
        super::seconds(digits).filter(|_| !leads_with_zero)
    }

    fn expect(&mut self, mark: char) -> Option<()> {
        self.took(mark).then_some(())
    }

    fn took(&mut self, mark: char) -> bool {
        self.skip_space();
        let rest = self.rest.strip_prefix(mark);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
    }
}

fn hexadecimal(characters: &mut std::str::Chars<'_>) -> Option<u32> {
    (0..4).try_fold(0, |code, _| Some(code << 4 | characters.next()?.to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Option<Policy> {
        Policy::parse(text.as_bytes())
    }

    #[test]
    fn a_policy_is_read_in_any_order_and_spacing() {
        let full = Policy {
            resource: Some("https://h/a?\u{e9}/\"".to_owned()),
            expires: 20,
            begins: Some(10),
            addresses: Addresses::parse("192.0.2.0/24"),
        };
        let text = r#" { "Statement" : [ { "Condition" : { "IpAddress" : { "AWS:SourceIp" : "192.0.2.0/24" } ,
            "DateGreaterThan" : { "AWS:EpochTime" : 10 } , "DateLessThan" : { "AWS:EpochTime" : 20 } } ,
            "Resource" : "https:\/\/h\/a?\u00e9/\"" } ] } "#;
        assert_eq!(parse(text), Some(full));
        let least = r#"{"Statement":[{"Condition":{"DateLessThan":{"AWS:EpochTime":1}}}]}"#;
        let expected = Policy { resource: None, expires: 1, begins: None, addresses: None };
        assert_eq!(parse(least), Some(expected));
    }

    #[test]
    fn what_is_not_exactly_a_policy_is_malformed() {
        const DATE: &str = r#""DateLessThan":{"AWS:EpochTime":1}"#;
        let statement =
            |condition: &str| format!(r#"{{"Statement":[{{"Condition":{{{condition}}}}}]}}"#);
        assert!(parse(&statement(DATE)).is_some());
        for condition in [
            "",
            r#""DateGreaterThan":{"AWS:EpochTime":1}"#,
            r#""DateLessThan":{"AWS:EpochTime":"1"}"#,
            r#""DateLessThan":{"AWS:EpochTime":-1}"#,
            r#""DateLessThan":{"AWS:EpochTime":1.5}"#,
            r#""DateLessThan":{"AWS:EpochTime":01}"#,
            r#""DateLessThan":{"AWS:EpochTime":1111111111111}"#,
            r#""DateLessThan":{"AWS:EpochTime":1,"AWS:EpochTime":2}"#,
            r#""DateLessThan":{"aws:epochtime":1}"#,
            r#""DateLessThan":{}"#,
            &format!("{DATE},{DATE}"),
            &format!("{DATE},\"NotIpAddress\":{{\"AWS:SourceIp\":\"1.2.3.4\"}}"),
            &format!("{DATE},\"IpAddress\":{{\"AWS:SourceIp\":\"1.2.3.4/33\"}}"),
            &format!("{DATE},\"IpAddress\":{{\"AWS:SourceIp\":\"1.2.3/8\"}}"),
            &format!("{DATE},\"IpAddress\":{{\"AWS:SourceIp\":\"2001:db8::/32\"}}"),
            &format!("{DATE},\"IpAddress\":{{\"AWS:SourceIp\":[\"1.2.3.4\"]}}"),
        ] {
            assert_eq!(parse(&statement(condition)), None, "{condition}");
        }
        let good = statement(DATE);
        for text in [
            "",
            "{}",
            "[]",
            r#"{"Statement":[]}"#,
            &good.replace("[{", "{").replace("}]", "}"),
            &good.replace("}]", "},{}]"),
            &good.replace("[{", r#"[{"Effect":"Deny","#),
            &format!("{good}x"),
            &good.replace("Statement", "statement"),
            &format!("{good}{}", " ".repeat(MAX_POLICY)),
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(Policy::parse(b"\xff"), None);
    }

    #[test]
    fn a_network_holds_its_addresses_and_no_ipv6_ones() {
        let rows = [
            ("192.0.2.0/24", "192.0.2.255", true),
            ("192.0.2.77/24", "192.0.2.1", true),
            ("192.0.2.0/24", "192.0.3.0", false),
            ("192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("192.0.2.1/32", "::ffff:192.0.2.1", true),
        ];
        for (network, viewer, expected) in rows {
            let addresses = Addresses::parse(network).unwrap();
            assert_eq!(addresses.contain(viewer.parse().unwrap()), expected, "{network} {viewer}");
        }
    }

    proptest! {
        #[test]
        fn any_text_ends_in_an_answer(text in r#"[{}\[\]":,\\u0-9a-fAWSSTEpochTime ]{0,80}"#) {
            parse(&text);
        }
    }
}
