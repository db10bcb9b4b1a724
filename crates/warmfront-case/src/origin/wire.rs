//! Requests as they arrive at an origin, read by hand: no library between the proxy and the case.

use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::compare;

/// A request larger than this is refused; cases send small ones.
const LARGEST_HEAD: usize = 256 << 10;
const LARGEST_BODY: usize = 64 << 20;

/// A request as it came.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) method: String,
    pub(super) target: String,
    pub(super) version: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Received {
    /// The head, line by line, for people.
    pub(super) fn shown(&self) -> impl Iterator<Item = String> + '_ {
        let Self { method, target, version, headers, body } = self;
        let first = format!("> {method} {target} {version}");
        let fields = headers.iter().map(|(name, value)| {
            format!("> {name}: {}", compare::quoted(value.as_bytes()).trim_matches('"'))
        });
        let body = (!body.is_empty()).then(|| format!("> ({} bytes of body)", body.len()));
        std::iter::once(first).chain(fields).chain(body)
    }
}

/// A connection, and what was read ahead of it.
pub(super) struct Incoming {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// `None`: the other side broke off. `Some`: it sent what no HTTP/1.1 client may send.
type Malformed = Option<String>;

impl Incoming {
    pub(super) fn new(stream: TcpStream) -> Self {
        // Small writes must go out as they are written: cases count octets.
        let _ = stream.set_nodelay(true);
        Self { stream, buffer: Vec::new() }
    }

    pub(super) fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    /// The next request; `None` when the connection ends between two.
    pub(super) async fn request(&mut self) -> Result<Option<Received>, Malformed> {
        let head = loop {
            if let Some(end) = find(&self.buffer, b"\r\n\r\n") {
                break end;
            }
            if self.buffer.len() > LARGEST_HEAD {
                return Err(Some(format!("a request head is longer than {LARGEST_HEAD} bytes")));
            }
            if !self.fill().await {
                return if self.buffer.is_empty() { Ok(None) } else { Err(None) };
            }
        };
        let rest = self.buffer.split_off(head + 4);
        let head = std::mem::replace(&mut self.buffer, rest);
        let mut received = parse(&head[..head.len() - 4]).map_err(Some)?;
        received.body = self.body(&received.headers).await?;
        Ok(Some(received))
    }

    async fn body(&mut self, headers: &HeaderMap) -> Result<Vec<u8>, Malformed> {
        if headers.contains_key(http::header::TRANSFER_ENCODING) {
            return self.chunks().await;
        }
        let Some(length) = headers.get(http::header::CONTENT_LENGTH) else {
            return Ok(Vec::new());
        };
        let length = length
            .to_str()
            .ok()
            .and_then(|length| length.parse().ok())
            .filter(|length| *length <= LARGEST_BODY)
            .ok_or_else(|| Some(format!("Content-Length {length:?} cannot be read")))?;
        self.take(length).await
    }

    async fn chunks(&mut self) -> Result<Vec<u8>, Malformed> {
        let mut body = Vec::new();
        loop {
            let line = self.line().await?;
            let size = line.split(';').next().unwrap_or_default().trim();
            let size = usize::from_str_radix(size, 16)
                .ok()
                .filter(|size| body.len() + size <= LARGEST_BODY)
                .ok_or_else(|| Some(format!("a chunk begins with {line:?}")))?;
            if size == 0 {
                while !self.line().await?.is_empty() {}
                return Ok(body);
            }
            body.extend(self.take(size).await?);
            if !self.line().await?.is_empty() {
                return Err(Some("a chunk does not end with CR LF".to_owned()));
            }
        }
    }

    async fn line(&mut self) -> Result<String, Malformed> {
        let end = loop {
            match find(&self.buffer, b"\r\n") {
                Some(end) => break end,
                None if self.buffer.len() > LARGEST_HEAD => {
                    return Err(Some("a chunk's line does not end".to_owned()));
                }
                None => self.must_fill().await?,
            }
        };
        let line: Vec<u8> = self.buffer.drain(..end + 2).collect();
        Ok(String::from_utf8_lossy(&line[..end]).into_owned())
    }

    async fn take(&mut self, length: usize) -> Result<Vec<u8>, Malformed> {
        while self.buffer.len() < length {
            self.must_fill().await?;
        }
        let rest = self.buffer.split_off(length);
        Ok(std::mem::replace(&mut self.buffer, rest))
    }

    async fn must_fill(&mut self) -> Result<(), Malformed> {
        if self.fill().await { Ok(()) } else { Err(None) }
    }

    async fn fill(&mut self) -> bool {
        matches!(self.stream.read_buf(&mut self.buffer).await, Ok(read) if read > 0)
    }
}

fn parse(head: &[u8]) -> Result<Received, String> {
    let mut lines = head.split(|octet| *octet == b'\n').map(|line| line.trim_ascii_end());
    let first = String::from_utf8_lossy(lines.next().unwrap_or_default()).into_owned();
    let mut words = first.split(' ');
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(format!("a request begins with {first:?}"));
    };
    let mut headers = HeaderMap::new();
    for line in lines {
        let text = String::from_utf8_lossy(line);
        let colon = line.iter().position(|octet| *octet == b':');
        let field = colon.and_then(|colon| {
            let name = HeaderName::from_bytes(&line[..colon]).ok()?;
            let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).ok()?;
            Some((name, value))
        });
        let Some((name, value)) = field else {
            return Err(format!("a request has the header line {text:?}"));
        };
        headers.append(name, value);
    }
    Ok(Received {
        method: method.to_owned(),
        target: target.to_owned(),
        version: version.to_owned(),
        headers,
        body: Vec::new(),
    })
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}
