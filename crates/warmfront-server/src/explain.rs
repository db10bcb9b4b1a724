//! `warmfront explain`: what becomes of one request, with the line of the source behind each decision.
//!
//! Nothing is sent anywhere. The decisions are the core's; this room reads the URL, finds the lines and
//! prints.

use std::process::ExitCode;
use std::time::SystemTime;

use http::{HeaderMap, StatusCode, Uri, Version};
use serde::Serialize;
use warmfront::access::Signatures;
use warmfront_config::{Loaded, Written};
use warmfront_core::access::place::Place;
use warmfront_core::explain::{Asked, Explanation, Pointer, explain};
use warmfront_core::origin::Scheme;

use crate::cli::{ExplainArgs, ExplainFormat};
use crate::geography::knows_countries;
use crate::source;

/// A wrong command line, as clap's own errors.
const USAGE: u8 = 2;

/// 0: told; 1: the source has errors; 2: a file cannot be read, or the URL is none.
pub(crate) fn run(args: &ExplainArgs) -> ExitCode {
    let asked = match asked(args) {
        Ok(asked) => asked,
        Err(message) => {
            crate::say(&format!("error: {message}"));
            return ExitCode::from(USAGE);
        }
    };
    let loaded =
        source::find(Some(&args.source)).and_then(|source| source::load(&source, &args.from));
    let loaded = match loaded {
        Ok(loaded) => loaded,
        Err(error) => return source::unreadable(&error),
    };
    let Some(stack) = loaded.stack.as_ref().filter(|_| !loaded.has_errors()) else {
        crate::say(&warmfront_config::render_problems(&loaded));
        return ExitCode::from(1);
    };
    let told = explain(stack, &asked, Some(&Signatures), SystemTime::now());
    let text = match args.format {
        ExplainFormat::Human => human(args, &told, &loaded),
        ExplainFormat::Json => json(args, &told, &loaded),
    };
    crate::print(&text);
    ExitCode::SUCCESS
}

/// The request that the command line describes.
fn asked(args: &ExplainArgs) -> Result<Asked, String> {
    let url = &args.url;
    let uri: Uri = url.parse().map_err(|error| format!("{url} is no URL: {error}"))?;
    let scheme = match uri.scheme_str() {
        Some("http") => Scheme::Http,
        Some("https") => Scheme::Https,
        _ => return Err(format!("{url} is no URL: write http://HOST/PATH or https://HOST/PATH")),
    };
    let host = uri.authority().map(ToString::to_string).unwrap_or_default();
    let method =
        args.method.parse().map_err(|_| format!("-X {}: this is no method", args.method))?;
    let headers = fields(&args.headers)?;
    let answer = match (args.status, args.answer_headers.as_slice()) {
        (None, []) => None,
        (status, lines) => {
            let status = status.unwrap_or(200);
            let status = StatusCode::from_u16(status)
                .map_err(|_| format!("--status {status}: this is no status"))?;
            Some((status, fields(lines)?))
        }
    };
    Ok(Asked {
        method,
        scheme,
        version: Version::HTTP_11,
        host,
        path: uri.path().to_owned(),
        query: uri.query().map(str::to_owned),
        has_body: headers.contains_key(http::header::CONTENT_LENGTH),
        headers,
        viewer: ([127, 0, 0, 1], 40_000).into(),
        place: args.from.geo.map(Place::in_country),
        places_can_be_known: knows_countries(&args.from),
        answer,
    })
}

fn fields(lines: &[(String, String)]) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        let wrong = || format!("{name}: {value} is no header");
        let name: http::HeaderName = name.parse().map_err(|_| wrong())?;
        headers.append(name, value.parse().map_err(|_| wrong())?);
    }
    Ok(headers)
}

/// One line for each decision, those about one topic under one name.
fn human(args: &ExplainArgs, told: &Explanation, loaded: &Loaded) -> String {
    let mut text = format!("{} {}\n", args.method, args.url);
    let mut last = "";
    for step in &told.steps {
        let topic = step.topic.as_str();
        let shown = if topic == last { "" } else { topic };
        last = topic;
        let place = step.at.as_ref().and_then(|at| place(&loaded.written, told, at));
        let place = place.map_or(String::new(), |place| format!("  [{place}]"));
        text.push_str(&format!("  {shown:<17}{}{place}\n", step.text));
    }
    let origin = told.about(warmfront_core::explain::Topic::Origin).next();
    if origin.is_none() && !told.distribution.is_empty() {
        text.push_str("The request ends at the edge.\n");
    }
    text
}

#[derive(Serialize)]
struct Json<'a> {
    method: &'a str,
    url: &'a str,
    distribution: &'a str,
    behavior: Option<usize>,
    steps: Vec<JsonStep<'a>>,
}

#[derive(Serialize)]
struct JsonStep<'a> {
    topic: &'a str,
    text: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<String>,
}

fn json(args: &ExplainArgs, told: &Explanation, loaded: &Loaded) -> String {
    let steps = told.steps.iter().map(|step| JsonStep {
        topic: step.topic.as_str(),
        text: &step.text,
        place: step.at.as_ref().and_then(|at| place(&loaded.written, told, at)),
    });
    let json = Json {
        method: &args.method,
        url: &args.url,
        distribution: &told.distribution,
        behavior: told.behavior,
        steps: steps.collect(),
    };
    let mut text = serde_json::to_string_pretty(&json).unwrap_or_default();
    text.push('\n');
    text
}

/// Where it was written; what stands in no file, such as a default or a policy of AWS, has no place.
fn place(written: &Written, told: &Explanation, at: &Pointer) -> Option<String> {
    let id = told.distribution.as_str();
    let nearest = |find: &dyn Fn(&str) -> Option<String>, property: &str| {
        // A list that is not spelled item by item has its own line.
        let mut property = property;
        loop {
            if let Some(place) = find(property) {
                return Some(place);
            }
            property = property.rsplit_once('.')?.0;
        }
    };
    let shown = |place: Option<&warmfront_config::place::Place>| place.map(ToString::to_string);
    match at {
        Pointer::Distribution(property) => shown(written.distribution(id, property)),
        Pointer::Behavior(index, property) => {
            nearest(&|property| shown(written.behavior(id, *index, property)), property)
        }
        Pointer::Origin(index, property) => shown(written.origin(id, *index, property)),
        Pointer::Policy(kind, name, property) => {
            nearest(&|property| shown(written.policy(*kind, name, property)), property)
        }
    }
}
