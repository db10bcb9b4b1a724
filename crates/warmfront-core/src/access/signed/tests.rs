use ::http::{Method, Version};

use super::*;
use crate::fixture;
use crate::origin::Scheme;

/// Takes `hash:message` for a signature, in base64.
#[derive(Debug)]
struct Mock;

impl SignatureCheck for Mock {
    fn holds(&self, _: &PublicKey, hash: HashAlgorithm, message: &[u8], signature: &[u8]) -> bool {
        signature == signed(hash, message)
    }
}

fn signed(hash: HashAlgorithm, message: &[u8]) -> Vec<u8> {
    [format!("{hash:?}:").as_bytes(), message].concat()
}

/// The other direction of `base64::decoded`.
fn encoded(octets: &[u8]) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-~";
    let mut text = String::new();
    for chunk in octets.chunks(3) {
        let bits = chunk
            .iter()
            .enumerate()
            .fold(0u32, |bits, (at, &octet)| bits | u32::from(octet) << (16 - 8 * at));
        for place in 0..4 {
            let digit = (bits >> (18 - 6 * place)) & 63;
            text.push(if place > chunk.len() { '_' } else { char::from(DIGITS[digit as usize]) });
        }
    }
    text
}

use HashAlgorithm::{Sha1, Sha256};

const NOW: u64 = 1_000;

fn keys() -> TrustedKeys {
    let key = PublicKey::from_pem(include_str!("ecdsa.pub.pem")).unwrap();
    TrustedKeys { keys: vec![TrustedKey { id: "K1".to_owned(), key }] }
}

fn ask(url: &str, fields: &[&str], viewer: &str) -> Result<Permit, Denied> {
    let (scheme, rest) = url.split_once("://").unwrap();
    let (host, rest) = rest.split_at(rest.find('/').unwrap());
    let (path, query) = match rest.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (rest, None),
    };
    let headers = fixture::headers(fields);
    let view = RequestView {
        method: &Method::GET,
        scheme: if scheme == "https" { Scheme::Https } else { Scheme::Http },
        version: Version::HTTP_11,
        host,
        // Signatures are about the path as sent, not about the one with the default root object.
        path: "/index.html",
        query,
        headers: &headers,
        place: None,
    };
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(NOW);
    permit(&keys(), &view, path, viewer.parse().unwrap(), now, Some(&Mock))
}

#[track_caller]
fn check(url: &str, fields: &[&str], expected: Result<Carrier, Denied>) {
    let found = ask(url, fields, "192.0.2.7").map(|permit| permit.carrier);
    assert_eq!(found, expected, "{url} {fields:?}");
}

fn canned_text(url: &str, expires: u64) -> String {
    format!(
        r#"{{"Statement":[{{"Resource":"{url}","Condition":{{"DateLessThan":{{"AWS:EpochTime":{expires}}}}}}}]}}"#
    )
}

fn canned(url: &str, expires: u64) -> String {
    let signature = encoded(&signed(Sha1, canned_text(url, expires).as_bytes()));
    let mark = if url.contains('?') { '&' } else { '?' };
    format!("{url}{mark}Expires={expires}&Signature={signature}&Key-Pair-Id=K1")
}

fn custom(policy: &str) -> String {
    let signature = encoded(&signed(Sha256, policy.as_bytes()));
    let policy = encoded(policy.as_bytes());
    format!("Policy={policy}&Signature={signature}&Hash-Algorithm=SHA256&Key-Pair-Id=K1")
}

const URL: Result<Carrier, Denied> = Ok(Carrier::Url);

