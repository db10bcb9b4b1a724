//! `origin NAME: GET /a  cookie: absent -> hold g1; 200 "body" etag: "v1"; times 2`

use std::sync::Arc;

use super::cursor::{Cursor, Token, unescaped};
use super::{Parsed, suggest};
use crate::script::{
    Action, Answer, BodyMatch, Content, Ending, Framing, Pause, Plan, Reply, TargetMatch, Uses,
};
use crate::text::Text;

const WORDS: &[&str] = &[
    "hold",
    "delay",
    "abort",
    "reset",
    "close",
    "truncate",
    "chunked",
    "no-length",
    "raw",
    "bytes",
    "body",
    "times",
    "always",
    "fitting",
];

/// The origin's name, and the answer or the state the statement gives it.
pub(super) fn statement(cursor: &mut Cursor<'_>) -> Parsed<(String, Action)> {
    let name = cursor.word();
    let Some(name) = name.strip_suffix(':').filter(|name| !name.is_empty()) else {
        return Err(cursor.problem(format!("write origin NAME: and then GET /path; not {name:?}")));
    };
    let origin = name.to_owned();
    for (word, accepts) in [("refuses", false), ("accepts", true)] {
        if cursor.takes_word(word) {
            return Ok((origin.clone(), Action::Listen { origin, accepts }));
        }
    }
    let answer = Arc::new(answer(cursor)?);
    Ok((origin.clone(), Action::Script { origin, answer }))
}

fn answer(cursor: &mut Cursor<'_>) -> Parsed<Answer> {
    let line = cursor.line();
    let method = cursor.word();
    if method.is_empty() || !method.chars().all(|c| c.is_ascii_uppercase() || c == '-') {
        return Err(cursor.problem(format!("here comes a method (GET, POST, ANY), not {method:?}")));
    }
    let target = target(cursor)?;
    let mut headers = Vec::new();
    let mut body = None;
    while let Some(token) = cursor.next()? {
        let mut token = Some(token);
        if let Some(expected) = cursor.body(&mut token)? {
            body = Some(expected);
            continue;
        }
        match token {
            Some(Token::Header(name)) => headers.push(cursor.expected(name)?),
            Some(Token::Word(word)) => {
                return Err(cursor.problem(format!(
                    "before -> stands what the request must carry (name: value, \"body\"), \
                     not {word:?}"
                )));
            }
            _ => {}
        }
    }
    if !cursor.takes("->") {
        return Err(cursor.problem("how does the origin answer? -> 200 \"body\" name: value"));
    }
    let (plan, uses) = Writing::default().read(cursor)?;
    let method = (method != "ANY").then(|| method.to_owned());
    Ok(Answer { line, method, target, headers, body, uses, plan })
}

fn target(cursor: &mut Cursor<'_>) -> Parsed<TargetMatch> {
    if cursor.at_regex() {
        return cursor.regex().map(TargetMatch::Matches);
    }
    match cursor.path() {
        "*" => Ok(TargetMatch::Any),
        path if path.starts_with('/') => {
            let text = Text::parse(path.as_bytes()).map_err(|text| cursor.problem(text))?;
            let octets = text.at(std::time::SystemTime::UNIX_EPOCH);
            Ok(TargetMatch::Exactly(String::from_utf8_lossy(&octets).into_owned()))
        }
        other => Err(cursor
            .problem(format!("here comes a path (/a?b=c), ~/expression/ or *, not {other:?}"))),
    }
}

/// An answer while it is read.
#[derive(Default)]
struct Writing {
    status: Option<u16>,
    headers: Vec<(String, Text)>,
    without: Vec<String>,
    body: Option<Content>,
    raw: Option<Text>,
    framing: Option<Framing>,
    first: Vec<Pause>,
    within: Vec<(u64, Pause)>,
    ending: Option<Break>,
    uses: Option<Uses>,
}

enum Break {
    Close,
    Abort(Option<u64>),
    Reset(Option<u64>),
    Truncate,
}

impl Writing {
    fn read(mut self, cursor: &mut Cursor<'_>) -> Parsed<(Plan, Uses)> {
        while let Some(token) = cursor.next()? {
            let mut token = Some(token);
            match cursor.body(&mut token)? {
                Some(BodyMatch::Exactly(content)) => {
                    self.body = Some(content);
                    continue;
                }
                Some(_) => {
                    return Err(cursor.problem("an origin sends \"text\" or bytes N"));
                }
                None => {}
            }
            match token {
                Some(Token::Header(name)) => {
                    if cursor.takes_word("absent") {
                        self.without.push(name.to_string());
                    } else {
                        self.headers.push((name.to_string(), cursor.text()?));
                    }
                }
                Some(Token::Word(word)) => self.word(word, cursor)?,
                _ => {}
            }
        }
        self.plan(cursor)
    }

