//! CDN-Cache-Control, the targeted field of RFC 9213.
//!
//! Unlike Cache-Control it is a structured dictionary (RFC 9651): it is read as a whole or not at all.

use std::convert::Infallible;
use std::time::Duration;

use ::http::{HeaderMap, HeaderName};
use sfv::visitor::ParameterVisitor;
use sfv::visitor::{DictionaryVisitor, EntryVisitor, Ignored, InnerListVisitor, ItemVisitor};
use sfv::{BareItemFromInput, KeyRef};

use super::CacheControl;
use super::cache_control::{MAX_SECONDS, cover};

/// `CDN-Cache-Control`
pub const CDN_CACHE_CONTROL: HeaderName = HeaderName::from_static("cdn-cache-control");

/// What the field says. `None` when there is none, it is empty or no dictionary, or a directive in it has a
/// value of the wrong type: then it is as if it were not there (RFC 9213 §2.1, §2.2).
pub(super) fn parse(headers: &HeaderMap) -> Option<CacheControl> {
    let mut lines = headers.get_all(CDN_CACHE_CONTROL).iter();
    let first = lines.next()?;
    let joined = lines.fold(first.as_bytes().to_vec(), |mut joined, line| {
        joined.extend_from_slice(b", ");
        joined.extend_from_slice(line.as_bytes());
        joined
    });
    let members = sfv::Parser::new(&joined).parse_dictionary_with_visitor(Members::default());
    let Members { known, is_empty: false } = members.ok()? else { return None };
    let mut control = CacheControl { is_targeted: true, ..CacheControl::default() };
    for (name, value) in known {
        take(&mut control, name, value)?;
    }
    Some(control)
}

/// `None`: the value is of the wrong type.
fn take(control: &mut CacheControl, name: &str, value: Value) -> Option<()> {
    let seconds = || match value {
        Value::Seconds(seconds) => Some(Some(Duration::from_secs(seconds.min(MAX_SECONDS)))),
        _ => None,
    };
    let flag = || (value == Value::Said).then_some(true);
    match name {
        "max-age" => control.max_age = seconds()?,
        "s-maxage" => control.s_maxage = seconds()?,
        "stale-while-revalidate" => control.stale_while_revalidate = seconds()?,
        "stale-if-error" => control.stale_if_error = seconds()?,
        "no-store" => control.no_store = flag()?,
        "must-revalidate" => control.must_revalidate = flag()?,
        "proxy-revalidate" => control.proxy_revalidate = flag()?,
        "must-understand" => control.must_understand = flag()?,
        "public" => control.public = flag()?,
        "immutable" => control.immutable = flag()?,
        "no-cache" => cover(
            &mut control.no_cache,
            &mut control.no_cache_fields,
            value.field_list()?.as_deref(),
        ),
        "private" => {
            cover(&mut control.private, &mut control.private_fields, value.field_list()?.as_deref())
        }
        _ => {}
    }
    Some(())
}

/// A member's value, as far as a directive may have it.
#[derive(Debug, PartialEq, Eq)]
enum Value {
    /// No value, or `?1`.
    Said,
    Seconds(u64),
    /// A string or a token.
    Text(Vec<u8>),
    /// Something that no directive has.
    Wrong,
}

impl Value {
    /// The argument of a directive that may have a list of fields. `None`: it has something else.
    fn field_list(self) -> Option<Option<Vec<u8>>> {
        match self {
            Value::Said => Some(None),
            Value::Text(text) => Some(Some(text)),
            _ => None,
        }
    }
}

/// The members that are known, each once: of several with one name the last counts (RFC 9651 §4.2.2).
struct Members<'a> {
    known: Vec<(&'a str, Value)>,
    is_empty: bool,
}

impl Default for Members<'_> {
    fn default() -> Self {
        Members { known: Vec::new(), is_empty: true }
    }
}

impl<'a> DictionaryVisitor<'a> for Members<'a> {
    type Out = Self;
    type Error = Infallible;

    fn entry(&mut self, key: &'a KeyRef) -> Result<impl EntryVisitor<'a>, Infallible> {
        self.is_empty = false;
        let name = key.as_str();
        if !KNOWN.contains(&name) {
            return Ok(None);
        }
        self.known.retain(|(earlier, _)| *earlier != name);
        self.known.push((name, Value::Wrong));
        Ok(self.known.last_mut().map(|(_, value)| Member(value)))
    }

    fn finish(self) -> Result<Self, Infallible> {
        Ok(self)
    }
}

