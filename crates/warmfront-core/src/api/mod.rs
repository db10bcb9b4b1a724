//! The APIs in front of a source's Lambda functions: HTTP APIs, REST APIs and function URLs.
//!
//! Here is which route of which stage answers a request. What an event and a response look like is
//! the engine's; CORS settings are `cors`'s.

pub mod cors;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use ::http::Method;

use crate::function::Function;
use cors::Cors;

/// An API whose routes run local functions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Api {
    /// The name of the resource in the template.
    pub logical_id: String,
    /// `<logicalid>.execute-api.<region>.amazonaws.com`, lower-case.
    pub domain_name: String,
    /// What AWS sells it as: kinds route differently, and answer differently what they do not route.
    pub kind: ApiKind,
    /// The first segments of the path that lead to it. [`DEFAULT_STAGE`] stands for none.
    pub stages: Vec<String>,
    /// `BinaryMediaTypes` of a REST API: which bodies travel in base64. Empty for the other kinds,
    /// which decide by themselves.
    pub binary_media_types: Vec<String>,
    /// CORS settings of an HTTP API or a function URL.
    pub cors: Option<Cors>,
    /// In the order of the source; [`Api::route`] picks the most specific.
    pub routes: Vec<Route>,
}

/// The kinds of API that call functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApiKind {
    /// `AWS::ApiGatewayV2::Api` with the protocol HTTP.
    Http,
    /// `AWS::ApiGateway::RestApi`.
    Rest,
    /// `AWS::Lambda::Url`.
    Url,
}

/// One route of an API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// `GET`, …, or `None` for `ANY`.
    pub method: Option<Method>,
    /// `/pets/{id}`, `/files/{proxy+}`, or `$default`.
    pub path: String,
    /// What answers.
    pub answer: Answer,
}

/// What stands behind a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// A function of the source.
    Function {
        /// Which one.
        function: Arc<Function>,
        /// The form of its events and answers.
        payload: Payload,
    },
    /// A `MOCK` integration: always the same answer.
    Fixed(Fixed),
    /// An integration that is not run here, and why; requests to it fail.
    NotRun(String),
}

/// `PayloadFormatVersion`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payload {
    /// `1.0`: the only one of REST APIs.
    V1,
    /// `2.0`: HTTP APIs by default, function URLs always.
    V2,
}

/// The answer of a `MOCK` integration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fixed {
    /// Its status, 200-599.
    pub status: u16,
    /// Its headers, valid ones.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: String,
}

/// The route that answers a request.
#[derive(Debug, PartialEq, Eq)]
pub struct Match<'a> {
    /// The route.
    pub route: &'a Route,
    /// Its variables in the order of the route; those of a REST API as they came, the others decoded.
    pub parameters: Vec<(String, String)>,
    /// The stage that the path named, or [`DEFAULT_STAGE`].
    pub stage: &'a str,
    /// The path behind the stage.
    pub path: &'a str,
}

/// Why no route answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoRoute {
    /// The path begins with no stage of the API.
    Stage,
    /// The stage has no such path, or no such method on it.
    Route,
}

/// The stage whose paths begin at `/`.
pub const DEFAULT_STAGE: &str = "$default";

impl Api {
    /// The route that answers.
    ///
    /// HTTP APIs and function URLs: a full match beats one with a greedy variable, and that beats
    /// `$default` (API Gateway guide: routing API requests). Within those a literal segment beats a
    /// variable, from left to right, and a method beats `ANY`.
    ///
    /// REST APIs choose the resource by the path alone, in the same order, and then need the method
    /// on it. One slash at the end of the path makes no difference to them.
    pub fn route<'a>(&'a self, method: &Method, path: &'a str) -> Result<Match<'a>, NoRoute> {
        let (stage, path) = self.stage_of(path).ok_or(NoRoute::Stage)?;
        let is_rest = self.kind == ApiKind::Rest;
        let wanted = match path.strip_suffix('/') {
            Some(shorter) if is_rest && !shorter.is_empty() => shorter,
            _ => path,
        };
        let answers = |route: &Route| route.method.as_ref().is_none_or(|own| own == method);
        let matching = self.routes.iter().filter(|route| is_rest || answers(route));
        let matching = matching.filter_map(|route| {
            let (mut rank, parameters) = route.matches(wanted, !is_rest)?;
            // Of the methods on one resource those that answer come first.
            rank.names_method &= answers(route);
            Some(((rank, answers(route)), route, parameters))
        });
        // Of equals the first one: `max_by` would give the last.
        let best = matching.reduce(|best, next| if next.0 > best.0 { next } else { best });
        let (_, route, parameters) =
            best.filter(|(_, route, _)| answers(route)).ok_or(NoRoute::Route)?;
        Ok(Match { route, parameters, stage, path })
    }

