//! Signatures held against those of AWS's documentation and of botocore 1.44.8.

use std::time::{Duration, UNIX_EPOCH};

use http::{Method, Uri};
use warmfront_core::origin::SigningBehavior;

use super::*;

/// 2015-08-30 12:36:00, the moment of AWS's test suite.
const MOMENT: u64 = 1_440_938_160;

fn key(token: Option<&str>) -> AccessKey {
    AccessKey {
        id: "AKIDEXAMPLE".to_owned(),
        secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned(),
        session_token: token.map(str::to_owned),
    }
}

fn signed(
    key: &AccessKey,
    (service, region): (&str, &str),
    seconds: u64,
    (method, host, target): (&str, &str, &str),
    fields: &[(&'static str, &'static str)],
    has_body: bool,
) -> HeaderMap {
    let control = OriginAccessControl {
        signing: SigningBehavior::Always,
        service: service.to_owned(),
        region: region.to_owned(),
    };
    let mut headers = HeaderMap::new();
    headers.insert(HOST, HeaderValue::from_str(host).unwrap());
    for (name, value) in fields {
        headers.append(*name, HeaderValue::from_static(value));
    }
    let (method, uri): (Method, Uri) = (method.parse().unwrap(), target.parse().unwrap());
    let now = UNIX_EPOCH + Duration::from_secs(seconds);
    // Twice: a second attempt signs over what the first one left.
    for earlier in [60, 0] {
        let request = Signable { method: &method, uri: &uri, headers: &mut headers, has_body };
        sign(key, &control, request, now - Duration::from_secs(earlier));
    }
    headers
}

fn signature(headers: &HeaderMap) -> &str {
    headers[AUTHORIZATION].to_str().unwrap().rsplit_once("Signature=").unwrap().1
}

const BUCKET: &str = "bucket.s3.eu-central-1.amazonaws.com";
const FUNCTION: &str = "abc.lambda-url.us-west-2.on.aws";

#[test]
fn requests_are_signed_as_botocore_signs_them() {
    let (s3, lambda) = (("s3", "eu-central-1"), ("lambda", "us-west-2"));
    let hash = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    let rows = [
        (
            (s3, "GET", BUCKET, "/", &[][..], false),
            "a3f4438846edcfb1ff92eb1b8772529149defb9298b097bd12d50ee663708cd8",
        ),
        (
            (s3, "GET", BUCKET, "/a%20b/%C3%A4%2Bc~d//e/../f", &[], false),
            "1219a08d90d5b7ba9941bec1cc7835b5097b2ed35e3c509742c0338ceedf800d",
        ),
        // The same key, written otherwise by a viewer.
        (
            (s3, "GET", BUCKET, "/a%20b/%c3%a4+c%7ed//e/../f", &[], false),
            "1219a08d90d5b7ba9941bec1cc7835b5097b2ed35e3c509742c0338ceedf800d",
        ),
        (
            (s3, "GET", BUCKET, "/a?b=2&a=1%2F2&c", &[], false),
            "c0ae9608c18edb8a7c2deeede0e007ded46f768f4c596d21e32ce4dc6023ff37",
        ),
        (
            (s3, "GET", BUCKET, "/a?b=2&a=1/2&c=", &[], false),
            "c0ae9608c18edb8a7c2deeede0e007ded46f768f4c596d21e32ce4dc6023ff37",
        ),
        (
            (s3, "HEAD", BUCKET, "/a", &[("x-amz-cf-id", "id==")], false),
            "bd38d7f31eefb61e0c260b846ff76da733786ec4b5dd43b26ee23c5eddd8f964",
        ),
        (
            (s3, "PUT", BUCKET, "/a", &[("authorization", "Bearer viewer")], true),
            "7847585366067d3cce9607f066db37eadaeaf7d5485bbcca82b8f15a3e0ffc04",
        ),
        (
            (lambda, "GET", FUNCTION, "/", &[("x-amz-content-sha256", "forged")], false),
            "d6ab69c4a07c2832c5e1def811fea20eb5bd21fc5c2f810c919822b8046176a2",
        ),
        (
            (lambda, "GET", FUNCTION, "/a%20b//c/../d/", &[], false),
            "d771718eab719dec313e7b1e030eacf91766c50091fd0f741f149834005c4219",
        ),
        (
            (lambda, "POST", FUNCTION, "/a", &[("x-amz-content-sha256", hash)], true),
            "091292baccd9e8f5f0d10b4d6ae4bc8c10038348bef340935fbe30514a3b9341",
        ),
    ];
    for ((scope, method, host, target, fields, has_body), expected) in rows {
        let headers = signed(&key(None), scope, MOMENT, (method, host, target), fields, has_body);
        assert_eq!(signature(&headers), expected, "{method} {target}");
    }
}