/// What [`take`] knows; the list of members stays as short as this one.
const KNOWN: [&str; 12] = [
    "max-age",
    "s-maxage",
    "stale-while-revalidate",
    "stale-if-error",
    "no-store",
    "must-revalidate",
    "proxy-revalidate",
    "must-understand",
    "public",
    "immutable",
    "no-cache",
    "private",
];

struct Member<'m>(&'m mut Value);

impl<'a> EntryVisitor<'a> for Member<'_> {
    type Error = Infallible;

    fn item(self) -> Result<impl ItemVisitor<'a>, Infallible> {
        Ok(self)
    }

    fn inner_list(self) -> Result<impl InnerListVisitor<'a>, Infallible> {
        Ok(Ignored)
    }
}

impl<'a> ItemVisitor<'a> for Member<'_> {
    type Out = ();
    type Error = Infallible;

    fn bare_item(
        self,
        item: BareItemFromInput<'a>,
    ) -> Result<impl ParameterVisitor<'a, Out = ()>, Infallible> {
        *self.0 = match item {
            BareItemFromInput::Boolean(true) => Value::Said,
            BareItemFromInput::Integer(seconds) => {
                u64::try_from(i64::from(seconds)).map_or(Value::Wrong, Value::Seconds)
            }
            BareItemFromInput::String(text) => Value::Text(text.as_str().as_bytes().to_vec()),
            BareItemFromInput::Token(token) => Value::Text(token.as_str().as_bytes().to_vec()),
            _ => Value::Wrong,
        };
        // RFC 9213 §2.1: parameters that are not known are ignored, and none is.
        Ok(Ignored)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::caching::cache_control::tests::told;

    fn read(lines: &[&str]) -> Option<CacheControl> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(CDN_CACHE_CONTROL, line.parse().unwrap());
        }
        parse(&headers)
    }

    #[track_caller]
    fn check(lines: &[&str], expected: &str) {
        let control = read(lines);
        assert_eq!(control.as_ref().map(told).as_deref(), Some(expected), "{lines:?}");
    }

    #[track_caller]
    fn check_none(lines: &[&str]) {
        assert_eq!(read(lines), None, "{lines:?}");
    }

    #[test]
    fn the_directives_are_those_of_cache_control() {
        check(&["max-age=60"], "max-age=60");
        check(&["max-age=60, s-maxage=600, public"], "public max-age=60 s-maxage=600");
        check(&["no-store,must-revalidate"], "no-store must-revalidate");
        check(&["proxy-revalidate, immutable"], "proxy-revalidate immutable");
        check(&["stale-while-revalidate=5, stale-if-error=10"], "swr=5 sie=10");
        check(&["no-cache, private=?1"], "no-cache private");
        check(&["max-age=0060"], "max-age=60");
        check(&["max-age=999999999999999"], &format!("max-age={MAX_SECONDS}"));
        check(
            &["private=\"X-A, x-b\", no-cache=set-cookie"],
            "no-cache:set-cookie private:x-a private:x-b",
        );
    }

    #[test]
    fn what_is_not_known_is_ignored() {
        check(&["max-age=60;burst=9, foo=(a b), bar=:aGk=:, baz=1.5"], "max-age=60");
        check(&["foo"], "");
    }

    #[test]
    fn lines_are_one_dictionary_and_the_last_of_a_name_counts() {
        check(&["max-age=60", "no-store"], "no-store max-age=60");
        check(&["max-age=60", "max-age=5"], "max-age=5");
        check(&["max-age=x", "max-age=5"], "max-age=5");
    }

    #[test]
    fn what_is_no_dictionary_is_as_if_it_were_not_there() {
        for broken in [
            "",
            " ",
            "max-age=10, &&&&&",
            "MaX-aGe=60",
            "max-age =60",
            "max-age= 60",
            "a,",
            "\"a\"",
        ] {
            check_none(&[broken]);
        }
        check_none(&["max-age=60", "&"]);
        check_none(&[]);
    }

    #[test]
    fn a_value_of_the_wrong_type_spoils_the_field() {
        for wrong in [
            "max-age=\"60\"",
            "max-age",
            "max-age=1.5",
            "max-age=-1",
            "max-age=(60)",
            "no-store=?0",
            "no-store=1",
            "no-cache=5",
            "public=yes",
            "max-age=60, no-store=\"x\"",
        ] {
            check_none(&[wrong]);
        }
    }

    proptest! {
        #[test]
        fn whatever_the_bytes_reading_ends(
            lines in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..4)
        ) {
            let mut headers = HeaderMap::new();
            for line in &lines {
                if let Ok(value) = ::http::HeaderValue::from_bytes(line) {
                    headers.append(CDN_CACHE_CONTROL, value);
                }
            }
            parse(&headers);
        }
    }
}
