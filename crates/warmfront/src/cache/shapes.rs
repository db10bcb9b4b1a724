//! What the heads of many objects have in common is kept once: the names of their fields, and values that
//! repeat, as those of Content-Type do.
//!
//! Names and values that were seen are never given up, so that a hit copies them without touching a count
//! that other threads touch too; that is why both tables are small. Lists are given up when no stored head
//! uses them. What finds no room in a table belongs to its object alone, and its weight counts it.
//!
//! One lock guards all of it. Only fills take it, for a few look-ups; hits never do.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use http::header::{
    ACCEPT_RANGES, ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS,
    ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS,
    ACCESS_CONTROL_MAX_AGE, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_TYPE,
    REFERRER_POLICY, SERVER, STRICT_TRANSPORT_SECURITY, VARY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue};

/// One field of a head: its name, and its value if that is kept with the name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Field {
    pub(super) name: HeaderName,
    /// `None`: the value is in the block of the object.
    pub(super) value: Option<HeaderValue>,
}

/// The fields of a head, in order.
#[derive(Debug, Clone)]
pub(super) struct Shape {
    pub(super) fields: Arc<[Field]>,
    /// Bytes of it that belong to one object alone.
    pub(super) own: u32,
}

/// Distinct names that are kept; a name costs at most [`LONGEST`] bytes.
const NAMES: usize = 1024;
/// Distinct values that are kept.
const VALUES: usize = 4096;
/// Bytes of the longest name or value that is kept.
const LONGEST: usize = 128;
/// Distinct lists.
const LISTS: usize = 4096;
/// Fields of the longest list.
const MOST_FIELDS: usize = 64;
/// Between two searches for lists that nobody uses any more, this many must have found no room.
const PATIENCE: usize = 512;

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
    lists: HashSet<Arc<[Field]>>,
    turned_away: usize,
}

static SHAPES: LazyLock<Mutex<Shapes>> = LazyLock::new(Mutex::default);

/// The shape of `headers`, shared with every object that has the same.
pub(super) fn shape_of(headers: &HeaderMap) -> Shape {
    SHAPES.lock().unwrap_or_else(PoisonError::into_inner).shape_of(headers)
}

impl Shapes {
    fn shape_of(&mut self, headers: &HeaderMap) -> Shape {
        let field = |(name, value): (&HeaderName, &HeaderValue)| {
            let value = if REPEATING.contains(name) { self.value(value) } else { None };
            Field { name: self.name(name), value }
        };
        let fields: Vec<Field> = headers.iter().map(field).collect();
        if let Some(fields) = self.lists.get(fields.as_slice()) {
            return Shape { fields: fields.clone(), own: 0 };
        }
        if fields.len() <= MOST_FIELDS && self.has_room_for_a_list() {
            let fields: Arc<[Field]> = fields.into();
            self.lists.insert(fields.clone());
            return Shape { fields, own: 0 };
        }
        // Names that are not among the known ones may have a block each.
        let names: usize = fields.iter().map(|field| field.name.as_str().len()).sum();
        let own = super::weight::counted(size_of_val(&*fields)) + names;
        Shape { fields: fields.into(), own: own.try_into().unwrap_or(u32::MAX) }
    }

    fn has_room_for_a_list(&mut self) -> bool {
        if self.lists.len() < LISTS {
            return true;
        }
        self.turned_away += 1;
        if self.turned_away < PATIENCE {
            return false;
        }
        self.turned_away = 0;
        self.lists.retain(|fields| Arc::strong_count(fields) > 1);
        self.lists.len() < LISTS
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
        assert!(Arc::ptr_eq(&one.fields, &two.fields) && one.own == 0);
        assert!(!Arc::ptr_eq(&one.fields, &three.fields), "its type is another one");
        assert_eq!(one.fields[0].value.as_ref().unwrap(), "text/css");
        assert_eq!(one.fields[1].value, None, "an ETag is its object's own");
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
        assert!(last.own as usize > 2 * size_of::<Field>(), "{}", last.own);
        assert_eq!(last.fields[1].value, None, "its value found no room");
        assert_eq!(last.fields[0].name.as_str(), format!("x-name-{}", LISTS + 599));

        drop(kept);
        let shared = |shapes: &mut Shapes| shape(shapes, &[("x-late", "v")]).own == 0;
        assert!((0..PATIENCE).any(|_| shared(&mut shapes)), "lists that nobody uses make room");
    }

    #[test]
    fn long_names_values_and_heads_stay_with_their_object() {
        let mut shapes = Shapes::default();
        let long = "x".repeat(LONGEST + 1);
        let odd = shape(&mut shapes, &[(&long, "v"), ("content-type", &long)]);
        assert_eq!(odd.fields[1].value, None);
        assert!(shapes.values.is_empty());
        let many: Vec<String> = (0..=MOST_FIELDS).map(|n| format!("x-{n}")).collect();
        let many: Vec<(&str, &str)> = many.iter().map(|name| (name.as_str(), "v")).collect();
        assert!(shape(&mut shapes, &many).own > 0);
    }
}
