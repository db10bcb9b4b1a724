//! What lines look like, whatever viewers send.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderValue, Method, Version};
use warmfront::observe::Detail;
use warmfront::{AccessRecord, RequestId, TlsInfo};
use warmfront_core::Distribution;
use warmfront_core::log_field::{LogField, STANDARD_NAMES, in_real_time_order};
use warmfront_core::origin::Scheme;

use super::super::escape::Redaction;
use super::value::Entry;
use super::{delimited, is_sampled, layout, standard_line};
use crate::cli::StandardFormat;

const SOURCE: &str = "
Resources:
  Edge:
    Type: AWS::CloudFront::Distribution
    Properties:
      DistributionConfig:
        Enabled: true
        Logging: {Bucket: my-logs.s3.amazonaws.com, Prefix: PREFIX, IncludeCookies: COOKIES}
        Origins: [{Id: app, DomainName: app.example.com, CustomOriginConfig: {OriginProtocolPolicy: http-only}}]
        CacheBehaviors: [{PathPattern: '/a/*', TargetOriginId: app, ViewerProtocolPolicy: allow-all, CachePolicyId: CachingOptimized}]
        DefaultCacheBehavior: {TargetOriginId: app, ViewerProtocolPolicy: allow-all, CachePolicyId: CachingOptimized}
";

fn distribution(prefix: &str, cookies: bool) -> Arc<Distribution> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("shop.yml");
    let text = SOURCE.replace("PREFIX", prefix).replace("COOKIES", &cookies.to_string());
    std::fs::write(&path, text).unwrap();
    let mut loaded = warmfront_config::load(&path, &Default::default()).unwrap();
    let said = warmfront_config::render_human(&loaded);
    loaded.stack.take().expect(&said).distributions[0].clone()
}

/// 2025-12-31 23:59:58.500, and the answer took a second and a half.
const RECEIVED: Duration = Duration::from_millis(1_767_225_598_500);

fn record(target: &'static str, headers: &[(&'static str, &[u8])]) -> AccessRecord {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(*name, HeaderValue::from_bytes(value).unwrap());
    }
    let distribution = distribution("''", true);
    let detail = Detail {
        local_ip: Some("192.0.2.1".parse().unwrap()),
        request_body_bytes: 7,
        behavior: Some(distribution.behaviors[0].clone()),
        reply_head_bytes: 92,
        content_type: Some(HeaderValue::from_static("text/html; charset=utf-8")),
        content_length: Some(HeaderValue::from_static("500")),
        content_range: Some(HeaderValue::from_static("bytes 0-499/1234")),
        headers: map.clone(),
        ..Detail::default()
    };
    AccessRecord {
        request_id: RequestId::random(),
        received: SystemTime::UNIX_EPOCH + RECEIVED,
        viewer: "[::ffff:192.0.2.100]:11040".parse().unwrap(),
        scheme: Scheme::Https,
        tls: Some(Arc::new(TlsInfo {
            protocol: "TLSv1.3".to_owned(),
            cipher: "TLS_AES_128_GCM_SHA256".to_owned(),
            sni: None,
            handshake: warmfront::Handshake::Full,
        })),
        version: Version::HTTP_11,
        method: Method::GET,
        uri: http::Uri::from_static(target),
        host: map.get("host").cloned(),
        referer: map.get("referer").cloned(),
        user_agent: map.get("user-agent").cloned(),
        distribution: Some(distribution),
        status: 206,
        result: "Hit",
        detailed_result: "Hit",
        cache: warmfront::reasons::CacheRecord::default(),
        body_bytes: 500,
        time_to_first_byte: Duration::from_millis(1),
        time_taken: Duration::from_millis(1500),
        complete: true,
        failure: None,
        detail: Some(Box::new(detail)),
    }
}

fn line(format: StandardFormat, names: &[&str], record: &AccessRecord, hidden: &[&str]) -> String {
    let fields: Vec<_> = names.iter().map(|name| LogField::standard(name).unwrap()).collect();
    let hidden: Vec<String> = hidden.iter().map(|name| (*name).to_owned()).collect();
    let line = standard_line(format, &fields, record, &Redaction::new(&hidden));
    String::from_utf8(line).unwrap()
}

#[track_caller]
fn check(record: &AccessRecord, rows: &[(&str, &str)]) {
    for (name, expected) in rows {
        let found = line(StandardFormat::Plain, &[name], record, &[]);
        assert_eq!(found, format!("{expected}\n"), "{name}");
    }
}