    /// The stage that a path leads to, and what is left of the path.
    fn stage_of<'a>(&'a self, path: &'a str) -> Option<(&'a str, &'a str)> {
        let named = self.stages.iter().find_map(|stage| {
            let rest = path.strip_prefix('/')?.strip_prefix(stage.as_str())?;
            let rest = if rest.is_empty() { "/" } else { rest };
            rest.starts_with('/').then_some((stage.as_str(), rest))
        });
        let default = || self.stages.iter().any(|stage| stage == DEFAULT_STAGE);
        named.or_else(|| default().then_some((DEFAULT_STAGE, path)))
    }

    /// The path under which a route of literal segments is reached: with the first stage.
    pub fn public_path(&self, route: &Route) -> Option<String> {
        match self.stages.first()?.as_str() {
            DEFAULT_STAGE => Some(route.path.clone()),
            stage => Some(format!("/{stage}{}", route.path)),
        }
    }

    /// Every function that a route calls, as often as it is called.
    pub fn functions(&self) -> impl Iterator<Item = &Arc<Function>> {
        self.routes.iter().filter_map(|route| match &route.answer {
            Answer::Function { function, .. } => Some(function),
            Answer::Fixed(_) | Answer::NotRun(_) => None,
        })
    }
}

impl ApiKind {
    /// How people call it.
    pub fn as_str(self) -> &'static str {
        match self {
            ApiKind::Http => "HTTP API",
            ApiKind::Rest => "REST API",
            ApiKind::Url => "function URL",
        }
    }
}

/// How specific a match is; the larger one wins.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    kind: MatchKind,
    segments: Vec<SegmentKind>,
    names_method: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum MatchKind {
    Default,
    Greedy,
    Full,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum SegmentKind {
    Greedy,
    Variable,
    Literal,
}

impl Route {
    fn matches(&self, path: &str, decodes: bool) -> Option<(Rank, Vec<(String, String)>)> {
        let names_method = self.method.is_some();
        if self.path == DEFAULT_ROUTE {
            let rank = Rank { kind: MatchKind::Default, segments: Vec::new(), names_method };
            return Some((rank, Vec::new()));
        }
        let mut rest = Some(without_slash(path));
        let mut segments = Vec::new();
        let mut parameters = Vec::new();
        let mut kind = MatchKind::Full;
        for own in without_slash(&self.path).split('/') {
            let text = rest?;
            let (first, behind) = match text.split_once('/') {
                Some((first, behind)) => (first, Some(behind)),
                None => (text, None),
            };
            match variable(own) {
                Some(name) => {
                    // A greedy variable takes what is left (API Gateway guide: it is the last one).
                    let (name, taken, behind, segment) = match name.strip_suffix('+') {
                        Some(name) => (name, text, None, SegmentKind::Greedy),
                        None => (name, first, behind, SegmentKind::Variable),
                    };
                    if taken.is_empty() {
                        return None;
                    }
                    if segment == SegmentKind::Greedy {
                        kind = MatchKind::Greedy;
                    }
                    segments.push(segment);
                    let value = if decodes { percent_decoded(taken) } else { taken.to_owned() };
                    parameters.push((name.to_owned(), value));
                    rest = behind;
                }
                None if own == first => {
                    segments.push(SegmentKind::Literal);
                    rest = behind;
                }
                None => return None,
            }
        }
        let rank = Rank { kind, segments, names_method };
        rest.is_none().then_some((rank, parameters))
    }
}

/// The route for what no other one answers.
const DEFAULT_ROUTE: &str = "$default";

fn without_slash(path: &str) -> &str {
    path.strip_prefix('/').unwrap_or(path)
}

/// `x` of `{x}`, `x+` of `{x+}`.
fn variable(segment: &str) -> Option<&str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

/// HTTP APIs decode path parameters; REST APIs hand them on as they came, so that `%40` stays `%40`
/// (serverless/serverless#5037). What is no escape stays; what is no UTF-8 is replaced.
fn percent_decoded(text: &str) -> String {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, behind)) = rest.split_first() {
        let escaped = match (first, behind) {
            (b'%', [high, low, ..]) => hexadecimal(*high).zip(hexadecimal(*low)),
            _ => None,
        };
        match escaped {
            Some((high, low)) => {
                octets.push(high << 4 | low);
                rest = &behind[2..];
            }
            None => {
                octets.push(first);
                rest = behind;
            }
        }
    }
    String::from_utf8(octets)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

fn hexadecimal(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}