#[test]
fn requests_are_signed_as_in_the_documentation_of_s3() {
    // Amazon S3 API Reference: Signature Calculations for the Authorization Header, examples.
    let key = AccessKey {
        id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
        secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned(),
        session_token: None,
    };
    for (target, expected) in [
        ("/?lifecycle", "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"),
        (
            "/?max-keys=2&prefix=J",
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        ),
    ] {
        let request = ("GET", "examplebucket.s3.amazonaws.com", target);
        let headers = signed(&key, ("s3", "us-east-1"), 1_369_353_600, request, &[], false);
        assert_eq!(signature(&headers), expected, "{target}");
        let start = "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, \
            SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=";
        assert!(headers[AUTHORIZATION].to_str().unwrap().starts_with(start));
    }
}

#[test]
fn a_temporary_key_brings_its_token() {
    let fields = [("x-amz-security-token", "of the viewer")];
    let request = ("GET", BUCKET, "/a");
    let headers =
        signed(&key(Some("TOKEN/+=")), ("s3", "eu-central-1"), MOMENT, request, &fields, false);
    let expected = "c8f361e76fd7bea724dc1fa62b141ac7a31550aea296fb78cd4445d0af081bad";
    assert_eq!(signature(&headers), expected);
    assert_eq!(headers[X_AMZ_SECURITY_TOKEN], "TOKEN/+=");
    assert!(headers[X_AMZ_SECURITY_TOKEN].is_sensitive() && headers[AUTHORIZATION].is_sensitive());
}

#[test]
fn secrets_are_not_shown() {
    let shown = format!("{:?}", key(Some("TOKEN")));
    assert!(shown.contains("AKIDEXAMPLE") && !shown.contains("wJalr") && !shown.contains("TOKEN"));
}

#[test]
fn hmac_is_that_of_rfc_4231() {
    let rows: [(&[u8], &[u8], &str); 3] = [
        (
            &[0x0b; 20],
            b"Hi There",
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
        ),
        (
            b"Jefe",
            b"what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
        (
            &[0xaa; 131],
            b"Test Using Larger Than Block-Size Key - Hash Key First",
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        ),
    ];
    for (key, text, expected) in rows {
        assert_eq!(hex(&hmac(key, text)), expected);
    }
}

#[test]
fn any_path_and_query_have_a_canonical_form() {
    for (path, s3, other) in [
        ("/", "/", "/"),
        ("/%", "/%25", "/%25"),
        ("/%zz%4", "/%25zz%254", "/%25zz%254"),
        ("/../..", "/../..", "/"),
        ("//a/./b//", "//a/./b//", "/a/b/"),
        ("/a=b;c", "/a%3Db%3Bc", "/a%3Db%3Bc"),
    ] {
        assert_eq!(canonical_path(path, true), s3, "{path}");
        assert_eq!(canonical_path(path, false), other, "{path}");
    }
    assert_eq!(canonical_query("&&=&b+c=%41%&a"), "=&a=&b%20c=A%25");
}

#[test]
fn nobody_copies_from_other_buckets_with_our_key() {
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("host", "bucket.example"),
        ("x-amz-meta-a", "1"),
        ("x-amz-copy-source", "/other-bucket/secret"),
        ("x-amz-copy-source-range", "bytes=0-9"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let (names, lines) = canonical_headers(&headers);
    assert_eq!(names, "host;x-amz-meta-a");
    assert_eq!(lines, b"host:bucket.example\nx-amz-meta-a:1\n");
}