fn real_time(names: &[&str], record: &AccessRecord, hidden: &[&str]) -> String {
    let fields: Vec<_> = names.iter().map(|name| LogField::real_time(name).unwrap()).collect();
    let hidden: Vec<String> = hidden.iter().map(|name| (*name).to_owned()).collect();
    let redaction = Redaction::new(&hidden);
    let mut out = Vec::new();
    let entry = Entry::of(record, &redaction).unwrap();
    delimited::write_real_time(&mut out, entry, &in_real_time_order(&fields));
    String::from_utf8(out).unwrap()
}

#[test]
fn version_1_is_33_fields_in_their_order() {
    let record = record(
        "/a/b.html?x=1&y=a%20b",
        &[
            ("host", b"shop.example.com"),
            ("user-agent", b"Mozilla/5.0 (X11)"),
            ("x-forwarded-for", b"198.51.100.7"),
            ("cookie", b"a=1"),
            ("cookie", b"b=2"),
        ],
    );
    let distribution = record.distribution.as_ref().unwrap().domain_name.clone();
    let id = record.request_id.to_string();
    let sent = record.request_head_bytes() + 7;
    let expected = format!(
        "2026-01-01 00:00:00 WFT50-P1 592 192.0.2.100 GET {distribution} /a/b.html 206 - \
         Mozilla/5.0%20(X11) x=1&y=a%2520b a=1;%20b=2 Hit {id} shop.example.com https {sent} 1.500 \
         198.51.100.7 TLSv1.3 TLS_AES_128_GCM_SHA256 Hit HTTP/1.1 - - 11040 0.001 Hit \
         text/html;%20charset=utf-8 500 0 499\n"
    );
    let found = line(StandardFormat::V1, &[], &record, &[]);
    assert_eq!(found, expected.replace(' ', "\t"));
    assert_eq!(found.split('\t').count(), 33);
    let header =
        String::from_utf8(delimited::header(&warmfront_core::log_field::STANDARD)).unwrap();
    assert_eq!(
        header,
        "#Version: 1.0\n#Fields: date time x-edge-location sc-bytes c-ip cs-method cs(Host) \
         cs-uri-stem sc-status cs(Referer) cs(User-Agent) cs-uri-query cs(Cookie) \
         x-edge-result-type x-edge-request-id x-host-header cs-protocol cs-bytes time-taken \
         x-forwarded-for ssl-protocol ssl-cipher x-edge-response-result-type cs-protocol-version \
         fle-status fle-encrypted-fields c-port time-to-first-byte x-edge-detailed-result-type \
         sc-content-type sc-content-len sc-range-start sc-range-end\n"
    );
}

#[test]
fn no_value_breaks_a_line_or_an_object() {
    let long = vec![b'"'; 10 << 10];
    let hostile: [&[u8]; 6] =
        [b"a\tb", b"\"\\\"{}", b"\xff\xfe\xc3", b"%0a\t%00", b"<script>`'|^~[]#", &long];
    for value in hostile {
        let all = [
            ("user-agent", value),
            ("referer", value),
            ("cookie", value),
            ("x-forwarded-for", value),
        ];
        let record = record("/a", &all);
        let v1 = line(StandardFormat::V1, &[], &record, &["secret"]);
        assert_eq!(v1.matches('\t').count(), 32);
        assert_eq!(v1.find('\n'), Some(v1.len() - 1));
        let allowed = |byte: u8| byte.is_ascii_graphic() && !b"\"\\{}".contains(&byte);
        assert!(v1.bytes().all(|byte| allowed(byte) || byte == b'\t' || byte == b'\n'), "{v1}");
        let names: Vec<&str> = STANDARD_NAMES.iter().map(|(name, _)| *name).collect();
        let json = line(StandardFormat::Json, &names, &record, &[]);
        let parsed: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(parsed.as_object().unwrap().len(), names.len());
        assert_eq!(json.find('\n'), Some(json.len() - 1));
        let names: Vec<&str> =
            warmfront_core::log_field::REAL_TIME_NAMES.iter().map(|(name, _)| *name).collect();
        let record = real_time(&names, &record, &[]);
        assert_eq!((record.matches('\t').count(), record.matches('\n').count()), (68, 1));
    }
    let mut out = Vec::new();
    super::value::encode(&mut out, b"a b\r\n\t\0\x7f\xff<>\"#%{}|\\^~[]`'-_.!*()&=?/");
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "a%20b%0D%0A%09%00%7F%FF%3C%3E%22%23%25%7B%7D%7C%5C%5E%7E%5B%5D%60%27-_.!*()&=?/"
    );
}

