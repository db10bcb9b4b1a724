//! The value of one field of a CloudFront log, written as CloudFront writes it: `-` where there is none,
//! and everything that could break a line percent-encoded.

use std::borrow::Cow;
use std::io::Write as _;
use std::time::{Duration, SystemTime};

use http::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION};
use http::{HeaderMap, HeaderName, Version};
use warmfront::AccessRecord;
use warmfront::observe::Detail;
use warmfront_core::distribution::Role;
use warmfront_core::log_field::LogField;

use super::super::date::Moment;
use super::super::escape::{REDACTED, Redaction};
use super::cmcd;

/// A request, as its log fields are asked of it.
pub(super) struct Entry<'a> {
    record: &'a AccessRecord,
    detail: &'a Detail,
    redaction: &'a Redaction,
    include_cookies: bool,
    finished: SystemTime,
    /// How much of a list of cookies or headers is written, in bytes before they are encoded.
    limit: usize,
}

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

impl<'a> Entry<'a> {
    /// `None` for a record without detail, which no log of ours is fed with.
    pub(super) fn of(record: &'a AccessRecord, redaction: &'a Redaction) -> Option<Self> {
        let logging = record.distribution.as_ref().and_then(|found| found.logging.as_ref());
        Some(Self {
            record,
            detail: record.detail.as_deref()?,
            redaction,
            include_cookies: logging.is_some_and(|logging| logging.include_cookies),
            finished: record.received + record.time_taken,
            limit: usize::MAX,
        })
    }

    /// As real-time logs have it: cookies always, and lists cut.
    pub(super) fn in_real_time(self, limit: usize) -> Self {
        Self { include_cookies: true, limit, ..self }
    }

    /// When the last byte was out, or the viewer gone.
    pub(super) fn finished(&self) -> SystemTime {
        self.finished
    }

