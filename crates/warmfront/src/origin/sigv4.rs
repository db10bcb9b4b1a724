//! AWS Signature Version 4 for requests to origins (AWS General Reference: signing AWS API requests).
//!
//! S3 reads a path once decoded and without dot segments removed; the other services take it encoded once
//! more and normalized. Bodies stream, so their hash is the viewer's, or S3's `UNSIGNED-PAYLOAD`. Where
//! the keys come from is the program's business ([`Keys`]).

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use http::header::{AUTHORIZATION, HOST};
use http::{HeaderMap, HeaderName, HeaderValue};
use sha2::{Digest as _, Sha256};
use warmfront_core::http::date;
use warmfront_core::origin::OriginAccessControl;

use super::signer::{OriginSigner, Signable};

/// An access key. Its secrets are never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessKey {
    /// `AWS_ACCESS_KEY_ID`.
    pub id: String,
    /// `AWS_SECRET_ACCESS_KEY`.
    pub secret: String,
    /// `AWS_SESSION_TOKEN`, for temporary keys.
    pub session_token: Option<String>,
}

impl fmt::Debug for AccessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessKey").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Where the access key comes from. Called for each signed request: be quick.
pub trait Keys: fmt::Debug + Send + Sync {
    /// The key to sign with now; `None`: requests go unsigned.
    fn current(&self) -> Option<Arc<AccessKey>>;
}

/// Signs with whatever key there is.
#[derive(Debug)]
pub struct SigV4 {
    keys: Arc<dyn Keys>,
}

impl SigV4 {
    /// A signer that asks `keys` for each request.
    pub fn new(keys: Arc<dyn Keys>) -> Self {
        Self { keys }
    }
}

impl OriginSigner for SigV4 {
    fn sign(&self, control: &OriginAccessControl, request: Signable<'_>, now: SystemTime) {
        if let Some(key) = self.keys.current() {
            sign(&key, control, request, now);
        }
    }
}

const X_AMZ_DATE: HeaderName = HeaderName::from_static("x-amz-date");
const X_AMZ_CONTENT_SHA256: HeaderName = HeaderName::from_static("x-amz-content-sha256");
const X_AMZ_SECURITY_TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");
const UNSIGNED_PAYLOAD: HeaderValue = HeaderValue::from_static("UNSIGNED-PAYLOAD");
/// SHA-256 of nothing.
const NO_PAYLOAD: HeaderValue =
    HeaderValue::from_static("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");

fn sign(key: &AccessKey, control: &OriginAccessControl, request: Signable<'_>, now: SystemTime) {
    let Signable { method, uri, headers, has_body } = request;
    let stamp = timestamp(now);
    let day = &stamp[..8];
    headers.remove(AUTHORIZATION);
    headers.remove(X_AMZ_SECURITY_TOKEN);
    // What a key file holds may be no header value; such a key signs nothing that a server would take.
    let token = key.session_token.as_deref().map(HeaderValue::from_str);
    if let Some(Ok(token)) = token {
        headers.insert(X_AMZ_SECURITY_TOKEN, sensitive(token));
    }
    headers.insert(X_AMZ_DATE, HeaderValue::try_from(&stamp).expect("digits are ASCII"));
    if !has_body {
        headers.insert(X_AMZ_CONTENT_SHA256, NO_PAYLOAD);
    } else if headers.get_all(X_AMZ_CONTENT_SHA256).iter().count() != 1 {
        headers.insert(X_AMZ_CONTENT_SHA256, UNSIGNED_PAYLOAD);
    }
    let (signed_headers, canonical_headers) = canonical_headers(headers);
    let path = canonical_path(uri.path(), control.service == "s3");
    let query = canonical_query(uri.query().unwrap_or_default());
    let payload = headers.get(X_AMZ_CONTENT_SHA256).map_or(&b""[..], HeaderValue::as_bytes);
    let mut canonical = format!("{method}\n{path}\n{query}\n").into_bytes();
    canonical.extend_from_slice(&canonical_headers);
    canonical.extend_from_slice(format!("\n{signed_headers}\n").as_bytes());
    canonical.extend_from_slice(payload);

    let OriginAccessControl { region, service, .. } = control;
    let scope = format!("{day}/{region}/{service}/aws4_request");
    let hash = hex(&Sha256::digest(&canonical));
    let text = format!("AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hash}");
    let mut signing_key = hmac(format!("AWS4{}", key.secret).as_bytes(), day.as_bytes());
    for part in [region.as_str(), service, "aws4_request"] {
        signing_key = hmac(&signing_key, part.as_bytes());
    }
    let signature = hex(&hmac(&signing_key, text.as_bytes()));
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={signed_headers}, Signature={signature}",
        key.id
    );
    if let Ok(value) = HeaderValue::try_from(authorization) {
        headers.insert(AUTHORIZATION, sensitive(value));
    }
}

fn sensitive(mut value: HeaderValue) -> HeaderValue {
    value.set_sensitive(true);
    value
}

