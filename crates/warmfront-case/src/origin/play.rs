//! One answer, octet by octet, with its pauses and its broken ends.

use std::time::SystemTime;

use bytes::Bytes;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::Script;
use super::wire::Received;
use crate::script::{Answer, Ending, Framing, Pause, Reply};

/// The size of the writes in which a body goes out, and of its chunks.
const PIECE: usize = 64 << 10;

/// Plays `answer`; `true` when the connection serves another request.
pub(super) async fn answer(
    stream: &mut TcpStream,
    answer: &Answer,
    received: &Received,
    script: &Script,
) -> bool {
    for pause in &answer.plan.first {
        wait(pause, script).await;
    }
    let now = script.stage.look(|world| world.now);
    let play = Play { answer, script, is_head: received.method == "HEAD" };
    // A write fails when the proxy went away, which is up to the proxy.
    let goes_on = play.reply(stream, now).await.unwrap_or(false);
    if matches!(answer.plan.ending, Ending::Reset { .. }) {
        let _ = stream.set_zero_linger();
    }
    script.stage.tell(|_| ());
    goes_on
}

/// The answer to a request that no line fits; the failure is noted already.
pub(super) async fn unscripted(stream: &mut TcpStream, received: &Received) -> bool {
    let body = format!("the case has no answer for {} {}\n", received.method, received.target);
    let head = format!(
        "HTTP/1.1 500 Not Scripted\r\nCache-Control: no-store\r\nConnection: close\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let _ = stream.write_all(head.as_bytes()).await;
    false
}

async fn wait(pause: &Pause, script: &Script) {
    match pause {
        Pause::Hold(gate) => script.stage.pass(gate, &script.name).await,
        Pause::Delay(by) => script.stage.delay(*by, &script.name).await,
    }
}

struct Play<'a> {
    answer: &'a Answer,
    script: &'a Script,
    is_head: bool,
}

impl Play<'_> {
    async fn reply(&self, stream: &mut TcpStream, now: SystemTime) -> std::io::Result<bool> {
        let ending = self.answer.plan.ending;
        let (body, framing) = match &self.answer.plan.reply {
            Reply::Nothing => return Ok(false),
            Reply::Raw(text) => (text.at(now).into(), Framing::Close),
            Reply::Composed { status, headers, without, body, framing } => {
                let has_body = !matches!(status, 100..=199 | 204 | 304);
                let body = body.as_ref().map(|body| body.at(now)).unwrap_or_default();
                let fields: Vec<(&str, Vec<u8>)> =
                    headers.iter().map(|(name, text)| (name.as_str(), text.at(now))).collect();
                let framing = if has_body { Some((*framing, body.len())) } else { None };
                let head = self.head(*status, &fields, without, framing, now);
                stream.write_all(&head).await?;
                if !has_body || self.is_head {
                    return Ok(ending == Ending::KeepOpen);
                }
                (body, framing.map_or(Framing::Length, |(framing, _)| framing))
            }
        };
        let cut_off = match ending {
            Ending::Abort { after } | Ending::Reset { after } => Some(after as usize),
            _ => None,
        };
        let sent = body.slice(..cut_off.unwrap_or(body.len()).min(body.len()));
        self.body(stream, sent, framing == Framing::Chunked).await?;
        if framing == Framing::Chunked && cut_off.is_none() && ending != Ending::Truncate {
            stream.write_all(b"0\r\n\r\n").await?;
        }
        let is_raw = matches!(self.answer.plan.reply, Reply::Raw(_));
        Ok(ending == Ending::KeepOpen && (framing != Framing::Close || is_raw))
    }

    /// The head: what the case writes, in its order and spelling, and what an origin adds by itself.
    fn head(
        &self,
        status: u16,
        fields: &[(&str, Vec<u8>)],
        without: &[String],
        framing: Option<(Framing, usize)>,
        now: SystemTime,
    ) -> Vec<u8> {
        let reason = http::StatusCode::from_u16(status)
            .ok()
            .and_then(|status| status.canonical_reason())
            .unwrap_or("Unknown");
        let mut head = format!("HTTP/1.1 {status} {reason}\r\n").into_bytes();
        let mut field = |name: &str, value: &[u8]| {
            head.extend_from_slice(name.as_bytes());
            head.extend_from_slice(b": ");
            head.extend_from_slice(value);
            head.extend_from_slice(b"\r\n");
        };
        for (name, value) in fields {
            field(name, value);
        }
        let is_free = |name: &str| {
            !fields.iter().any(|(written, _)| written.eq_ignore_ascii_case(name))
                && !without.iter().any(|written| written.eq_ignore_ascii_case(name))
        };
        if is_free("date") {
            field("date", httpdate::fmt_http_date(now).as_bytes());
        }
        match framing {
            Some((Framing::Length, length)) if is_free("content-length") => {
                let more = usize::from(self.answer.plan.ending == Ending::Truncate);
                field("content-length", (length + more).to_string().as_bytes());
            }
            Some((Framing::Chunked, _)) if is_free("transfer-encoding") => {
                field("transfer-encoding", b"chunked");
            }
            _ => {}
        }
        let closes = framing.is_some_and(|(framing, _)| framing == Framing::Close);
        if (closes || self.answer.plan.ending == Ending::Close) && is_free("connection") {
            field("connection", b"close");
        }
        head.extend_from_slice(b"\r\n");
        head
    }

    /// The body up to each pause, in pieces.
    async fn body(
        &self,
        stream: &mut TcpStream,
        body: Bytes,
        is_chunked: bool,
    ) -> std::io::Result<()> {
        let mut sent = 0;
        let pauses = self.answer.plan.within.iter().map(|(at, pause)| (*at as usize, Some(pause)));
        for (until, pause) in pauses.chain([(body.len(), None)]) {
            let until = until.clamp(sent, body.len());
            for piece in body[sent..until].chunks(PIECE) {
                if is_chunked {
                    stream.write_all(format!("{:x}\r\n", piece.len()).as_bytes()).await?;
                }
                stream.write_all(piece).await?;
                if is_chunked {
                    stream.write_all(b"\r\n").await?;
                }
            }
            sent = until;
            if let Some(pause) = pause {
                self.script.stage.tell(|_| ());
                wait(pause, self.script).await;
            }
        }
        Ok(())
    }
}