    /// Appends the value of `field`.
    pub(super) fn write(&self, out: &mut Vec<u8>, field: LogField) {
        use LogField as F;
        let (record, detail) = (self.record, self.detail);
        match field {
            F::Date => {
                let Moment { year, month, day, .. } = Moment::of(self.finished);
                number(out, format_args!("{year:04}-{month:02}-{day:02}"));
            }
            F::Time => {
                let Moment { hour, minute, second, .. } = Moment::of(self.finished);
                number(out, format_args!("{hour:02}:{minute:02}:{second:02}"));
            }
            F::Timestamp => {
                let since = since_1970(self.finished);
                number(out, format_args!("{}.{:03}", since.as_secs(), since.subsec_millis()));
            }
            F::TimestampMs => {
                number(out, format_args!("{}", since_1970(self.finished).as_millis()))
            }
            F::EdgeLocation => encode(out, warmfront::POP.as_bytes()),
            F::ScBytes => {
                number(out, format_args!("{}", detail.reply_head_bytes + record.body_bytes))
            }
            F::CsBytes => {
                let bytes = record.request_head_bytes() + detail.request_body_bytes;
                number(out, format_args!("{bytes}"));
            }
            F::ClientIp => number(out, format_args!("{}", record.viewer.ip().to_canonical())),
            F::ClientPort => number(out, format_args!("{}", record.viewer.port())),
            F::ServerIp => match detail.local_ip {
                Some(ip) => number(out, format_args!("{}", ip.to_canonical())),
                None => none(out),
            },
            F::IpVersion => {
                let is_v4 = record.viewer.ip().to_canonical().is_ipv4();
                encode(out, if is_v4 { b"IPv4" } else { b"IPv6" });
            }
            F::Method => encode(out, record.method.as_str().as_bytes()),
            F::Host => {
                let name = record.distribution.as_ref().map(|found| found.domain_name.as_str());
                encode(out, name.unwrap_or_default().as_bytes());
            }
            F::HostHeader => encode(out, self.host()),
            F::UriStem => encode(out, record.uri.path().as_bytes()),
            F::UriStemWithQuery => {
                encode(out, record.uri.path().as_bytes());
                if let Some(query) = self.query() {
                    out.push(b'?');
                    encode_some(out, query.as_bytes());
                }
            }
            F::UriQuery => encode(out, self.query().unwrap_or_default().as_bytes()),
            // CloudFront guide: 000 when the viewer closed the connection before there was a reply.
            F::Status => number(out, format_args!("{:03}", record.status)),
            F::Referer => encode(out, &self.referer()),
            F::UserAgent => encode(out, record.user_agent.as_ref().map_or(b"", |it| it.as_bytes())),
            F::Cookie if self.include_cookies => {
                let cookies = self.cookies();
                encode(out, self.cut(&cookies));
            }
            F::Cookie => none(out),
            F::ResultType => encode(out, record.final_result().0.as_bytes()),
            F::DetailedResultType => encode(out, record.final_result().1.as_bytes()),
            F::ResponseResultType => encode(out, record.result.as_bytes()),
            F::RequestId => out.extend_from_slice(record.request_id.as_str().as_bytes()),
            F::Protocol => {
                encode(out, detail.tunnel.unwrap_or(record.scheme.as_str()).as_bytes());
            }
            F::ProtocolVersion => encode(out, version(record.version).as_bytes()),
            F::TimeTaken => seconds(out, record.time_taken),
            F::TimeToFirstByte => match record.status {
                0 => none(out),
                _ => seconds(out, record.time_to_first_byte),
            },
            F::ForwardedFor => encode(out, &joined(&detail.headers, FORWARDED_FOR, b", ")),
            F::SslProtocol => {
                encode(out, record.tls.as_ref().map_or(b"", |tls| tls.protocol.as_bytes()));
            }
            F::SslCipher => {
                encode(out, record.tls.as_ref().map_or(b"", |tls| tls.cipher.as_bytes()))
            }
            F::ContentType => encode(out, value(&detail.content_type)),
            F::ContentLength => encode(out, value(&detail.content_length)),
            F::RangeStart => encode(out, self.range().map_or(b"", |(start, _)| start.as_bytes())),
            F::RangeEnd => encode(out, self.range().map_or(b"", |(_, end)| end.as_bytes())),
            F::Country => {
                encode(out, detail.country.as_ref().map_or(b"", |it| it.as_str().as_bytes()));
            }
            F::PathPattern => {
                let pattern = detail.behavior.as_ref().map(|found| found.path_pattern.as_str());
                encode(out, pattern.unwrap_or_default().as_bytes());
            }
            F::OriginFirstByte => optional_seconds(out, detail.origin_first_byte),
            F::OriginLastByte => optional_seconds(out, detail.origin_last_byte),
            F::Asn => match detail.asn {
                Some(asn) => number(out, format_args!("{asn}")),
                None => none(out),
            },
            F::OriginHost => encode(
                out,
                detail.origin.as_ref().map_or(b"", |origin| origin.domain_name.as_bytes()),
            ),
            F::OriginReason => match detail.failed_over {
                Some(status) => number(out, format_args!("Failover:{status}")),
                None => none(out),
            },
            F::AcceptEncoding => encode(out, &joined(&detail.headers, ACCEPT_ENCODING, b", ")),
            F::Accept => encode(out, &joined(&detail.headers, ACCEPT, b", ")),
            F::Headers => {
                let headers = self.headers();
                encode(out, self.cut(&headers));
            }
            F::HeaderNames => {
                let names = detail.headers.iter().flat_map(|(name, _)| [name.as_str(), "\n"]);
                encode(out, self.cut(names.collect::<String>().as_bytes()));
            }
            F::HeadersCount => number(out, format_args!("{}", detail.headers.len())),
            F::Cmcd(cmcd) => {
                let found = cmcd::value(&detail.headers, record.uri.query(), cmcd.key());
                encode(out, found.unwrap_or_default().as_bytes());
            }
            F::DistributionTenantId => {
                let role = record.distribution.as_ref().map(|found| (&found.role, &found.id));
                match role {
                    Some((Role::Tenant { .. }, id)) => encode(out, id.as_bytes()),
                    _ => none(out),
                }
            }
            F::PrimaryDistributionId => {
                encode(out, detail.primary.as_ref().map_or(b"", |found| found.id.as_bytes()));
            }
            F::PrimaryDistributionDnsName => {
                let name = detail.primary.as_ref().map(|found| found.domain_name.as_str());
                encode(out, name.unwrap_or_default().as_bytes());
            }
            // There is no field-level encryption, no media-quality score, no id of a connection here.
            F::FleStatus | F::FleEncryptedFields | F::ConnectionId | F::MqCs => none(out),
        }
    }

    /// Host as the viewer sent it; HTTP/2 has it in the target.
    fn host(&self) -> &[u8] {
        match (self.record.uri.authority(), &self.record.host) {
            (Some(authority), _) => authority.as_str().as_bytes(),
            (None, host) => value(host),
        }
    }