/// Host and everything that begins with `x-amz-`: S3 refuses a request with one of these unsigned.
///
/// That is what becomes of a viewer's copy request. It would name any bucket that the key opens, while
/// CloudFront's own identity opens only those whose policies name the distribution.
fn canonical_headers(headers: &HeaderMap) -> (String, Vec<u8>) {
    let is_signed = |name: &&HeaderName| {
        let text = name.as_str();
        **name == HOST || (text.starts_with("x-amz-") && !text.starts_with("x-amz-copy-source"))
    };
    let mut names: Vec<&HeaderName> = headers.keys().filter(is_signed).collect();
    names.sort_by_key(|name| name.as_str());
    let mut lines = Vec::with_capacity(512);
    for name in &names {
        lines.extend_from_slice(name.as_str().as_bytes());
        for (index, value) in headers.get_all(*name).iter().enumerate() {
            lines.push(if index == 0 { b':' } else { b',' });
            let words = value.as_bytes().split(|byte| matches!(byte, b' ' | b'\t'));
            for (index, word) in words.filter(|word| !word.is_empty()).enumerate() {
                lines.extend_from_slice(if index == 0 { b"" } else { b" " });
                lines.extend_from_slice(word);
            }
        }
        lines.push(b'\n');
    }
    let names: Vec<&str> = names.into_iter().map(HeaderName::as_str).collect();
    (names.join(";"), lines)
}

/// S3 compares keys: the path decoded, and encoded in the one way. Others encode what was sent once more.
fn canonical_path(path: &str, is_s3: bool) -> String {
    match is_s3 {
        true => encoded(&decoded(path, false), b"/"),
        false => encoded(without_dot_segments(path).as_bytes(), b"/"),
    }
}

/// Without dot segments and empty ones (RFC 3986 §5.2.4), as signers of other services than S3 do it.
fn without_dot_segments(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                kept.pop();
            }
            other => kept.push(other),
        }
    }
    let end = if path.ends_with('/') && !kept.is_empty() { "/" } else { "" };
    format!("/{}{end}", kept.join("/"))
}

/// The parameters, decoded and encoded in the one way, in the order of their octets.
fn canonical_query(query: &str) -> String {
    let canonical = |text: &str| encoded(&decoded(text, true), b"");
    let mut parameters: Vec<(String, String)> = query
        .split('&')
        .filter(|parameter| !parameter.is_empty())
        .map(|parameter| parameter.split_once('=').unwrap_or((parameter, "")))
        .map(|(name, value)| (canonical(name), canonical(value)))
        .collect();
    parameters.sort();
    let parameters: Vec<String> =
        parameters.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    parameters.join("&")
}

/// Percent signs resolved where two hexadecimal digits follow; in queries a plus sign is a space.
fn decoded(text: &str, plus_is_space: bool) -> Vec<u8> {
    let digit = |at: usize| text.as_bytes().get(at).and_then(|byte| char::from(*byte).to_digit(16));
    let mut octets = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(byte) = text.as_bytes().get(at) {
        match (byte, digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                octets.push((high * 16 + low) as u8);
                at += 2;
            }
            (b'+', ..) if plus_is_space => octets.push(b' '),
            _ => octets.push(*byte),
        }
        at += 1;
    }
    octets
}

/// RFC 3986's unreserved characters and `kept` stay; everything else becomes `%XX` in capitals.
fn encoded(octets: &[u8], kept: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len() + 16);
    for byte in octets {
        let is_unreserved =
            byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
        if is_unreserved || kept.contains(byte) {
            text.push(char::from(*byte));
        } else {
            text.push('%');
            text.push(char::from(HEX[usize::from(byte >> 4)].to_ascii_uppercase()));
            text.push(char::from(HEX[usize::from(byte & 15)].to_ascii_uppercase()));
        }
    }
    text
}

/// `20150830T123600Z`, from `Sun, 30 Aug 2015 12:36:00 GMT`.
fn timestamp(now: SystemTime) -> String {
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let text = date::text(now);
    let month = MONTHS.find(&text[8..11]).map_or(0, |at| at / 3 + 1);
    let (year, day) = (&text[12..16], &text[5..7]);
    let (hour, minute, second) = (&text[17..19], &text[20..22], &text[23..25]);
    format!("{year}{month:02}{day}T{hour}{minute}{second}Z")
}

const HEX: &[u8; 16] = b"0123456789abcdef";

fn hex(octets: &[u8]) -> String {
    let digits = octets.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(|digit| char::from(HEX[usize::from(digit)])).collect()
}

/// HMAC with SHA-256 (RFC 2104).
fn hmac(key: &[u8], text: &[u8]) -> [u8; 32] {
    const BLOCK: usize = 64;
    let mut padded = [0; BLOCK];
    if key.len() > BLOCK {
        padded[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        padded[..key.len()].copy_from_slice(key);
    }
    let inner = Sha256::new().chain_update(padded.map(|byte| byte ^ 0x36)).chain_update(text);
    let outer = Sha256::new().chain_update(padded.map(|byte| byte ^ 0x5c));
    outer.chain_update(inner.finalize()).finalize().into()
}

#[cfg(test)]
mod tests;
