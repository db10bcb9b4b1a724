//! A viewer: sends one request and notes what streams back, as it comes.

use std::pin::Pin;
use std::sync::Arc;
use std::time::SystemTime;

use http_body::Body;

use crate::script::Request;
use crate::stage::{Got, Stage};
use crate::target::{CaseBody, Scheme, Target, Via};

/// A viewer keeps at most so much of a body; what is longer breaks its stream.
const LARGEST_BODY: usize = 128 << 20;

/// Sends `request` as viewer `number`; everything that comes is told to the stage.
pub(crate) async fn view(
    number: u32,
    request: Arc<Request>,
    target: Arc<dyn Target>,
    stage: Arc<Stage>,
) {
    let via = Via { scheme: request.scheme, version: request.version, viewer: number };
    let got = |change: &mut dyn FnMut(&mut Got)| {
        stage.tell(|world| change(world.viewers.entry(number).or_default()));
    };
    let end = match written(&request, target.now()) {
        Err(error) => Err(error),
        Ok(written) => match target.send(written, via).await {
            Err(error) => Err(error.to_string()),
            Ok(reply) => {
                let (head, mut body) = reply.into_parts();
                let mut head = Some((head.status.as_u16(), head.headers));
                got(&mut |got| got.head = head.take());
                loop {
                    match std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
                        None => break Ok(()),
                        Some(Err(error)) => break Err(chain(&*error)),
                        Some(Ok(frame)) => {
                            let Some(data) = frame.data_ref() else { continue };
                            let mut length = 0;
                            got(&mut |got| {
                                got.body.extend_from_slice(data);
                                length = got.body.len();
                            });
                            if length > LARGEST_BODY {
                                break Err(format!("the body is longer than {LARGEST_BODY} bytes"));
                            }
                        }
                    }
                }
            }
        },
    };
    let mut end = Some(end);
    got(&mut |got| got.end = end.take());
}

fn written(request: &Request, now: SystemTime) -> Result<http::Request<CaseBody>, String> {
    let uri = if request.version == http::Version::HTTP_2 {
        let scheme = match request.scheme {
            Scheme::Http => "http",
            Scheme::Https => "https",
        };
        format!("{scheme}://{}{}", request.host, request.target).parse::<http::Uri>()
    } else {
        // Not parsed as a URI: `//a` is a path here.
        request.target.parse().map(|path: http::uri::PathAndQuery| path.into())
    };
    let body = request.body.as_ref().map(|body| body.at(now)).unwrap_or_default();
    let length = body.len();
    let has_body = request.body.is_some();
    let body = if request.chunked { CaseBody::chunked(body) } else { CaseBody::sized(body) };
    let mut written = http::Request::new(body);
    *written.method_mut() = request.method.clone();
    *written.uri_mut() = uri.map_err(|error| format!("{}: {error}", request.target))?;
    *written.version_mut() = request.version;
    let headers = written.headers_mut();
    if request.version != http::Version::HTTP_2 && !request.host.is_empty() {
        let host = request.host.parse().map_err(|error| format!("{}: {error}", request.host))?;
        headers.insert(http::header::HOST, host);
    }
    for (name, text) in &request.headers {
        let value = http::HeaderValue::from_bytes(&text.at(now))
            .map_err(|error| format!("{name}: {error}"))?;
        headers.append(name, value);
    }
    // As a server hands a request over: with the framing headers it came with.
    if request.chunked && request.version != http::Version::HTTP_2 {
        headers.insert(http::header::TRANSFER_ENCODING, http::HeaderValue::from_static("chunked"));
    } else if has_body && !headers.contains_key(http::header::CONTENT_LENGTH) {
        headers.insert(http::header::CONTENT_LENGTH, length.into());
    }
    Ok(written)
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
