//! Which message heads are refused because two readers could understand them differently
//! (`reliability.md` §1; RFC 9112 §6, "HTTP/1.1 must die").
//!
//! These rules see a parsed head. What a parser hides (whitespace before a colon, line folding,
//! equal Content-Length fields, chunk lines) is the listener's work.

use ::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version, header};

use super::host;
use crate::admission::Refusal;

/// The longest path and query, `?` included (CloudFront guide: quotas).
pub const MAX_URL: usize = 8192;

/// The longest head: method, path, query, and each field with the four octets of `: ` and CRLF
/// (CloudFront guide: quotas; the guide also says 20 KB in another place).
pub const MAX_HEAD: usize = 32_768;

/// The most fields in a request; each costs work and memory beyond its length.
pub const MAX_FIELDS: usize = 128;

/// The most fields in a response.
pub const MAX_RESPONSE_FIELDS: usize = 256;

/// What a checked request asks for; borrowed from its head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target<'a> {
    /// The one host, as sent, with its port. Empty only for HTTP/1.0 without Host.
    pub host: &'a str,
    /// The raw path; it begins with `/`.
    pub path: &'a str,
    /// The raw query without `?`.
    pub query: Option<&'a str>,
    /// Whether there is an Upgrade to look at: what it asks for is [`super::upgrade`]'s knowledge.
    pub has_upgrade: bool,
}

/// Why a head is malformed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Malformed {
    /// Transfer-Encoding is anything but one `chunked` on HTTP/1.1 without Content-Length.
    TransferEncoding,
    /// Content-Length is not one number of 1 to 18 digits.
    ContentLength,
    /// None, several, or invalid Host.
    Host,
    /// The request target is neither a path nor an http or https URL without userinfo.
    Target,
    /// A control character in a value.
    ControlCharacter,
    /// A name that CGI-like servers read as a framing field (`content_length`).
    UnderscoreTwin,
    /// A connection-specific field on HTTP/2 or HTTP/3 (RFC 9113 §8.2.2).
    ConnectionField,
    /// A version nobody speaks.
    Version,
}

/// Applies the rules to a request and says what it asks for. Allocates nothing.
pub fn check_request(head: &::http::request::Parts) -> Result<Target<'_>, Refusal> {
    if head.method == Method::CONNECT {
        // Its target is no path. Extended CONNECT (RFC 8441) is a feature of its own.
        return Err(Refusal::MethodNotAllowed);
    }
    let (path, query) = (head.uri.path(), head.uri.query());
    let url = path.len() + query.map_or(0, |query| query.len() + 1);
    if url > MAX_URL {
        return Err(Refusal::UrlTooLong);
    }
    if head.headers.len() > MAX_FIELDS {
        return Err(Refusal::TooManyFields);
    }
    let fields = Fields::read(&head.headers);
    if head.method.as_str().len() + url + fields.size > MAX_HEAD {
        return Err(Refusal::HeadTooLarge);
    }
    fields.check_framing(head.version).map_err(Refusal::Malformed)?;
    if head.version >= Version::HTTP_2 {
        check_multiplexed(&head.headers).map_err(Refusal::Malformed)?;
    }
    if !fields.expects_only_continue {
        return Err(Refusal::Expectation);
    }
    if !path.starts_with('/') {
        return Err(Refusal::Malformed(Malformed::Target)); // `*`, or nothing
    }
    let host = host_of(head, &fields).map_err(Refusal::Malformed)?;
    Ok(Target { host, path, query, has_upgrade: fields.has_upgrade })
}

/// Applies the rules to the head of an origin's response. The text completes "the origin's response …".
pub fn check_response(head: &::http::response::Parts) -> Result<(), &'static str> {
    if head.status == StatusCode::SWITCHING_PROTOCOLS {
        return Err("switches protocols (101), which nobody asked for");
    }
    if head.headers.len() > MAX_RESPONSE_FIELDS {
        return Err("has more than 256 header fields");
    }
    let mut fields = Fields::read(&head.headers);
    if fields.size > MAX_HEAD {
        return Err("has a head of more than 32768 bytes");
    }
    // RFC 9112 §6.3: such a response ends with its connection, for every reader.
    if fields.transfer_coding == Coding::Unknown {
        fields.transfer_coding = Coding::Chunked;
    }
    match fields.check_framing(head.version) {
        Err(Malformed::TransferEncoding) => Err(
            "has a Transfer-Encoding other than one \"chunked\", or one coding unknown here, on HTTP/1.1 \
             without Content-Length",
        ),
        Err(Malformed::ContentLength) => {
            Err("has a Content-Length that is not one number of 1 to 18 digits")
        }
        Err(Malformed::ControlCharacter) => Err("has a control character in a header value"),
        Err(Malformed::Version) => Err("is of an HTTP version that cannot be read"),
        // Underscores in a response's names confuse nobody: they reach no CGI.
        Err(_) | Ok(()) => Ok(()),
    }
}

