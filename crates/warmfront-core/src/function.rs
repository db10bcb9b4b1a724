//! Lambda functions that a source brings along, and the HTTP APIs in front of them.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ::http::Method;

/// A Lambda function of the source, ready to be run in a worker process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// The name of the resource in the template.
    pub logical_id: String,
    /// The function's name: for the log, `AWS_LAMBDA_FUNCTION_NAME` and `--function-env`.
    pub name: String,
    /// The language that runs it.
    pub runtime: Runtime,
    /// `file.export`, relative to the code.
    pub handler: String,
    /// Where the code is.
    pub code: Code,
    /// Environment variables of the function, in the order of the source.
    pub environment: Vec<(String, String)>,
    /// Limit of one invocation (1-900 s; Lambda's default is 3 s, serverless' is 6 s).
    pub timeout: Duration,
    /// `MemorySize` in MiB.
    pub memory_mib: u32,
    /// How many invocations may run at once; `None`: the host's default.
    pub concurrency: Option<usize>,
}

/// Which program runs a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Runtime {
    /// Any `nodejs…`; the value is kept as written, for the log.
    Node(String),
    /// A runtime that cannot be run yet, as written.
    Unsupported(String),
}

/// Where a function's code is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Code {
    /// A directory: the task root.
    Directory(PathBuf),
    /// `ZipFile` in a template: the text of `index.js`.
    Inline(String),
}

/// An API Gateway HTTP API (payload 2.0) whose routes run local functions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpApi {
    /// The name of the resource in the template.
    pub logical_id: String,
    /// `<logicalid>.execute-api.<region>.amazonaws.com`, lower-case.
    pub domain_name: String,
    /// In the order of the source; [`HttpApi`] matching picks the most specific.
    pub routes: Vec<Route>,
}

/// One route of an HTTP API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// `GET`, …, or `None` for `ANY`.
    pub method: Option<Method>,
    /// `/pets/{id}`, `/files/{proxy+}`, or `$default`.
    pub path: String,
    /// What answers.
    pub function: Arc<Function>,
}