#[test]
fn what_is_not_known_is_a_dash() {
    let mut record = record("/a", &[]);
    (record.tls, record.scheme, record.distribution) = (None, Scheme::Http, None);
    let detail = record.detail.as_mut().unwrap();
    (detail.content_type, detail.content_length, detail.content_range) = (None, None, None);
    detail.behavior = None;
    for (name, _) in STANDARD_NAMES.iter().filter(|(name, _)| {
        let known = ["date", "time", "sc-", "c-ip", "c-port", "cs-", "x-edge", "timestamp"];
        !known.iter().any(|known| name.starts_with(known))
    }) {
        if !["time-taken", "time-to-first-byte"].contains(name) {
            check(&record, &[(name, "-")]);
        }
    }
    check(&record, &[("cs-protocol", "http"), ("sc-range-start", "-"), ("cs-uri-query", "-")]);
}

#[test]
fn a_viewer_that_left_is_told_as_cloudfront_tells_it() {
    let mut gone = record("/a", &[]);
    (gone.status, gone.result, gone.detailed_result) = (0, "Error", "ClientHungUpRequest");
    (gone.complete, gone.body_bytes) = (false, 0);
    gone.detail.as_mut().unwrap().reply_head_bytes = 0;
    check(
        &gone,
        &[
            ("sc-status", "000"),
            ("sc-bytes", "0"),
            ("time-to-first-byte", "-"),
            ("x-edge-result-type", "Error"),
            ("x-edge-detailed-result-type", "ClientHungUpRequest"),
        ],
    );
    let mut cut = record("/a", &[]);
    cut.complete = false;
    check(
        &cut,
        &[
            ("x-edge-response-result-type", "Hit"),
            ("x-edge-result-type", "Error"),
            ("x-edge-detailed-result-type", "ClientCommError"),
        ],
    );
}

#[test]
fn version_2_has_the_fields_that_were_chosen() {
    let record = record("/a/b?c", &[("cookie", b"a=1")]);
    let names = ["timestamp(ms)", "cache-behavior-path-pattern", "cs(Cookie)", "asn", "r-host"];
    assert_eq!(
        line(StandardFormat::Json, &names, &record, &[]),
        "{\"timestamp(ms)\":\"1767225600000\",\"cache-behavior-path-pattern\":\"/a/*\",\
         \"cs(Cookie)\":\"a=1\",\"asn\":\"-\",\"r-host\":\"-\"}\n"
    );
    assert_eq!(line(StandardFormat::W3c, &names, &record, &[]), "1767225600000\t/a/*\ta=1\t-\t-\n");
}

#[test]
fn the_origin_that_was_asked_last_is_told_and_what_led_to_it() {
    let mut record = record("/a", &[]);
    let origin = record.distribution.as_ref().unwrap().origins[0].clone();
    let detail = record.detail.as_mut().unwrap();
    detail.origin = Some(origin);
    detail.origin_first_byte = Some(Duration::from_millis(12));
    check(&record, &[("r-host", "app.example.com"), ("sr-reason", "-"), ("origin-fbl", "0.012")]);
    record.detail.as_mut().unwrap().failed_over = Some(502);
    check(&record, &[("sr-reason", "Failover:502"), ("origin-lbl", "-")]);
}

#[test]
fn tenants_share_a_file_and_staging_names_its_primary() {
    let mut record = record("/a", &[]);
    let primary = record.distribution.clone().unwrap();
    check(&record, &[("distribution-tenant-id", "-"), ("primary-distribution-id", "-")]);
    record.detail.as_mut().unwrap().primary = Some(primary.clone());
    check(
        &record,
        &[
            ("primary-distribution-id", &primary.id),
            ("primary-distribution-dns-name", &primary.domain_name),
        ],
    );
    let mut tenant = (*primary).clone();
    let template = std::mem::replace(&mut tenant.id, "dt_1".to_owned());
    tenant.role = warmfront_core::distribution::Role::Tenant { template: template.clone() };
    let time = SystemTime::UNIX_EPOCH + RECEIVED;
    let name = layout::version_2(&tenant, "1", "{DistributionId}", time);
    assert_eq!(name, format!("AWSLogs/1/CloudFront/{template}/{template}.2025-12-31-23"));
    record.distribution = Some(Arc::new(tenant));
    check(&record, &[("distribution-tenant-id", "dt_1")]);
}