#[test]
fn a_canned_policy_lets_exactly_its_url_in_until_it_expires() {
    for url in ["https://h/a", "http://h/", "https://h:8443/a%20b/c?x=1&y", "https://h/a?x"] {
        check(&canned(url, NOW + 1), &[], URL);
        check(&canned(url, NOW), &[], Err(Denied::Expired));
    }
    let good = canned("https://h/a?x=1", NOW + 60);
    for changed in [
        good.replace("https:", "http:"),
        good.replace("//h/", "//i/"),
        good.replace("/a?", "/b?"),
        good.replace("x=1", "x=2"),
        good.replace("x=1&", ""),
        good.replace("Expires=1060", "Expires=1061"),
        good.replace("Expires=1060", "Expires=01060"),
        format!("{good}&y=2"),
        format!("{good}&"),
        format!("{good}&Hash-Algorithm=SHA256"),
    ] {
        check(&changed, &[], Err(Denied::WrongSignature));
    }
    // Where the parameters of the signature stand does not matter.
    let (own, signature) = good.split_once("x=1&").unwrap();
    check(&format!("{own}{signature}&x=1"), &[], URL);
}

#[test]
fn a_url_signed_without_the_port_is_good_at_any_port() {
    let elsewhere = canned("https://d1.cloudfront.net/a", NOW + 1);
    check(&elsewhere.replace(".net/", ".net:8443/"), &[], URL);
    let local = canned("https://localhost:8443/a", NOW + 1);
    check(&local.replace(":8443/", ":8444/"), &[], Err(Denied::WrongSignature));
    check(&local.replace(":8443/", "/"), &[], Err(Denied::WrongSignature));
}

#[test]
fn what_is_missing_or_malformed_is_named() {
    let good = canned("https://h/a", NOW + 1);
    let without = |part: &str| {
        let (path, query) = good.split_once('?').unwrap();
        let kept: Vec<&str> = query.split('&').filter(|it| !it.starts_with(part)).collect();
        format!("{path}?{}", kept.join("&"))
    };
    for (url, denied) in [
        ("https://h/a".to_owned(), Denied::MissingKey),
        ("https://h/a?Expires=1".to_owned(), Denied::MissingKey),
        (without("Key-Pair-Id"), Denied::MissingKey),
        (good.replace("K1", ""), Denied::MissingKey),
        (good.replace("K1", "K2"), Denied::UnknownKey),
        (without("Signature"), Denied::MissingSignature),
        (without("Expires"), Denied::MissingPolicy),
        (good.replace("Signature=", "Signature=!"), Denied::MalformedSignature),
        (good.replace("Expires=1001", "Expires=soon"), Denied::MalformedExpires),
        (good.replace("Expires=1001", "Expires=1001.5"), Denied::MalformedExpires),
        (good.replace("Expires=", "Policy=!&Expires="), Denied::MalformedPolicy),
        (format!("{good}&Hash-Algorithm=MD5"), Denied::UnknownHash),
    ] {
        check(&url, &[], Err(denied));
    }
    // Also a policy that its key signed must be one.
    check(&format!("https://h/a?{}", custom("{}")), &[], Err(Denied::MalformedPolicy));
}

