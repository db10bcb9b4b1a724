//! What the heads of many objects have in common is kept once: the names of their fields, and values that
//! repeat, as those of Content-Type do.
//!
//! Names and values that were seen are never given up, so that a hit copies them without touching a count
//! that other threads touch too; that is why both tables are small. Lists are given up when no stored head
//! uses them. What finds no room in a table belongs to its object alone, and its weight counts it.
//!
//! One lock guards all of it. Only fills take it, for a few look-ups; hits never do.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::{LazyLock, Mutex, PoisonError};

use http::header::{
    ACCEPT_RANGES, ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS,
    ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS,
    ACCESS_CONTROL_MAX_AGE, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_TYPE,
    REFERRER_POLICY, SERVER, STRICT_TRANSPORT_SECURITY, VARY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::common::{Common, InCommon};
use super::weight::{allocated, counted};

/// The fields of a head, in order, with what heads may have in common.
#[derive(Debug)]
pub(super) struct Fields {
    /// With room for what a reply adds. A copy of it costs less than to hash every name again.
    pub(super) template: HeaderMap,
    /// Of each field, whether its value is in the block of the object; the template's is empty then.
    pub(super) apart: Box<[bool]>,
}

impl PartialEq for Fields {
    fn eq(&self, other: &Self) -> bool {
        self.apart == other.apart && self.template.iter().eq(other.template.iter())
    }
}

impl Eq for Fields {}

impl Hash for Fields {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.apart.hash(state);
        self.template.iter().for_each(|field| field.hash(state));
    }
}

/// The fields of one head.
pub(super) type Shape = InCommon<Fields>;

/// Room for the fields that every reply gets: Age, Date, Content-Length, X-Cache, Via, X-Amz-Cf-Pop,
/// X-Amz-Cf-Id, Connection.
const FIELDS_ADDED_LATER: usize = 8;
/// Distinct names that are kept; a name costs at most [`LONGEST`] bytes.
const NAMES: usize = 1024;
/// Distinct values that are kept.
const VALUES: usize = 4096;
/// Bytes of the longest name or value that is kept.
const LONGEST: usize = 128;
/// Fields of the longest list.
const MOST_FIELDS: usize = 64;

/// The fields whose values repeat from object to object.
const REPEATING: [HeaderName; 17] = [
    ACCEPT_RANGES,
    ACCESS_CONTROL_ALLOW_CREDENTIALS,
    ACCESS_CONTROL_ALLOW_HEADERS,
    ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS,
    ACCESS_CONTROL_MAX_AGE,
    CACHE_CONTROL,
    CONTENT_ENCODING,
    CONTENT_LANGUAGE,
    CONTENT_TYPE,
    REFERRER_POLICY,
    SERVER,
    STRICT_TRANSPORT_SECURITY,
    VARY,
    X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
];

#[derive(Default)]
struct Shapes {
    names: HashMap<HeaderName, HeaderName>,
    values: HashMap<Vec<u8>, HeaderValue>,
    lists: Common<Fields>,
}

static SHAPES: LazyLock<Mutex<Shapes>> = LazyLock::new(Mutex::default);

/// The shape of `headers`, shared with every object that has the same.
pub(super) fn shape_of(headers: &HeaderMap) -> Shape {
    SHAPES.lock().unwrap_or_else(PoisonError::into_inner).shape_of(headers)
}

impl Fields {
    /// Bytes of memory that it takes.
    pub(super) fn weight(&self) -> usize {
        // Names that are not among the known ones may have a block each.
        let names: usize = self.template.keys().map(|name| name.as_str().len()).sum();
        let entries = self.template.capacity() * (ENTRY + size_of::<u32>()) + self.apart.len();
        counted(size_of::<Self>()) + allocated(entries) + names
    }
}

/// An entry of a `HeaderMap`: name, value, hash and links.
const ENTRY: usize = size_of::<HeaderName>() + size_of::<HeaderValue>() + 32;

impl Shapes {
    fn shape_of(&mut self, headers: &HeaderMap) -> Shape {
        let mut template = HeaderMap::with_capacity(headers.len() + FIELDS_ADDED_LATER);
        let mut apart = Vec::with_capacity(headers.len());
        for (name, value) in headers {
            let common = if REPEATING.contains(name) { self.value(value) } else { None };
            apart.push(common.is_none());
            let common = common.unwrap_or_else(|| HeaderValue::from_static(""));
            template.append(self.name(name), common);
        }
        let is_long = apart.len() > MOST_FIELDS;
        let fields = Fields { template, apart: apart.into() };
        if is_long { InCommon::own(fields) } else { self.lists.one(fields) }
    }