/// What one pass over the fields tells.
#[derive(Debug)]
struct Fields<'a> {
    size: usize,
    host: Option<&'a HeaderValue>,
    hosts: usize,
    content_lengths: usize,
    content_length_is_number: bool,
    transfer_encodings: usize,
    transfer_coding: Coding,
    expects_only_continue: bool,
    has_upgrade: bool,
    has_control: bool,
    has_twin: bool,
}

impl<'a> Fields<'a> {
    fn read(headers: &'a HeaderMap) -> Self {
        let mut fields = Fields {
            size: 0,
            host: None,
            hosts: 0,
            content_lengths: 0,
            content_length_is_number: true,
            transfer_encodings: 0,
            transfer_coding: Coding::Chunked,
            expects_only_continue: true,
            has_upgrade: false,
            has_control: false,
            has_twin: false,
        };
        for (name, value) in headers {
            let octets = value.as_bytes();
            fields.size += name.as_str().len() + octets.len() + 4;
            fields.has_control |= has_control(octets);
            match *name {
                header::HOST => {
                    fields.hosts += 1;
                    fields.host = Some(value);
                }
                header::CONTENT_LENGTH => {
                    fields.content_lengths += 1;
                    fields.content_length_is_number &= is_length(octets);
                }
                header::TRANSFER_ENCODING => {
                    fields.transfer_encodings += 1;
                    fields.transfer_coding = Coding::of(octets);
                }
                header::EXPECT => {
                    fields.expects_only_continue &= octets.eq_ignore_ascii_case(b"100-continue");
                }
                header::UPGRADE => fields.has_upgrade = true,
                _ => fields.has_twin |= is_underscore_twin(name),
            }
        }
        fields
    }

    fn check_framing(&self, version: Version) -> Result<(), Malformed> {
        if version < Version::HTTP_10 {
            return Err(Malformed::Version);
        }
        let multiplexed = version >= Version::HTTP_2;
        if self.transfer_encodings > 0
            && (self.transfer_encodings > 1
                || self.transfer_coding != Coding::Chunked
                || version == Version::HTTP_10
                || multiplexed
                || self.content_lengths > 0)
        {
            return Err(Malformed::TransferEncoding);
        }
        if self.content_lengths > 1 || !self.content_length_is_number {
            return Err(Malformed::ContentLength);
        }
        if self.has_control {
            return Err(Malformed::ControlCharacter);
        }
        if self.has_twin {
            return Err(Malformed::UnderscoreTwin);
        }
        Ok(())
    }
}

/// What a Transfer-Encoding field says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coding {
    Chunked,
    /// One token that no coding here has.
    Unknown,
    /// A list, parameters, or a coding that would have to be undone.
    Refused,
}

impl Coding {
    fn of(octets: &[u8]) -> Self {
        let is = |name: &&str| octets.eq_ignore_ascii_case(name.as_bytes());
        if is(&"chunked") {
            return Coding::Chunked;
        }
        // What holds "chunked" may still be chunked for another reader.
        let holds_chunked = octets.to_ascii_lowercase().windows(7).any(|part| part == b"chunked");
        let is_token =
            octets.iter().all(|octet| octet.is_ascii_alphanumeric() || b"-._".contains(octet));
        match is_token && !octets.is_empty() && !holds_chunked && !COMPRESSIONS.iter().any(is) {
            true => Coding::Unknown,
            false => Coding::Refused,
        }
    }
}

/// The registered transfer codings besides chunked (RFC 9112 §7.2).
const COMPRESSIONS: [&str; 5] = ["gzip", "x-gzip", "deflate", "compress", "x-compress"];

