//! Several responses of one URI: what lies under the primary key when Vary selects among them, and under
//! which key each of them lies (RFC 9111 §4.1).
//!
//! Every variant is a response of its own for storing, waiting and making room. Which values select is
//! decided in `warmfront_core`.

use http::HeaderName;
use http::header::ACCEPT_LANGUAGE;
use warmfront_core::caching::variants::{first_language, write_selecting};

use super::Generation;

/// Sets of fields that are remembered for one URI. Beyond that the oldest is forgotten: its variants are
/// found no more, and make room in their time.
const MAX_SETS: usize = 4;
/// Languages that are remembered for one set; beyond that the oldest is forgotten, and a request that
/// prefers it alone asks the origin unless its exact variant is stored.
const MAX_LANGUAGES: usize = 16;

/// What lies under the primary key of a URI whose responses vary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Varies {
    /// A part of the key of every variant: when this entry goes, all of them are out of reach, so a URI is
    /// invalidated by removing one entry.
    generation: Generation,
    /// Newest first.
    sets: Vec<FieldSet>,
}

/// The fields by which some responses of a URI were selected.
#[derive(Debug, Clone, PartialEq, Eq)]
struct FieldSet {
    /// Sorted. Empty for responses without Vary.
    fields: Box<[HeaderName]>,
    /// Newest first.
    languages: Vec<Language>,
}

/// A variant whose language is known: it also answers a request that wants this language before all others.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Language {
    /// The selecting values with the language in place of Accept-Language.
    wanted: Box<[u8]>,
    /// The selecting values of the variant.
    values: Box<[u8]>,
}

/// Appends the value of a field to the buffer and says whether the request has it.
pub(crate) type Present<'a> = &'a (dyn Fn(&HeaderName, &mut Vec<u8>) -> bool + Send + Sync);

impl Varies {
    /// Of a URI none of whose variants is known.
    pub(crate) fn new() -> Self {
        Self { generation: Generation::random(), sets: Vec::new() }
    }

    /// This entry with `fields` among its sets, and the variant known by its `language`; `None` when it
    /// says so already.
    pub(crate) fn with(
        &self,
        fields: &[HeaderName],
        language: Option<&[u8]>,
        present: Present<'_>,
    ) -> Option<Self> {
        let known = self.sets.iter().position(|set| *set.fields == *fields);
        let language = language.filter(|_| fields.contains(&ACCEPT_LANGUAGE)).map(|tag| Language {
            wanted: in_language(fields, tag, present).into(),
            values: selecting(fields, present).into(),
        });
        if let Some(index) = known
            && language.as_ref().is_none_or(|it| self.sets[index].languages.contains(it))
        {
            return None;
        }
        let mut varies = self.clone();
        // A set that is known keeps its place: two that alternate must not write an entry each time.
        let index = known.unwrap_or_else(|| {
            varies.sets.insert(0, FieldSet { fields: fields.into(), languages: Vec::new() });
            varies.sets.truncate(MAX_SETS);
            0
        });
        if let Some(language) = language {
            let languages = &mut varies.sets[index].languages;
            languages.retain(|known| known.wanted != language.wanted);
            languages.insert(0, language);
            languages.truncate(MAX_LANGUAGES);
        }
        Some(varies)
    }

    /// How many sets there are.
    pub(crate) fn sets(&self) -> usize {
        self.sets.len()
    }

    /// Whether responses of this set had no Vary: they answer any request, but only where no other does.
    pub(crate) fn is_without_vary(&self, set: usize) -> bool {
        self.sets.get(set).is_some_and(|set| set.fields.is_empty())
    }

    /// Appends what stands behind the primary key in the key of this request's variant by the fields of
    /// `set`.
    pub(super) fn write_variant(&self, key: &mut Vec<u8>, set: usize, present: Present<'_>) {
        let fields = self.sets.get(set).map(|set| &*set.fields).unwrap_or_default();
        self.write_variant_by(key, fields, present);
    }

    /// The same by fields that need not be known yet.
    pub(super) fn write_variant_by(
        &self,
        key: &mut Vec<u8>,
        fields: &[HeaderName],
        present: Present<'_>,
    ) {
        key.extend_from_slice(&self.generation.0.to_be_bytes());
        write_selecting(key, fields, present);
    }

    /// The same for the variant of `set` in the language that the request wants before all others; `false`
    /// when none is known.
    pub(super) fn write_variant_in_language(
        &self,
        key: &mut Vec<u8>,
        set: usize,
        present: Present<'_>,
    ) -> bool {
        let Some(values) = self.sets.get(set).and_then(|set| set.by_language(present)) else {
            return false;
        };
        key.extend_from_slice(&self.generation.0.to_be_bytes());
        key.extend_from_slice(values);
        true
    }

    /// Octets beside its own.
    pub(crate) fn weight(&self) -> usize {
        let language = |it: &Language| size_of_val(it) + it.wanted.len() + it.values.len();
        let set = |it: &FieldSet| {
            let names: usize = it.fields.iter().map(|name| name.as_str().len()).sum();
            size_of_val(it)
                + size_of_val(&*it.fields)
                + names
                + it.languages.iter().map(language).sum::<usize>()
        };
        size_of::<Self>() + self.sets.iter().map(set).sum::<usize>()
    }
}

impl FieldSet {
    /// The values of the variant in the language that a request wants before all others, if there is one.
    fn by_language(&self, present: Present<'_>) -> Option<&[u8]> {
        if self.languages.is_empty() {
            return None;
        }
        let mut accepted = Vec::new();
        present(&ACCEPT_LANGUAGE, &mut accepted).then_some(())?;
        let wanted = in_language(&self.fields, &first_language(&accepted)?, present);
        self.languages.iter().find(|it| *it.wanted == *wanted).map(|it| &*it.values)
    }
}

fn selecting(fields: &[HeaderName], present: Present<'_>) -> Vec<u8> {
    let mut values = Vec::new();
    write_selecting(&mut values, fields, present);
    values
}

/// The selecting values of whoever wants `tag` before all other languages. No field of a request can say
/// the same, since no field holds a NUL.
fn in_language(fields: &[HeaderName], tag: &[u8], present: Present<'_>) -> Vec<u8> {
    let mut values = Vec::new();
    write_selecting(&mut values, fields, |name, value| {
        if *name != ACCEPT_LANGUAGE {
            return present(name, value);
        }
        value.push(0);
        value.extend_from_slice(tag);
        true
    });
    values
}

mod codec;
#[cfg(test)]
mod tests;
