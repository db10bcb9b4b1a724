//! `viewer 1: GET https://a.example/b HTTP/2  accept: text/html <- 200 "body" age: 0`

use std::sync::Arc;
use std::time::SystemTime;

use super::cursor::{Cursor, Token};
use super::{Parsed, suggest};
use crate::script::{Action, BodyMatch, Expected, Request, StatusMatch};
use crate::target::Scheme;
use crate::text::Text;

/// The host of a request that names none.
const DEFAULT_HOST: &str = "viewer.example.test";
/// So many viewers fit into one crowd.
const LARGEST_CROWD: u32 = 10_000;

/// What the statement makes the viewers do: start, be looked at, or both.
pub(super) fn statement(cursor: &mut Cursor<'_>) -> Parsed<Vec<Action>> {
    let viewers = viewers(cursor)?;
    if cursor.takes_word("leaves") || cursor.takes_word("leave") {
        return Ok(vec![Action::Leave { viewers }]);
    }
    if cursor.takes_word("has") || cursor.takes_word("have") {
        let bytes = cursor.size()?;
        if !cursor.takes_word("bytes") {
            return Err(cursor.problem("write viewer 1: has 100 bytes"));
        }
        return Ok(vec![Action::Has { viewers, bytes }]);
    }
    let mut actions = Vec::new();
    let mut looks = cursor.takes("<-");
    if !looks {
        let request = Arc::new(request(cursor)?);
        actions.push(Action::Start { viewers: viewers.clone(), request });
        looks = cursor.takes("<-");
    }
    if looks {
        actions.push(Action::Look { viewers, expected: expected(cursor)? });
    }
    Ok(actions)
}

/// `1:` or `1..20:`.
fn viewers(cursor: &mut Cursor<'_>) -> Parsed<Vec<u32>> {
    let word = cursor.word();
    let numbers = word.strip_suffix(':').and_then(|numbers| match numbers.split_once("..") {
        None => numbers.parse().ok().map(|number| number..=number),
        Some((first, last)) => Some(first.parse().ok()?..=last.parse().ok()?),
    });
    match numbers {
        Some(numbers) if numbers.is_empty() || *numbers.start() == 0 => {
            Err(cursor.problem("viewers are counted upwards from 1"))
        }
        Some(numbers) if numbers.end() - numbers.start() >= LARGEST_CROWD => {
            Err(cursor.problem(format!("a crowd has at most {LARGEST_CROWD} viewers")))
        }
        Some(numbers) => Ok(numbers.collect()),
        None => Err(cursor.problem(format!("write viewer 1: or viewers 1..20: and not {word:?}"))),
    }
}

fn request(cursor: &mut Cursor<'_>) -> Parsed<Request> {
    let method = cursor.word();
    let method = match method.parse::<http::Method>() {
        Ok(parsed) if !method.is_empty() && !method.contains('"') => parsed,
        _ => return Err(cursor.problem(format!("here comes a method, not {method:?}"))),
    };
    let url = cursor.path();
    let (scheme, host, target) = split(url).ok_or_else(|| {
        cursor.problem(format!("here comes /path, http://host/path or https://…, not {url:?}"))
    })?;
    let target = Text::parse(target.as_bytes()).map_err(|text| cursor.problem(text))?;
    let target = String::from_utf8_lossy(&target.at(SystemTime::UNIX_EPOCH)).into_owned();
    if let Err(error) = target.parse::<http::uri::PathAndQuery>() {
        return Err(cursor.problem(format!("{url:?} cannot be sent: {error}")));
    }
    let mut request = Request {
        scheme,
        host: host.unwrap_or(DEFAULT_HOST).to_owned(),
        version: http::Version::HTTP_11,
        method,
        target,
        headers: Vec::new(),
        body: None,
        chunked: false,
    };
    while let Some(token) = cursor.next()? {
        let mut token = Some(token);
        match cursor.body(&mut token)? {
            Some(BodyMatch::Exactly(content)) => {
                request.body = Some(content);
                continue;
            }
            Some(_) => return Err(cursor.problem("a viewer sends \"text\" or bytes N")),
            None => {}
        }
        match token {
            Some(Token::Header(http::header::HOST)) => {
                let host = cursor.text()?.at(SystemTime::UNIX_EPOCH);
                request.host = String::from_utf8_lossy(&host).into_owned();
            }
            Some(Token::Header(name)) => request.headers.push((name, cursor.text()?)),
            Some(Token::Word("HTTP/1.0")) => request.version = http::Version::HTTP_10,
            Some(Token::Word("HTTP/1.1")) => request.version = http::Version::HTTP_11,
            Some(Token::Word("HTTP/2")) => request.version = http::Version::HTTP_2,
            Some(Token::Word("chunked")) => request.chunked = true,
            Some(Token::Word(other)) => {
                let known = ["HTTP/1.0", "HTTP/1.1", "HTTP/2", "chunked", "body", "bytes"];
                let hint = suggest::did_you_mean(other, &known);
                return Err(cursor.problem(format!("a viewer cannot send {other:?}.{hint}")));
            }
            _ => {}
        }
    }
    Ok(request)
}

/// Scheme, host and the path as it goes onto the wire.
fn split(url: &str) -> Option<(Scheme, Option<&str>, &str)> {
    if url.starts_with('/') {
        return Some((Scheme::Http, None, url));
    }
    let (scheme, rest) = match url.split_once("://")? {
        ("http", rest) => (Scheme::Http, rest),
        ("https", rest) => (Scheme::Https, rest),
        _ => return None,
    };
    let path = rest.find('/')?;
    // `https:///a` keeps the default host.
    let host = Some(&rest[..path]).filter(|host| !host.is_empty());
    Some((scheme, host, &rest[path..]))
}

fn expected(cursor: &mut Cursor<'_>) -> Parsed<Expected> {
    let mut expected = Expected::default();
    while let Some(token) = cursor.next()? {
        let mut token = Some(token);
        if let Some(body) = cursor.body(&mut token)? {
            expected.body = Some(body);
            continue;
        }
        match token {
            Some(Token::Header(name)) => expected.headers.push(cursor.expected(name)?),
            Some(Token::Word("broken")) => expected.broken = true,
            Some(Token::Word("decoded")) => expected.decoded = true,
            Some(Token::Word(word)) => match status(word) {
                Some(status) if expected.status.is_none() => expected.status = Some(status),
                _ => {
                    let hint = suggest::did_you_mean(
                        word,
                        &["broken", "decoded", "bytes", "size", "body"],
                    );
                    return Err(cursor.problem(format!(
                        "a reply is a status (200, 5xx), a body and headers; not {word:?}.{hint}"
                    )));
                }
            },
            _ => {}
        }
    }
    if expected.decoded && expected.body.is_none() {
        return Err(cursor.problem("what must the decoded body be? <- 200 decoded \"text\""));
    }
    if expected.status.is_none() && !expected.broken {
        return Err(cursor.problem("which status must come? <- 200, <- 4xx or <- broken"));
    }
    Ok(expected)
}

fn status(word: &str) -> Option<StatusMatch> {
    if let Some(class) = word.strip_suffix("xx") {
        return class.parse().ok().filter(|class| (1..=9).contains(class)).map(StatusMatch::Class);
    }
    word.parse().ok().filter(|status| (100..1000).contains(status)).map(StatusMatch::Exactly)
}
