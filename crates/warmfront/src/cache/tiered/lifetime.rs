//! A lifetime and the rule behind it as bytes.

use std::time::Duration;

use warmfront_core::caching::{Forbids, Lifetime, TtlLimit, TtlRule, TtlSource};

use super::bytes::{Cursor, Writing as _};

pub(super) fn write(out: &mut Vec<u8>, lifetime: &Lifetime) {
    out.duration(lifetime.fresh_for);
    out.duration(lifetime.stale_while_revalidate);
    out.duration(lifetime.stale_if_error);
    out.duration(lifetime.initial_age);
    let (tag, said) = source_to_tag(lifetime.rule.source);
    out.push(tag);
    out.duration(said);
    let (tag, limit) = limit_to_tag(lifetime.rule.limit);
    out.push(tag);
    out.duration(limit);
}

pub(super) fn read(cursor: &mut Cursor<'_>) -> Option<Lifetime> {
    Some(Lifetime {
        fresh_for: cursor.duration()?,
        stale_while_revalidate: cursor.duration()?,
        stale_if_error: cursor.duration()?,
        initial_age: cursor.duration()?,
        rule: TtlRule {
            source: tag_to_source(cursor.u8()?, cursor.duration()?)?,
            limit: tag_to_limit(cursor.u8()?, cursor.duration()?)?,
        },
    })
}

// A number, once given, keeps its meaning; another meaning is another version of the layout.

fn source_to_tag(source: TtlSource) -> (u8, Duration) {
    match source {
        TtlSource::SMaxage(said) => (1, said),
        TtlSource::MaxAge(said) => (2, said),
        TtlSource::Expires(said) => (3, said),
        TtlSource::DefaultTtl(said) => (4, said),
        TtlSource::MinTtlDespite(Forbids::NoStore, said) => (5, said),
        TtlSource::MinTtlDespite(Forbids::Private, said) => (6, said),
        TtlSource::MinTtlDespite(Forbids::NoCache, said) => (7, said),
        TtlSource::ErrorCachingMinTtl(said) => (8, said),
        TtlSource::Heuristic(said) => (9, said),
        TtlSource::Unnamed => (10, Duration::ZERO),
        TtlSource::NoCache => (11, Duration::ZERO),
    }
}

fn tag_to_source(tag: u8, said: Duration) -> Option<TtlSource> {
    Some(match tag {
        1 => TtlSource::SMaxage(said),
        2 => TtlSource::MaxAge(said),
        3 => TtlSource::Expires(said),
        4 => TtlSource::DefaultTtl(said),
        5 => TtlSource::MinTtlDespite(Forbids::NoStore, said),
        6 => TtlSource::MinTtlDespite(Forbids::Private, said),
        7 => TtlSource::MinTtlDespite(Forbids::NoCache, said),
        8 => TtlSource::ErrorCachingMinTtl(said),
        9 => TtlSource::Heuristic(said),
        10 => TtlSource::Unnamed,
        11 => TtlSource::NoCache,
        _ => return None,
    })
}

fn limit_to_tag(limit: Option<TtlLimit>) -> (u8, Duration) {
    match limit {
        None => (0, Duration::ZERO),
        Some(TtlLimit::MinTtl(limit)) => (1, limit),
        Some(TtlLimit::MaxTtl(limit)) => (2, limit),
        Some(TtlLimit::ErrorCachingMinTtl(limit)) => (3, limit),
    }
}

fn tag_to_limit(tag: u8, limit: Duration) -> Option<Option<TtlLimit>> {
    Some(match tag {
        0 => None,
        1 => Some(TtlLimit::MinTtl(limit)),
        2 => Some(TtlLimit::MaxTtl(limit)),
        3 => Some(TtlLimit::ErrorCachingMinTtl(limit)),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_means_what_it_was_written_for() {
        let said = Duration::from_millis(1_500);
        for tag in 0..=u8::MAX {
            if let Some(source) = tag_to_source(tag, said) {
                assert_eq!(source_to_tag(source).0, tag);
            }
            if let Some(limit) = tag_to_limit(tag, said) {
                assert_eq!(limit_to_tag(limit).0, tag);
            }
        }
        assert!((1..=11).all(|tag| tag_to_source(tag, said).is_some()));
        assert!((0..=3).all(|tag| tag_to_limit(tag, said).is_some()));
    }
}
