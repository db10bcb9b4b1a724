//! A directory that plays an S3 bucket: GET and HEAD of objects, conditions, one range.
//!
//! What differs from S3, knowingly: the ETag is made of length and modification time, not an MD5;
//! nothing is listed; permissions are the file system's. A missing key is 404, or 403 as S3 says to who
//! may not list the bucket: the distribution tells which (`Origin::hides_missing`). The default root object
//! is the distribution's business.

use std::fs::{self, File};
use std::io::{self, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use http::header::{
    ACCEPT_RANGES, ALLOW, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, DATE, ETAG, LAST_MODIFIED,
    SERVER,
};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use warmfront_core::caching::{Precondition, evaluate};
use warmfront_core::http::date;
use warmfront_core::http::range::{RangeAnswer, resolve};

use super::content_type::content_type;
use super::file_body::FileBody;
use super::{OriginError, OriginResponse};
use crate::body::Body;

/// A directory and the bucket it stands for.
pub(super) struct Bucket {
    /// The Id of the origin.
    pub(super) origin: String,
    pub(super) root: PathBuf,
    /// 403 instead of 404 for a key that is not there.
    pub(super) hides_missing: bool,
}

/// Answers `head` from `bucket`. The file system is read on tokio's blocking threads.
pub(super) async fn serve(
    bucket: Bucket,
    head: http::request::Parts,
    now: SystemTime,
) -> Result<OriginResponse, OriginError> {
    let origin = bucket.origin.clone();
    let unavailable = |reason: String| OriginError::Unavailable { origin, reason };
    let answering = tokio::task::spawn_blocking(move || answer(&bucket, &head, now));
    match answering.await {
        Ok(Ok(response)) => {
            let (head, body) = response.into_parts();
            Ok(OriginResponse { head, body })
        }
        Ok(Err(reason)) => Err(unavailable(reason)),
        Err(stopped) => Err(unavailable(stopped.to_string())),
    }
}

/// What the bucket says; `Err` only when the directory itself cannot be used.
fn answer(
    bucket: &Bucket,
    head: &http::request::Parts,
    now: SystemTime,
) -> Result<Response<Body>, String> {
    let mut response = match find(&bucket.root, head)? {
        Ok(object) => object_response(object, head),
        Err(S3Error::NoSuchKey) if bucket.hides_missing => S3Error::AccessDenied.response(head),
        Err(error) => error.response(head),
    };
    let headers = response.headers_mut();
    headers.insert(SERVER, HeaderValue::from_static("AmazonS3"));
    headers.insert(DATE, date::header_value(now));
    Ok(response)
}

/// An open file and what is known about it.
struct Object {
    file: File,
    length: u64,
    headers: HeaderMap,
}

fn find(root: &Path, head: &http::request::Parts) -> Result<Result<Object, S3Error>, String> {
    if head.method != Method::GET && head.method != Method::HEAD {
        return Ok(Err(S3Error::MethodNotAllowed));
    }
    let root = root.canonicalize().map_err(|error| {
        format!("the directory {} cannot be read: {error}; check --origin", root.display())
    })?;
    let Some(key) = object_key(head.uri.path()) else {
        return Ok(Err(S3Error::NoSuchKey));
    };
    Ok(open(&root, &key).map_err(|error| match error.kind() {
        io::ErrorKind::PermissionDenied => S3Error::AccessDenied,
        _ => S3Error::NoSuchKey,
    }))
}

/// The key in a path; none when no file inside the directory can have it.
fn object_key(path: &str) -> Option<String> {
    let key = percent_decoded(path.strip_prefix('/')?)?;
    let is_plain =
        |segment: &str| !matches!(segment, "" | "." | "..") && !segment.contains(['\0', '\\', ':']);
    // A drive letter or a backslash is a step outside on some systems; no key needs them here.
    key.split('/').all(is_plain).then_some(key)
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let high = char::from(bytes.next()?).to_digit(16)?;
            let low = char::from(bytes.next()?).to_digit(16)?;
            decoded.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            decoded.push(byte);
        }
    }
    String::from_utf8(decoded).ok()
}

/// Opens a regular file whose real place, symbolic links followed, is inside `root`.
fn open(root: &Path, key: &str) -> io::Result<Object> {
    let outside = || io::Error::from(io::ErrorKind::NotFound);
    let path = root.join(key).canonicalize()?;
    // Asked before opening: opening a pipe would wait for its writer.
    if !path.starts_with(root) || !fs::metadata(&path)?.is_file() {
        return Err(outside());
    }
    let file = File::open(&path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(outside());
    }
    let length = metadata.len();
    let modified = metadata.modified()?;
    let age = modified.duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut headers = HeaderMap::new();
    headers.insert(ETAG, text(format!("\"{length:x}-{:x}\"", age.as_nanos())));
    headers.insert(LAST_MODIFIED, date::header_value(modified));
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type(key)));
    Ok(Object { file, length, headers })
}