    fn word(&mut self, word: &str, cursor: &mut Cursor<'_>) -> Parsed<()> {
        if let Ok(status) = word.parse() {
            if self.status.replace(status).is_some() || !(100..1000).contains(&status) {
                return Err(cursor.problem(format!("one status from 100 to 999, not {word}")));
            }
            return Ok(());
        }
        match word {
            "hold" => {
                let gate = cursor.name("the name of a gate")?;
                self.pause(Pause::Hold(gate), cursor)?;
            }
            "delay" => {
                let by = cursor.duration()?;
                self.pause(Pause::Delay(by), cursor)?;
            }
            "abort" => self.ending = Some(Break::Abort(after(cursor)?)),
            "reset" => self.ending = Some(Break::Reset(after(cursor)?)),
            "close" => self.ending = Some(Break::Close),
            "truncate" => self.ending = Some(Break::Truncate),
            "chunked" => self.framing = Some(Framing::Chunked),
            "no-length" => self.framing = Some(Framing::Close),
            "times" => self.uses = Some(Uses::Times(cursor.number()?)),
            "always" => self.uses = Some(Uses::Always),
            "fitting" => self.uses = Some(Uses::Fitting),
            "raw" => self.raw = Some(raw(cursor)?),
            other => {
                let hint = suggest::did_you_mean(other, WORDS);
                return Err(cursor.problem(format!("an origin cannot {other:?}.{hint}")));
            }
        }
        Ok(())
    }

    /// A pause without `after` stands where it is written: before the status, or before the body.
    fn pause(&mut self, pause: Pause, cursor: &mut Cursor<'_>) -> Parsed<()> {
        match after(cursor)? {
            Some(at) => self.within.push((at, pause)),
            None if self.status.is_none() && self.raw.is_none() => self.first.push(pause),
            None => self.within.push((0, pause)),
        }
        Ok(())
    }

    fn plan(mut self, cursor: &Cursor<'_>) -> Parsed<(Plan, Uses)> {
        let says_nothing = self.status.is_none() && self.raw.is_none();
        let ending = match self.ending {
            None => Ending::KeepOpen,
            Some(Break::Close) => Ending::Close,
            Some(Break::Truncate) => Ending::Truncate,
            Some(Break::Abort(after)) => Ending::Abort { after: after.unwrap_or(0) },
            Some(Break::Reset(after)) => Ending::Reset { after: after.unwrap_or(0) },
        };
        let reply = match (self.status, self.raw) {
            (Some(_), Some(_)) => {
                return Err(cursor.problem("raw is the whole reply: no status beside it"));
            }
            (None, Some(raw)) => Reply::Raw(raw),
            (None, None) if matches!(ending, Ending::Abort { .. } | Ending::Reset { .. }) => {
                Reply::Nothing
            }
            (None, None) => {
                return Err(cursor.problem("the answer needs a status: -> 200 \"body\""));
            }
            (Some(status), None) => Reply::Composed {
                status,
                headers: self.headers.split_off(0),
                without: self.without,
                body: self.body.take(),
                framing: self.framing.take().unwrap_or(Framing::Length),
            },
        };
        let is_composed = matches!(reply, Reply::Composed { .. });
        if !is_composed && (!self.headers.is_empty() || self.body.is_some()) {
            return Err(cursor.problem("headers and a body need a status: -> 200 \"body\""));
        }
        if says_nothing && !self.within.is_empty() {
            return Err(cursor.problem("there is no body to pause in"));
        }
        if ending == Ending::Truncate && !is_composed {
            return Err(cursor.problem("truncate needs a status and a body"));
        }
        self.within.sort_by_key(|(at, _)| *at);
        let plan = Plan { first: self.first, reply, within: self.within, ending };
        Ok((plan, self.uses.unwrap_or(Uses::Times(1))))
    }
}

/// `after 100 bytes`, if it comes.
fn after(cursor: &mut Cursor<'_>) -> Parsed<Option<u64>> {
    if !cursor.takes_word("after") {
        return Ok(None);
    }
    let size = cursor.size()?;
    if !cursor.takes_word("bytes") {
        return Err(cursor.problem(format!("after {size} what? after {size} bytes")));
    }
    Ok(Some(size))
}

/// `raw "octets"`, or `raw <<` and a block, each line of which ends with CR LF on the wire. Blank lines at
/// the end of a block are not seen, so a block without one inside is a head, and gets the one that ends it.
fn raw(cursor: &mut Cursor<'_>) -> Parsed<Text> {
    if let Some(block) = cursor.block() {
        let end = if block.text.contains("\n\n") { "" } else { "\n" };
        let lines = format!("{}{end}", block.text).replace('\n', "\\r\\n");
        let octets = unescaped(&lines).and_then(|octets| Text::parse(&octets));
        return octets.map_err(|text| cursor.problem(text));
    }
    match cursor.next()? {
        Some(Token::Quoted(text)) => Ok(text),
        _ => Err(cursor.problem("raw is followed by \"octets\", or by << and an indented block")),
    }
}