    fn name(&mut self, name: &HeaderName) -> HeaderName {
        if let Some(known) = self.names.get(name) {
            return known.clone();
        }
        let text = name.as_str();
        if text.len() > LONGEST || self.names.len() == NAMES {
            // It may be a slice of a connection's read buffer, which must not live on.
            return HeaderName::from_bytes(text.as_bytes()).unwrap_or_else(|_| name.clone());
        }
        let kept = HeaderName::from_static(String::leak(text.to_owned()));
        self.names.insert(kept.clone(), kept.clone());
        kept
    }

    fn value(&mut self, value: &HeaderValue) -> Option<HeaderValue> {
        if let Some(known) = self.values.get(value.as_bytes()) {
            return Some(known.clone());
        }
        // `from_static` takes visible ASCII only.
        let text = value.to_str().ok().filter(|text| text.len() <= LONGEST)?;
        if self.values.len() == VALUES {
            return None;
        }
        let kept = HeaderValue::from_static(String::leak(text.to_owned()));
        self.values.insert(text.as_bytes().to_vec(), kept.clone());
        Some(kept)
    }
}

#[cfg(test)]
mod tests {
    use super::super::common::{MOST as LISTS, PATIENCE};
    use super::*;

    fn headers(lines: &[(&str, &str)]) -> HeaderMap {
        lines.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    fn shape(shapes: &mut Shapes, lines: &[(&str, &str)]) -> Shape {
        shapes.shape_of(&headers(lines))
    }

    #[test]
    fn heads_with_the_same_fields_share_their_list() {
        let mut shapes = Shapes::default();
        let one = shape(&mut shapes, &[("content-type", "text/css"), ("etag", "\"1\"")]);
        let two = shape(&mut shapes, &[("content-type", "text/css"), ("etag", "\"2\"")]);
        let three = shape(&mut shapes, &[("content-type", "text/html"), ("etag", "\"2\"")]);
        assert!(one.is(&two) && !one.is_own());
        assert!(!one.is(&three), "its type is another one");
        assert_eq!(one.template["content-type"], "text/css");
        assert_eq!(*one.apart, [false, true], "an ETag is its object's own");
    }

    #[test]
    fn a_stream_of_new_names_values_and_lists_meets_its_limits_and_is_weighed() {
        let mut shapes = Shapes::default();
        let mut kept = Vec::new();
        for n in 0..LISTS + 600 {
            let (name, value) = (format!("x-name-{n}"), format!("text/x-{n}"));
            kept.push(shape(&mut shapes, &[(&name, "v"), ("content-type", &value)]));
        }
        assert_eq!(shapes.names.len(), NAMES);
        assert_eq!(shapes.values.len(), VALUES);
        assert_eq!(shapes.lists.len(), LISTS);
        let last = kept.last().unwrap();
        assert!(last.is_own() && last.weight() > 2 * ENTRY, "{}", last.weight());
        assert_eq!(*last.apart, [true, true], "its value found no room");
        assert!(last.template.contains_key(format!("x-name-{}", LISTS + 599)));

        drop(kept);
        let shared = |shapes: &mut Shapes| !shape(shapes, &[("x-late", "v")]).is_own();
        assert!((0..PATIENCE).any(|_| shared(&mut shapes)), "lists that nobody uses make room");
    }

    #[test]
    fn long_names_values_and_heads_stay_with_their_object() {
        let mut shapes = Shapes::default();
        let long = "x".repeat(LONGEST + 1);
        let odd = shape(&mut shapes, &[(&long, "v"), ("content-type", &long)]);
        assert_eq!(*odd.apart, [true, true]);
        assert!(shapes.values.is_empty());
        let many: Vec<String> = (0..=MOST_FIELDS).map(|n| format!("x-{n}")).collect();
        let many: Vec<(&str, &str)> = many.iter().map(|name| (name.as_str(), "v")).collect();
        assert!(shape(&mut shapes, &many).is_own());
    }
}
