//! [`Varies`] as octets, for storages that keep them: big-endian numbers, each list and text behind its length.

use http::HeaderName;

use super::{FieldSet, Generation, Language, MAX_LANGUAGES, MAX_SETS, Varies};

impl Varies {
    /// Appends what [`Varies::decode`] reads.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.generation.0.to_be_bytes());
        number(out, self.sets.len());
        for set in &self.sets {
            number(out, set.fields.len());
            for name in &set.fields {
                text(out, name.as_str().as_bytes());
            }
            number(out, set.languages.len());
            for language in &set.languages {
                text(out, &language.wanted);
                text(out, &language.values);
            }
        }
    }

    /// Reads back what was written; `None` for anything else.
    pub fn decode(octets: &[u8]) -> Option<Self> {
        let mut octets = Octets(octets);
        let generation = Generation(u128::from_be_bytes(octets.take(16)?.try_into().ok()?));
        let sets = octets.list(MAX_SETS, |octets| {
            let field = |octets: &mut Octets<'_>| HeaderName::from_bytes(octets.text()?).ok();
            let fields = octets.list(usize::MAX, field)?.into();
            let languages = octets.list(MAX_LANGUAGES, |octets| {
                Some(Language { wanted: octets.text()?.into(), values: octets.text()?.into() })
            })?;
            Some(FieldSet { fields, languages })
        })?;
        octets.0.is_empty().then_some(Self { generation, sets })
    }
}

fn number(out: &mut Vec<u8>, number: usize) {
    let number = u32::try_from(number).unwrap_or(u32::MAX);
    out.extend_from_slice(&number.to_be_bytes());
}

fn text(out: &mut Vec<u8>, text: &[u8]) {
    number(out, text.len());
    out.extend_from_slice(text);
}

struct Octets<'a>(&'a [u8]);

impl<'a> Octets<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<usize> {
        let octets = self.take(size_of::<u32>())?;
        Some(u32::from_be_bytes(octets.try_into().ok()?) as usize)
    }

    fn text(&mut self) -> Option<&'a [u8]> {
        let length = self.number()?;
        self.take(length)
    }

    fn list<T>(&mut self, most: usize, item: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let length = self.number()?;
        // Not reserved: a damaged number must not ask for memory.
        (length <= most).then(|| (0..length).map(|_| item(self)).collect()).flatten()
    }
}