fn object_response(object: Object, head: &http::request::Parts) -> Response<Body> {
    let Object { mut file, length, mut headers } = object;
    match evaluate(&head.headers, &head.method, StatusCode::OK, &headers) {
        Precondition::Proceed => {}
        Precondition::NotModified => {
            headers.remove(CONTENT_TYPE);
            return assemble(StatusCode::NOT_MODIFIED, headers, Body::empty());
        }
        Precondition::Failed => return S3Error::PreconditionFailed.response(head),
    }
    // RFC 9110 §14.2: Range means something for GET only. S3 serves one range, else the whole.
    let (status, part) = match resolve(&head.headers, &headers, length) {
        _ if head.method == Method::HEAD => (StatusCode::OK, 0..length),
        RangeAnswer::Part(part) => (StatusCode::PARTIAL_CONTENT, part),
        RangeAnswer::Unsatisfiable => return S3Error::InvalidRange { length }.response(head),
        RangeAnswer::Whole | RangeAnswer::Parts(_) => (StatusCode::OK, 0..length),
    };
    if status == StatusCode::PARTIAL_CONTENT {
        let range = format!("bytes {}-{}/{length}", part.start, part.end - 1);
        headers.insert(CONTENT_RANGE, text(range));
    }
    let size = part.end - part.start;
    headers.insert(CONTENT_LENGTH, HeaderValue::from(size));
    let body = if head.method == Method::HEAD || size == 0 {
        Body::empty()
    } else if let Err(error) = file.seek(SeekFrom::Start(part.start)) {
        return S3Error::InternalError(error.to_string()).response(head);
    } else {
        Body::stream(FileBody::new(file, size))
    };
    assemble(status, headers, body)
}

/// The errors of the S3 API that a directory can give.
#[derive(Debug)]
enum S3Error {
    NoSuchKey,
    AccessDenied,
    MethodNotAllowed,
    PreconditionFailed,
    InvalidRange { length: u64 },
    InternalError(String),
}

impl S3Error {
    fn response(&self, head: &http::request::Parts) -> Response<Body> {
        let (status, code, message) = match self {
            S3Error::NoSuchKey => (404, "NoSuchKey", "The specified key does not exist."),
            S3Error::AccessDenied => (403, "AccessDenied", "Access Denied"),
            S3Error::MethodNotAllowed => {
                let message = "The specified method is not allowed against this resource.";
                (405, "MethodNotAllowed", message)
            }
            S3Error::PreconditionFailed => {
                let message = "At least one of the pre-conditions you specified did not hold";
                (412, "PreconditionFailed", message)
            }
            S3Error::InvalidRange { .. } => {
                (416, "InvalidRange", "The requested range is not satisfiable")
            }
            S3Error::InternalError(reason) => (500, "InternalError", reason.as_str()),
        };
        let mut headers = HeaderMap::new();
        let detail = match self {
            S3Error::NoSuchKey => {
                let path = head.uri.path();
                let key = path.strip_prefix('/').unwrap_or(path);
                let key = percent_decoded(key).unwrap_or_else(|| key.to_owned());
                format!("<Key>{}</Key>", escaped(&key))
            }
            S3Error::MethodNotAllowed => {
                headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
                let method = escaped(head.method.as_str());
                format!("<Method>{method}</Method><ResourceType>OBJECT</ResourceType>")
            }
            S3Error::InvalidRange { length } => {
                headers.insert(CONTENT_RANGE, text(format!("bytes */{length}")));
                format!("<ActualObjectSize>{length}</ActualObjectSize>")
            }
            _ => String::new(),
        };
        let xml = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code>\
             <Message>{}</Message>{detail}</Error>",
            escaped(message)
        );
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
        headers.insert(CONTENT_LENGTH, HeaderValue::from(xml.len()));
        let body = if head.method == Method::HEAD { Body::empty() } else { Body::full(xml) };
        let status = StatusCode::from_u16(status).expect("the statuses above are all valid");
        assemble(status, headers, body)
    }
}

fn assemble(status: StatusCode, headers: HeaderMap, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// XML text; characters that XML cannot hold become U+FFFD.
fn escaped(text: &str) -> String {
    let mut xml = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => xml.push_str("&amp;"),
            '<' => xml.push_str("&lt;"),
            '>' => xml.push_str("&gt;"),
            '\t' | '\n' | '\r' => xml.push(' '),
            control if control.is_control() => xml.push(char::REPLACEMENT_CHARACTER),
            other => xml.push(other),
        }
    }
    xml
}

fn text(ascii: String) -> HeaderValue {
    HeaderValue::try_from(ascii).expect("made of printable ASCII only")
}