#[test]
fn a_custom_policy_says_what_when_and_for_whom() {
    let policy = |resource: &str, more: &str| {
        custom(&format!(
            r#"{{"Statement":[{{{resource}"Condition":{{"DateLessThan":{{"AWS:EpochTime":1001}}{more}}}}}]}}"#
        ))
    };
    let a = r#""Resource":"https://h/a*","#;
    let rows = [
        (a, "", "https://h/a/b?", URL),
        (a, "", "https://h/a?x=1&", URL),
        (a, "", "https://h:99/ab?", URL),
        (a, "", "https://h/b?", Err(Denied::OtherResource)),
        (a, "", "http://h/a?", Err(Denied::OtherResource)),
        ("", "", "http://any/b?", URL),
        (r#""Resource":"https://h/a","#, "", "https://h/a?x=1&", Err(Denied::OtherResource)),
        (a, r#","DateGreaterThan":{"AWS:EpochTime":999}"#, "https://h/a?", URL),
        (a, r#","DateGreaterThan":{"AWS:EpochTime":1000}"#, "https://h/a?", Err(Denied::NotYet)),
        (a, r#","IpAddress":{"AWS:SourceIp":"192.0.2.0/24"}"#, "https://h/a?", URL),
        (
            a,
            r#","IpAddress":{"AWS:SourceIp":"192.0.3.0/24"}"#,
            "https://h/a?",
            Err(Denied::OtherAddress),
        ),
    ];
    for (resource, more, url, expected) in rows {
        check(&format!("{url}{}", policy(resource, more)), &[], expected);
    }
    let any_address = policy("", r#","IpAddress":{"AWS:SourceIp":"0.0.0.0/0"}"#);
    let from_ipv6 = ask(&format!("https://h/a?{any_address}"), &[], "2001:db8::1");
    assert_eq!(from_ipv6, Err(Denied::OtherAddress));
}

#[test]
fn a_path_that_leads_up_again_must_be_covered_where_it_leads_to() {
    let policy = custom(&canned_text("https://h/mine/*", NOW + 1));
    for (path, expected) in [
        ("/mine/a", URL),
        ("/mine/b/../a", URL),
        ("/mine/a%2Fb", URL),
        ("/mine/a..b", URL),
        ("/mine/../yours/a", Err(Denied::OtherResource)),
        ("/mine/%2e%2E/yours/a", Err(Denied::OtherResource)),
        ("/mine/..%2Fyours/a", Err(Denied::OtherResource)),
        ("/mine/x/%2e./..%2fyours/a", Err(Denied::OtherResource)),
        ("/yours/../mine/a", Err(Denied::OtherResource)),
    ] {
        check(&format!("https://h{path}?{policy}"), &[], expected);
    }
    // Who signs exactly this, or everything, means it.
    check(&canned("https://h/mine/../yours/a", NOW + 1), &[], URL);
    let all = custom(&canned_text("*", NOW + 1));
    check(&format!("https://h/mine/../yours/a?{all}"), &[], URL);
}

#[test]
fn cookies_count_where_the_url_has_no_signature() {
    let signature = encoded(&signed(Sha1, canned_text("https://h/a", NOW + 1).as_bytes()));
    let cookies = format!(
        "cookie: a=1; CloudFront-Expires={}; CloudFront-Signature={signature}; CloudFront-Key-Pair-Id=K1",
        NOW + 1
    );
    let cookies = &[cookies.as_str()];
    check("https://h/a", cookies, Ok(Carrier::Cookies));
    check("https://h/b", cookies, Err(Denied::WrongSignature));
    // A signed URL decides alone, for better or worse.
    check(&canned("https://h/b", NOW + 1), cookies, URL);
    check(&canned("https://h/a", NOW - 1), cookies, Err(Denied::Expired));
    check("https://h/a?Signature=x", cookies, Err(Denied::MissingKey));
    check("https://h/a?Expires=1", cookies, Ok(Carrier::Cookies));
    let policy = canned_text("https://h/*", NOW + 1);
    let lines = [
        format!("cookie: CloudFront-Policy={}", encoded(policy.as_bytes())),
        format!("cookie: CloudFront-Signature=\"{}\"", encoded(&signed(Sha256, policy.as_bytes()))),
        "cookie: CloudFront-Key-Pair-Id=K1; CloudFront-Hash-Algorithm=SHA256".to_owned(),
    ];
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    check("https://h/a?x=1", &lines, Ok(Carrier::Cookies));
    check("https://h/a", &lines[..2], Err(Denied::MissingKey));
}

#[test]
fn an_edge_that_cannot_check_lets_nobody_in() {
    let headers = ::http::HeaderMap::new();
    let view = RequestView {
        method: &Method::GET,
        scheme: Scheme::Https,
        version: Version::HTTP_11,
        host: "h",
        path: "/a",
        query: None,
        headers: &headers,
        place: None,
    };
    let viewer = IpAddr::from([127, 0, 0, 1]);
    let denied = permit(&keys(), &view, "/a", viewer, SystemTime::UNIX_EPOCH, None);
    assert_eq!(denied, Err(Denied::CannotCheck));
}

#[test]
fn a_permit_says_whose_signature_held_until_when() {
    let permit = ask(&canned("https://h/a", NOW + 1), &[], "192.0.2.7").unwrap();
    let expected = Permit {
        carrier: Carrier::Url,
        key_id: "K1".to_owned(),
        expires: NOW + 1,
        is_custom: false,
    };
    assert_eq!(permit, expected);
}
