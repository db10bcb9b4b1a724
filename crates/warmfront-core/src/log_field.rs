//! The fields of CloudFront's access logs: which there are, how each log spells them, in which order.
//!
//! CloudFront guide: standard logging reference, and real-time logs (fields). How a value is found and
//! written is the program's work.

/// One field that a log line may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is explained by its name in the tables below")]
pub enum LogField {
    Date,
    Time,
    EdgeLocation,
    ScBytes,
    ClientIp,
    Method,
    /// The distribution's own domain name.
    Host,
    UriStem,
    Status,
    Referer,
    UserAgent,
    UriQuery,
    Cookie,
    ResultType,
    RequestId,
    /// The Host that the viewer sent.
    HostHeader,
    Protocol,
    CsBytes,
    TimeTaken,
    ForwardedFor,
    SslProtocol,
    SslCipher,
    ResponseResultType,
    ProtocolVersion,
    FleStatus,
    FleEncryptedFields,
    ClientPort,
    TimeToFirstByte,
    DetailedResultType,
    ContentType,
    ContentLength,
    RangeStart,
    RangeEnd,
    Country,
    PathPattern,
    /// Milliseconds since 1970.
    TimestampMs,
    OriginFirstByte,
    OriginLastByte,
    Asn,
    DistributionTenantId,
    ConnectionId,
    PrimaryDistributionId,
    PrimaryDistributionDnsName,
    OriginHost,
    OriginReason,
    MqCs,
    /// Seconds since 1970, with three decimals.
    Timestamp,
    ServerIp,
    /// Path and query.
    UriStemWithQuery,
    IpVersion,
    AcceptEncoding,
    Accept,
    Headers,
    HeaderNames,
    HeadersCount,
    Cmcd(Cmcd),
}

/// A key of Common Media Client Data (CTA-5004), which players send in headers or in the query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Cmcd(usize);

use LogField as F;

/// The fields of a standard log, version 1, in their order; version 2 spells them the same.
pub const STANDARD: [LogField; 33] = [
    F::Date,
    F::Time,
    F::EdgeLocation,
    F::ScBytes,
    F::ClientIp,
    F::Method,
    F::Host,
    F::UriStem,
    F::Status,
    F::Referer,
    F::UserAgent,
    F::UriQuery,
    F::Cookie,
    F::ResultType,
    F::RequestId,
    F::HostHeader,
    F::Protocol,
    F::CsBytes,
    F::TimeTaken,
    F::ForwardedFor,
    F::SslProtocol,
    F::SslCipher,
    F::ResponseResultType,
    F::ProtocolVersion,
    F::FleStatus,
    F::FleEncryptedFields,
    F::ClientPort,
    F::TimeToFirstByte,
    F::DetailedResultType,
    F::ContentType,
    F::ContentLength,
    F::RangeStart,
    F::RangeEnd,
];

/// How many of [`STANDARD_NAMES`] a log of version 2 has when nobody chooses.
pub const STANDARD_V2_DEFAULT: usize = 35;