    fn query(&self) -> Option<Cow<'_, str>> {
        let query = self.record.uri.query()?;
        let hidden = self.redaction.pairs(query, '&');
        Some(hidden.map_or(Cow::Borrowed(query), Cow::Owned))
    }

    /// A page's address may carry the secrets of its own query.
    fn referer(&self) -> Cow<'_, [u8]> {
        let sent = value(&self.record.referer);
        let hidden = std::str::from_utf8(sent).ok().and_then(|text| {
            let (path, query) = text.split_once('?')?;
            Some(format!("{path}?{}", self.redaction.pairs(query, '&')?))
        });
        hidden.map_or(Cow::Borrowed(sent), |hidden| Cow::Owned(hidden.into_bytes()))
    }

    fn cookies(&self) -> Vec<u8> {
        let sent = joined(&self.detail.headers, COOKIE, b"; ");
        self.hidden(sent, ';')
    }

    fn hidden(&self, sent: Vec<u8>, separator: char) -> Vec<u8> {
        // A name that hides is ASCII, so what is no UTF-8 around it may be shown as such.
        let hidden = self.redaction.pairs(&String::from_utf8_lossy(&sent), separator);
        hidden.map_or(sent, String::into_bytes)
    }

    /// `name:value` a line; credentials are never written.
    fn headers(&self) -> Vec<u8> {
        let mut all = Vec::new();
        for (name, value) in &self.detail.headers {
            all.extend_from_slice(name.as_str().as_bytes());
            all.push(b':');
            match *name {
                AUTHORIZATION | PROXY_AUTHORIZATION => all.extend_from_slice(REDACTED.as_bytes()),
                COOKIE => all.extend(self.hidden(value.as_bytes().to_vec(), ';')),
                _ if self.redaction.hides(name.as_str()) => {
                    all.extend_from_slice(REDACTED.as_bytes());
                }
                http::header::REFERER => all.extend_from_slice(&self.referer()),
                _ => all.extend_from_slice(value.as_bytes()),
            }
            all.push(b'\n');
        }
        all
    }

    fn cut<'v>(&self, value: &'v [u8]) -> &'v [u8] {
        &value[..value.len().min(self.limit)]
    }

    /// First and last position of `Content-Range: bytes 0-499/1234`.
    fn range(&self) -> Option<(&str, &str)> {
        let range = self.detail.content_range.as_ref()?.to_str().ok()?;
        let (range, _) = range.strip_prefix("bytes ")?.split_once('/')?;
        range.split_once('-')
    }
}

/// Appends `bytes` percent-encoded, `-` for none (CloudFront guide: 0-32, 127 and above, and
/// ``< > " # % { } | \ ^ ~ [ ] ` '``).
pub(super) fn encode(out: &mut Vec<u8>, bytes: &[u8]) {
    if bytes.is_empty() { none(out) } else { encode_some(out, bytes) }
}

fn encode_some(out: &mut Vec<u8>, bytes: &[u8]) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for &byte in bytes {
        if byte.is_ascii_graphic() && !b"<>\"#%{}|\\^~[]`'".contains(&byte) {
            out.push(byte);
        } else {
            out.extend([b'%', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
        }
    }
}

fn none(out: &mut Vec<u8>) {
    out.push(b'-');
}

fn number(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    // Memory takes everything.
    let _ = out.write_fmt(text);
}

/// Seconds with three decimals.
fn seconds(out: &mut Vec<u8>, duration: Duration) {
    number(out, format_args!("{}.{:03}", duration.as_secs(), duration.subsec_millis()));
}

fn optional_seconds(out: &mut Vec<u8>, duration: Option<Duration>) {
    match duration {
        Some(duration) => seconds(out, duration),
        None => none(out),
    }
}

fn since_1970(time: SystemTime) -> Duration {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

fn version(version: Version) -> &'static str {
    match version {
        Version::HTTP_09 => "HTTP/0.9",
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2.0",
        Version::HTTP_3 => "HTTP/3.0",
        _ => "HTTP/1.1",
    }
}

fn value(value: &Option<http::HeaderValue>) -> &[u8] {
    value.as_ref().map_or(b"", |value| value.as_bytes())
}

/// All lines of a field.
fn joined(headers: &HeaderMap, name: HeaderName, separator: &[u8]) -> Vec<u8> {
    let lines: Vec<&[u8]> = headers.get_all(name).iter().map(|line| line.as_bytes()).collect();
    lines.join(separator)
}