impl HttpApi {
    /// The route that answers, and the path parameters in the order of the route, decoded.
    ///
    /// A full match beats one with a greedy variable, and that beats `$default` (API Gateway guide:
    /// routing API requests). Within those a literal segment beats a variable, from left to right,
    /// and a method beats `ANY`. `None` is API Gateway's 404.
    pub fn route(&self, method: &Method, path: &str) -> Option<(&Route, Vec<(String, String)>)> {
        let answers = |route: &&Route| route.method.as_ref().is_none_or(|own| own == method);
        let matching = self.routes.iter().filter(answers).filter_map(|route| {
            let (rank, parameters) = route.matches(path)?;
            Some((rank, route, parameters))
        });
        // Of equals the first one: `max_by` would give the last.
        let best = matching.reduce(|best, next| if next.0 > best.0 { next } else { best })?;
        Some((best.1, best.2))
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
    fn matches(&self, path: &str) -> Option<(Rank, Vec<(String, String)>)> {
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
                    parameters.push((name.to_owned(), percent_decoded(taken)));
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

/// API Gateway decodes path parameters. What is no escape stays; what is no UTF-8 is replaced.
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn api(routes: &[&str]) -> HttpApi {
        let function = Arc::new(Function {
            logical_id: "Hello".to_owned(),
            name: "hello".to_owned(),
            runtime: Runtime::Node("nodejs20.x".to_owned()),
            handler: "index.handler".to_owned(),
            code: Code::Inline(String::new()),
            environment: Vec::new(),
            timeout: Duration::from_secs(3),
            memory_mib: 128,
            concurrency: None,
        });
        let route = |key: &&str| {
            let (method, path) = key.split_once(' ').unwrap_or(("ANY", key));
            let method = (method != "ANY").then(|| Method::from_bytes(method.as_bytes()).unwrap());
            Route { method, path: path.to_owned(), function: function.clone() }
        };
        HttpApi {
            logical_id: "Api".to_owned(),
            domain_name: "api.execute-api.us-east-1.amazonaws.com".to_owned(),
            routes: routes.iter().map(route).collect(),
        }
    }

    /// `expected`: the route's path and its parameters as `name=value,…`.
    #[track_caller]
    fn check(api: &HttpApi, request: &str, expected: Option<(&str, &str)>) {
        let (method, path) = request.split_once(' ').unwrap();
        let found = api.route(&Method::from_bytes(method.as_bytes()).unwrap(), path);
        let found = found.map(|(route, parameters)| {
            let method = route.method.as_ref().map_or("ANY", Method::as_str);
            let parameters: Vec<_> =
                parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
            (format!("{method} {}", route.path), parameters.join(","))
        });
        let expected = expected.map(|(route, rest)| (route.to_owned(), rest.to_owned()));
        assert_eq!(found, expected, "{request}");
    }

    #[test]
    fn the_most_specific_route_answers_whatever_the_order() {
        let mut routes = [
            "$default",
            "ANY /{proxy+}",
            "GET /pets/{proxy+}",
            "GET /pets/dog/{id}",
            "GET /pets/dog/1",
        ];
        for _ in 0..2 {
            let api = api(&routes);
            check(&api, "GET /pets/dog/1", Some(("GET /pets/dog/1", "")));
            check(&api, "GET /pets/dog/2", Some(("GET /pets/dog/{id}", "id=2")));
            check(&api, "GET /pets/cat/1", Some(("GET /pets/{proxy+}", "proxy=cat/1")));
            check(&api, "POST /test/5", Some(("ANY /{proxy+}", "proxy=test/5")));
            check(&api, "GET /", Some(("ANY $default", "")));
            routes.reverse();
        }
    }

    #[test]
    fn a_full_match_beats_a_greedy_one_and_a_method_beats_any() {
        let api =
            api(&["ANY /a/{id}", "GET /a/{proxy+}", "GET /a/{id}", "ANY /{x}/b", "GET /{y+}"]);
        check(&api, "GET /a/1", Some(("GET /a/{id}", "id=1")));
        check(&api, "POST /a/1", Some(("ANY /a/{id}", "id=1")));
        check(&api, "GET /a/1/2", Some(("GET /a/{proxy+}", "proxy=1/2")));
        check(&api, "GET /c/b", Some(("ANY /{x}/b", "x=c")));
        check(&api, "GET /a/b", Some(("GET /a/{id}", "id=b")));
        check(&api, "GET /c/d", Some(("GET /{y+}", "y=c/d")));
    }

    #[test]
    fn a_path_matches_as_a_whole() {
        let api = api(&["GET /", "GET /hello", "GET /u/{a}/{b}", "GET /f/{path+}"]);
        check(&api, "GET /", Some(("GET /", "")));
        check(&api, "GET /hello", Some(("GET /hello", "")));
        check(&api, "GET /u/x/y", Some(("GET /u/{a}/{b}", "a=x,b=y")));
        check(&api, "GET /f/x/", Some(("GET /f/{path+}", "path=x/")));
        for path in ["/hello/", "/Hello", "/hell", "/u/x", "/u//y", "/u/x/y/z", "/f", "/f/", "//"] {
            check(&api, &format!("GET {path}"), None);
        }
        check(&api, "POST /hello", None);
    }

    #[test]
    fn parameters_are_decoded() {
        let api = api(&["GET /{a}/{b+}"]);
        check(&api, "GET /x%20y/%C3%A4%2fb/+", Some(("GET /{a}/{b+}", "a=x y,b=ä/b/+")));
        check(&api, "GET /%/%4/%zz/%", Some(("GET /{a}/{b+}", "a=%,b=%4/%zz/%")));
        check(&api, "GET /%ff/1", Some(("GET /{a}/{b+}", "a=\u{fffd},b=1")));
    }

    proptest! {
        #[test]
        fn any_path_and_any_route_are_taken(route in any::<String>(), path in any::<String>()) {
            api(&[&format!("ANY {route}"), "GET /{a}/{b+}"]).route(&Method::GET, &path);
        }
    }
}