/// Standard logs, version 2: the names, those of version 1 first.
pub const STANDARD_NAMES: [(&str, LogField); 46] = [
    ("date", F::Date),
    ("time", F::Time),
    ("x-edge-location", F::EdgeLocation),
    ("sc-bytes", F::ScBytes),
    ("c-ip", F::ClientIp),
    ("cs-method", F::Method),
    ("cs(Host)", F::Host),
    ("cs-uri-stem", F::UriStem),
    ("sc-status", F::Status),
    ("cs(Referer)", F::Referer),
    ("cs(User-Agent)", F::UserAgent),
    ("cs-uri-query", F::UriQuery),
    ("cs(Cookie)", F::Cookie),
    ("x-edge-result-type", F::ResultType),
    ("x-edge-request-id", F::RequestId),
    ("x-host-header", F::HostHeader),
    ("cs-protocol", F::Protocol),
    ("cs-bytes", F::CsBytes),
    ("time-taken", F::TimeTaken),
    ("x-forwarded-for", F::ForwardedFor),
    ("ssl-protocol", F::SslProtocol),
    ("ssl-cipher", F::SslCipher),
    ("x-edge-response-result-type", F::ResponseResultType),
    ("cs-protocol-version", F::ProtocolVersion),
    ("fle-status", F::FleStatus),
    ("fle-encrypted-fields", F::FleEncryptedFields),
    ("c-port", F::ClientPort),
    ("time-to-first-byte", F::TimeToFirstByte),
    ("x-edge-detailed-result-type", F::DetailedResultType),
    ("sc-content-type", F::ContentType),
    ("sc-content-len", F::ContentLength),
    ("sc-range-start", F::RangeStart),
    ("sc-range-end", F::RangeEnd),
    ("c-country", F::Country),
    ("cache-behavior-path-pattern", F::PathPattern),
    ("timestamp(ms)", F::TimestampMs),
    ("origin-fbl", F::OriginFirstByte),
    ("origin-lbl", F::OriginLastByte),
    ("asn", F::Asn),
    ("distribution-tenant-id", F::DistributionTenantId),
    ("connection-id", F::ConnectionId),
    ("primary-distribution-id", F::PrimaryDistributionId),
    ("primary-distribution-dns-name", F::PrimaryDistributionDnsName),
    ("r-host", F::OriginHost),
    ("sr-reason", F::OriginReason),
    ("x-edge-mqcs", F::MqCs),
];

/// Real-time logs: every name, in the order in which a record has them.
pub const REAL_TIME_NAMES: [(&str, LogField); 69] = [
    ("timestamp", F::Timestamp),
    ("c-ip", F::ClientIp),
    ("s-ip", F::ServerIp),
    ("time-to-first-byte", F::TimeToFirstByte),
    ("sc-status", F::Status),
    ("sc-bytes", F::ScBytes),
    ("cs-method", F::Method),
    ("cs-protocol", F::Protocol),
    ("cs-host", F::Host),
    ("cs-uri-stem", F::UriStemWithQuery),
    ("cs-bytes", F::CsBytes),
    ("x-edge-location", F::EdgeLocation),
    ("x-edge-request-id", F::RequestId),
    ("x-host-header", F::HostHeader),
    ("time-taken", F::TimeTaken),
    ("cs-protocol-version", F::ProtocolVersion),
    ("c-ip-version", F::IpVersion),
    ("cs-user-agent", F::UserAgent),
    ("cs-referer", F::Referer),
    ("cs-cookie", F::Cookie),
    ("cs-uri-query", F::UriQuery),
    ("x-edge-response-result-type", F::ResponseResultType),
    ("x-forwarded-for", F::ForwardedFor),
    ("ssl-protocol", F::SslProtocol),
    ("ssl-cipher", F::SslCipher),
    ("x-edge-result-type", F::ResultType),
    ("fle-encrypted-fields", F::FleEncryptedFields),
    ("fle-status", F::FleStatus),
    ("sc-content-type", F::ContentType),
    ("sc-content-len", F::ContentLength),
    ("sc-range-start", F::RangeStart),
    ("sc-range-end", F::RangeEnd),
    ("c-port", F::ClientPort),
    ("x-edge-detailed-result-type", F::DetailedResultType),
    ("c-country", F::Country),
    ("cs-accept-encoding", F::AcceptEncoding),
    ("cs-accept", F::Accept),
    ("cache-behavior-path-pattern", F::PathPattern),
    ("cs-headers", F::Headers),
    ("cs-header-names", F::HeaderNames),
    ("cs-headers-count", F::HeadersCount),
    ("primary-distribution-id", F::PrimaryDistributionId),
    ("primary-distribution-dns-name", F::PrimaryDistributionDnsName),
    ("origin-fbl", F::OriginFirstByte),
    ("origin-lbl", F::OriginLastByte),
    ("asn", F::Asn),
    ("cmcd-encoded-bitrate", F::Cmcd(Cmcd(0))),
    ("cmcd-buffer-length", F::Cmcd(Cmcd(1))),
    ("cmcd-buffer-starvation", F::Cmcd(Cmcd(2))),
    ("cmcd-content-id", F::Cmcd(Cmcd(3))),
    ("cmcd-object-duration", F::Cmcd(Cmcd(4))),
    ("cmcd-deadline", F::Cmcd(Cmcd(5))),
    ("cmcd-measured-throughput", F::Cmcd(Cmcd(6))),
    ("cmcd-next-object-request", F::Cmcd(Cmcd(7))),
    ("cmcd-next-range-request", F::Cmcd(Cmcd(8))),
    ("cmcd-object-type", F::Cmcd(Cmcd(9))),
    ("cmcd-playback-rate", F::Cmcd(Cmcd(10))),
    ("cmcd-requested-maximum-throughput", F::Cmcd(Cmcd(11))),
    ("cmcd-streaming-format", F::Cmcd(Cmcd(12))),
    ("cmcd-session-id", F::Cmcd(Cmcd(13))),
    ("cmcd-stream-type", F::Cmcd(Cmcd(14))),
    ("cmcd-startup", F::Cmcd(Cmcd(15))),
    ("cmcd-top-bitrate", F::Cmcd(Cmcd(16))),
    ("cmcd-version", F::Cmcd(Cmcd(17))),
    ("r-host", F::OriginHost),
    ("sr-reason", F::OriginReason),
    ("x-edge-mqcs", F::MqCs),
    ("distribution-tenant-id", F::DistributionTenantId),
    ("connection-id", F::ConnectionId),
];