/// The host that an absolute URL or `:authority` names, else the Host field's.
fn host_of<'a>(
    head: &'a ::http::request::Parts,
    fields: &Fields<'a>,
) -> Result<&'a str, Malformed> {
    if fields.hosts > 1 {
        return Err(Malformed::Host);
    }
    let field = match fields.host {
        Some(value) => {
            let text = value.to_str().map_err(|_| Malformed::Host)?;
            if !host::is_valid(text) {
                return Err(Malformed::Host);
            }
            Some(text)
        }
        None => None,
    };
    let Some(authority) = head.uri.authority() else {
        return match field {
            Some(host) => Ok(host),
            None if head.version < Version::HTTP_11 => Ok(""),
            None => Err(Malformed::Host),
        };
    };
    if !matches!(head.uri.scheme_str(), Some("http" | "https")) {
        return Err(Malformed::Target);
    }
    let authority = authority.as_str();
    if authority.contains('@') {
        return Err(Malformed::Target);
    }
    if !host::is_valid(authority) {
        return Err(Malformed::Host);
    }
    // HTTP/1.1: the URL replaces Host (RFC 9112 §3.2.2). Later versions: they must agree
    // (RFC 9113 §8.3.1).
    let must_agree = head.version >= Version::HTTP_2;
    if must_agree && field.is_some_and(|field| !field.eq_ignore_ascii_case(authority)) {
        return Err(Malformed::Host);
    }
    Ok(authority)
}

fn check_multiplexed(headers: &HeaderMap) -> Result<(), Malformed> {
    let has_other_te = || headers.get_all(header::TE).iter().any(|value| value != "trailers");
    if CONNECTION_SPECIFIC.iter().any(|name| headers.contains_key(name)) || has_other_te() {
        return Err(Malformed::ConnectionField);
    }
    Ok(())
}

const CONNECTION_SPECIFIC: [HeaderName; 4] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::UPGRADE,
];

fn has_control(octets: &[u8]) -> bool {
    any(octets, |octet| ((octet < b' ') & (octet != b'\t')) | (octet == 0x7f))
}

/// Whether any octet is so. Looks at eight at a time, the last eight overlapping those before: for
/// arrays compilers find wide instructions, and most names and values are too short for other loops.
fn any(octets: &[u8], is_so: impl Fn(u8) -> bool) -> bool {
    let any_of = |eight: &[u8; 8]| eight.iter().fold(false, |any, &octet| any | is_so(octet));
    match octets.last_chunk() {
        Some(last) => octets.as_chunks().0.iter().any(any_of) || any_of(last),
        None => octets.iter().any(|&octet| is_so(octet)),
    }
}

fn is_length(octets: &[u8]) -> bool {
    (1..=18).contains(&octets.len()) && octets.iter().all(u8::is_ascii_digit)
}

/// `content_length`, `Host_` and the like: CGI maps `-` and `_` to the same variable name.
fn is_underscore_twin(name: &HeaderName) -> bool {
    let name = name.as_str().as_bytes();
    if !any(name, |octet| octet == b'_') {
        return false;
    }
    let is_line = |byte: &u8| matches!(byte, b'_' | b'-');
    let start = name.iter().position(|byte| !is_line(byte)).unwrap_or(name.len());
    let end = name.iter().rposition(|byte| !is_line(byte)).map_or(start, |last| last + 1);
    let core = &name[start..end];
    FRAMING_NAMES.iter().any(|framing| {
        framing.len() == core.len()
            && core
                .iter()
                .zip(framing.as_bytes())
                .all(|(a, b)| a == b || (*a == b'_' && *b == b'-'))
    })
}

const FRAMING_NAMES: [&str; 8] = [
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "expect",
    "te",
    "trailer",
    "upgrade",
];

impl Malformed {
    /// The sentence of the error page.
    pub fn reason(self) -> &'static str {
        match self {
            Malformed::TransferEncoding => {
                "Bad request. Transfer-Encoding can only be one \"chunked\", on HTTP/1.1, without Content-Length."
            }
            Malformed::ContentLength => "Bad request. Content-Length must be one number.",
            Malformed::Host => "Bad request. There must be exactly one valid Host.",
            Malformed::Target => {
                "Bad request. The request target must be a path or an http(s) URL."
            }
            Malformed::ControlCharacter => "Bad request. A header value has a control character.",
            Malformed::UnderscoreTwin => {
                "Bad request. A header name with an underscore looks like one that frames the message."
            }
            Malformed::ConnectionField => {
                "Bad request. HTTP/2 and HTTP/3 have no connection-specific header fields."
            }
            Malformed::Version => "Bad request. HTTP/1.0, 1.1, 2 and 3 are spoken here.",
        }
    }

    /// `x-edge-detailed-result-type` of the access log.
    pub fn detailed_result(self) -> &'static str {
        match self {
            Malformed::Target | Malformed::Version => "InvalidRequest",
            _ => "InvalidRequestHeader",
        }
    }
}

#[cfg(test)]
mod tests;