#[test]
fn cookies_are_logged_only_where_the_distribution_says_so() {
    let mut record = record("/a", &[("cookie", b"a=1")]);
    check(&record, &[("cs(Cookie)", "a=1")]);
    record.distribution = Some(distribution("''", false));
    check(&record, &[("cs(Cookie)", "-")]);
}

#[test]
fn secrets_are_hidden_in_queries_cookies_referers_and_headers() {
    let record = record(
        "/a?v=1&Signature=geheim&token=geheim",
        &[
            ("referer", b"https://a.example/?Token=geheim&b=c"),
            ("cookie", b"CloudFront-Signature=geheim; token=geheim; ok=1"),
            ("authorization", b"Basic geheim"),
            ("token", b"geheim"),
        ],
    );
    let hidden = ["TOKEN"];
    let v1 = line(StandardFormat::V1, &[], &record, &hidden);
    let names = ["cs-uri-stem", "cs-uri-query", "cs-cookie", "cs-headers", "cs-referer"];
    let record = real_time(&names, &record, &hidden);
    for text in [&v1, &record] {
        assert!(!text.contains("geheim"), "{text}");
        assert!(text.contains("v=1&Signature=REDACTED&token=REDACTED"), "{text}");
        assert!(text.contains("https://a.example/?Token=REDACTED&b=c"), "{text}");
        assert!(text.contains("token=REDACTED;%20ok=1"), "{text}");
    }
    assert!(record.contains("authorization:REDACTED%0Atoken:REDACTED%0A"), "{record}");
}

#[test]
fn real_time_records_have_the_query_in_the_stem_and_short_lists() {
    let long = vec![b'x'; 10 << 10];
    let record = record(
        "/a/b?c=d",
        &[
            ("host", b"a.example"),
            ("cookie", &long),
            ("accept", b"text/html"),
            ("accept-encoding", b"gzip"),
            ("cmcd-object", b"br=3200"),
        ],
    );
    let names = [
        "cs-uri-stem",
        "timestamp",
        "c-ip-version",
        "s-ip",
        "cs-accept-encoding",
        "cs-accept",
        "cs-header-names",
        "cs-headers-count",
        "cmcd-encoded-bitrate",
        "cmcd-version",
    ];
    assert_eq!(
        real_time(&names, &record, &[]),
        "1767225600.000\t192.0.2.1\t/a/b?c=d\tIPv4\tgzip\ttext/html\t\
         host%0Acookie%0Aaccept%0Aaccept-encoding%0Acmcd-object%0A\t5\t3200\t-\n"
    );
    assert_eq!(real_time(&["cs-cookie"], &record, &[]).len(), 800 + 1);
    let headers = real_time(&["cs-headers"], &record, &[]);
    assert!(headers.starts_with("host:a.example%0Acookie:xxx"), "{headers}");
    assert_eq!(headers.replace("%0A", "\n").len(), 800 + 1);
}

#[test]
fn so_many_of_a_hundred_are_sampled() {
    for rate in [1, 50, 100] {
        assert_eq!((0..100).filter(|chance| is_sampled(rate, *chance)).count(), usize::from(rate));
    }
}

#[test]
fn files_are_named_as_in_the_bucket_and_stay_below_their_directory() {
    let time = SystemTime::UNIX_EPOCH + RECEIVED;
    for (prefix, start) in [
        ("''", "my-logs/"),
        ("shop", "my-logs/shop/"),
        ("shop/cdn/", "my-logs/shop/cdn/"),
        ("/../../etc", "my-logs/_/_/etc/"),
    ] {
        let distribution = distribution(prefix, false);
        let name = layout::version_1(&distribution, time).unwrap();
        assert_eq!(name, format!("{start}{}.2025-12-31-23", distribution.id));
    }
    let distribution = distribution("x", false);
    let id = &distribution.id;
    assert_eq!(
        layout::version_2(&distribution, "000000000000", "", time),
        format!("AWSLogs/000000000000/CloudFront/{id}.2025-12-31-23")
    );
    assert_eq!(
        layout::version_2(
            &distribution,
            "1",
            "../{DistributionId}/year={yyyy}/{MM}/{dd}/{HH}",
            time
        ),
        format!("AWSLogs/1/CloudFront/_/{id}/year=2025/12/31/23/{id}.2025-12-31-23")
    );
    assert_eq!(layout::real_time("watch", time), "watch/watch.2025-12-31-23");
}