/// CTA-5004, table 1, in the order of the fields.
const CMCD_KEYS: [&str; 18] = [
    "br", "bl", "bs", "cid", "d", "dl", "mtp", "nor", "nrr", "ot", "pr", "rtp", "sf", "sid", "st",
    "su", "tb", "v",
];

impl Cmcd {
    /// The key as players send it: `br`, `bl` …
    pub fn key(self) -> &'static str {
        CMCD_KEYS[self.0]
    }
}

impl LogField {
    /// A field by its name in standard logs.
    pub fn standard(name: &str) -> Option<Self> {
        named(&STANDARD_NAMES, name)
    }

    /// A field by its name in real-time logs.
    pub fn real_time(name: &str) -> Option<Self> {
        named(&REAL_TIME_NAMES, name)
    }

    /// How standard logs spell it; empty for a field that they do not have.
    pub fn standard_name(self) -> &'static str {
        let found = STANDARD_NAMES.iter().find(|(_, field)| *field == self);
        found.map_or("", |(name, _)| name)
    }
}

/// The fields of `chosen`, once each and in the order of a real-time record, however they were written.
pub fn in_real_time_order(chosen: &[LogField]) -> Vec<LogField> {
    let all = REAL_TIME_NAMES.iter().map(|(_, field)| *field);
    all.filter(|field| chosen.contains(field)).collect()
}

fn named(names: &[(&str, LogField)], name: &str) -> Option<LogField> {
    names.iter().find(|(known, _)| *known == name).map(|(_, field)| *field)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_name_and_every_field_of_a_log_is_there_once() {
        for names in [&STANDARD_NAMES[..], &REAL_TIME_NAMES[..]] {
            let distinct: HashSet<_> = names.iter().map(|(name, _)| name).collect();
            assert_eq!(distinct.len(), names.len());
            let distinct: HashSet<_> = names.iter().map(|(_, field)| field).collect();
            assert_eq!(distinct.len(), names.len());
        }
        for (index, field) in STANDARD.into_iter().enumerate() {
            assert_eq!(STANDARD_NAMES[index].1, field);
        }
    }

    #[test]
    fn media_data_keys_belong_to_their_names() {
        for (name, key) in [
            ("cmcd-encoded-bitrate", "br"),
            ("cmcd-content-id", "cid"),
            ("cmcd-next-range-request", "nrr"),
            ("cmcd-session-id", "sid"),
            ("cmcd-version", "v"),
        ] {
            let Some(LogField::Cmcd(cmcd)) = LogField::real_time(name) else { panic!("{name}") };
            assert_eq!(cmcd.key(), key);
        }
    }

    #[test]
    fn a_record_has_its_fields_in_the_fixed_order() {
        let chosen = ["connection-id", "c-ip", "asn", "timestamp", "c-ip"];
        let chosen: Vec<_> = chosen.iter().filter_map(|name| LogField::real_time(name)).collect();
        let expected = [F::Timestamp, F::ClientIp, F::Asn, F::ConnectionId];
        assert_eq!(in_real_time_order(&chosen), expected);
    }
}
