//! The judges of a storm. Each knows what the origin sent and says what a viewer must not have got.

use std::time::Duration;

use http::{Method, StatusCode};

use super::origin::{Response, field, locked, range_of};
use super::{Reply, Storm};

/// How long a failing origin may be left alone (ErrorCachingMinTTL), and the copy in its place answers.
const SPARED: Duration = Duration::from_secs(10);

impl Storm {
    pub(super) fn judge(&self, reply: &Reply) {
        let context = format!("seed {}: {reply:?}", self.seed);
        let log = locked(&self.log);
        if let Some(path) = &log.twice {
            let asked: Vec<_> = log.asked.iter().filter(|asked| asked.path == *path).collect();
            panic!("two fills at once for {path}: {asked:?}; {context}");
        }
        drop(log);
        self.judge_counts(reply, &context);
        if reply.status.is_server_error() {
            let log = locked(&self.log);
            let since = reply.asked_at.saturating_sub(SPARED);
            let failed = log.failed_between(&reply.question.path, reply.asked..=reply.read, since);
            assert!(failed, "an error, and nothing had failed: {context}");
            return;
        }
        let Some(number) = field(&reply.headers, "x-response") else {
            assert_eq!(reply.status, StatusCode::RANGE_NOT_SATISFIABLE, "{context}");
            return;
        };
        let number: usize = number.parse().unwrap();
        let source = locked(&self.log).responses[number].clone();
        let context = format!("{source:?} as {context}");
        assert_eq!(source.label.path, reply.question.path, "another object: {context}");
        self.judge_whose(reply, &source, &context);
        self.judge_bytes(reply, &source, &context);
        self.judge_forgotten(reply, &source, &context);
        self.judge_age(reply, &source, &context);
        #[cfg(feature = "disk")]
        self.note_age(reply.asked, source.began);
    }

    /// What is for one viewer reaches no other, and a variant only those it was made for.
    fn judge_whose(&self, reply: &Reply, source: &Response, context: &str) {
        if let Some(only_for) = &source.only_for {
            let own = field(&reply.headers, "x-amz-cf-id");
            assert_eq!(own, Some(&**only_for), "for another viewer: {context}");
        } else if !source.label.made_for.is_empty() {
            let language = reply.question.field("accept-language");
            assert_eq!(language, Some(&*source.label.made_for), "another variant: {context}");
        }
    }

    /// The bytes are those of one version, the right ones, and all of them unless something broke.
    fn judge_bytes(&self, reply: &Reply, source: &Response, context: &str) {
        let mut log = locked(&self.log);
        let all = log.library.body(&source.label);
        let question = &reply.question;
        let expected = match reply.status {
            StatusCode::OK if question.method == Method::HEAD => all.slice(..0),
            StatusCode::OK => all.clone(),
            StatusCode::NOT_MODIFIED => {
                let etag = question.field("if-none-match");
                assert!(
                    etag.is_some() && etag == field(&reply.headers, "etag"),
                    "not asked: {context}"
                );
                all.slice(..0)
            }
            StatusCode::PARTIAL_CONTENT => {
                let asked = question.field("range").expect(context);
                let (first, last) = range_of(asked, all.len()).expect(context);
                let told = format!("bytes {first}-{last}/{}", all.len());
                assert_eq!(field(&reply.headers, "content-range"), Some(&*told), "{context}");
                let condition = question.field("if-range");
                assert!(
                    condition.is_none() || condition == field(&reply.headers, "etag"),
                    "a part of another version than the viewer has: {context}"
                );
                all.slice(first..=last)
            }
            StatusCode::RANGE_NOT_SATISFIABLE => {
                let asked = question.field("range").expect(context);
                assert!(range_of(asked, all.len()).is_none(), "there is such a part: {context}");
                return;
            }
            _ => panic!("an odd status: {context}"),
        };
        let promised =
            field(&reply.headers, "content-length").map(|length| length.parse::<usize>().unwrap());
        let right = if question.method == Method::HEAD { all.len() } else { expected.len() };
        assert!(promised.is_none_or(|length| length == right), "Content-Length: {context}");
        if reply.whole {
            assert!(
                reply.body == expected,
                "not the bytes of version {}: {context}",
                source.label.version
            );
            return;
        }
        assert!(expected.starts_with(&reply.body), "a cut reply mixes versions: {context}");
        let failed = log.failed_between(&question.path, reply.asked..=reply.read, reply.asked_at);
        // What was missing in the middle, the origin had no longer, or not for everybody.
        let steps = reply.asked..=reply.read;
        let was_lost = log.responses.iter().any(|other| {
            other.label.path == question.path
                && steps.contains(&other.began)
                && (other.only_for.is_some() || other.label != source.label)
        });
        let may_break = failed || was_lost || self.is_broken(&log, source);
        assert!(may_break, "cut, and nothing had broken: {context}");
    }

    fn is_broken(&self, log: &super::Log, source: &Response) -> bool {
        log.asked[source.request].failed.is_some()
    }

    /// Nobody gets what was forgotten before the question; of what was purged softly, everybody only as long as the
    /// origin is asked, or fails.
    fn judge_forgotten(&self, reply: &Reply, source: &Response, context: &str) {
        let log = locked(&self.log);
        let path = &*reply.question.path;
        for forgotten in locked(&self.forgotten).iter() {
            let is_meant = forgotten.paths.is_empty() || forgotten.paths.contains(&path);
            let is_older = source.began < forgotten.called;
            if !is_meant || !is_older || reply.asked < forgotten.done {
                continue;
            }
            let asks =
                |asked: &super::origin::Asked| asked.path == path && asked.began > forgotten.called;
            let since = reply.asked_at.saturating_sub(SPARED);
            let is_spared = log.failed_between(path, reply.asked..=reply.head, since);
            let may_answer = forgotten.is_soft && (is_spared || log.asked.iter().any(asks));
            assert!(may_answer, "forgotten in {forgotten:?}: {context}");
        }
    }

    /// Fresh, or stale with a right to be; and as old as it says.
    fn judge_age(&self, reply: &Reply, source: &Response, context: &str) {
        let x_cache = field(&reply.headers, "x-cache").expect(context);
        if source.began >= reply.asked {
            return;
        }
        if let Some(age) = field(&reply.headers, "age") {
            let age: u64 = age.parse().unwrap();
            let youngest = reply.asked_at.saturating_sub(source.head_at).as_secs();
            let oldest = (reply.head_at - source.began_at).as_secs();
            assert!(
                (youngest..=oldest).contains(&age),
                "Age {age}, not {youngest} to {oldest}: {context}"
            );
        } else {
            assert!(x_cache.starts_with("Miss"), "without Age: {context}");
        }
        // What was on its way when the viewer came answers it, if it was fresh then.
        let resident = reply.asked_at.saturating_sub(source.head_at);
        let promise = &source.promise;
        if resident < promise.fresh {
            return;
        }
        let log = locked(&self.log);
        let path = &*reply.question.path;
        if resident < promise.fresh + promise.stale_while_revalidate {
            let refreshes =
                |asked: &&super::origin::Asked| asked.path == path && asked.began > source.began;
            assert!(
                log.asked.iter().any(|asked| refreshes(&asked)),
                "stale, not refreshed: {context}"
            );
            return;
        }
        let may_be_stale = resident < promise.fresh.saturating_add(promise.stale_if_error);
        let since = reply.asked_at.saturating_sub(SPARED);
        let failed = log.failed_between(path, reply.asked..=reply.head, since);
        assert!(may_be_stale && failed, "a stale answer: {context}");
    }

    /// What the log of requests says is what the viewer got.
    fn judge_counts(&self, reply: &Reply, context: &str) {
        let id = field(&reply.headers, "x-amz-cf-id").expect(context);
        let (bytes, complete) = locked(&self.delivered.0)[id];
        assert_eq!(
            (bytes, complete),
            (reply.body.len() as u64, reply.whole),
            "counted otherwise: {context}"
        );
    }

    /// While an origin stalls, everybody who reads its answer has all that came so far.
    pub(super) fn judge_what_came(&self) {
        let log = locked(&self.log);
        for reading in locked(&self.reading).values() {
            let source = &log.responses[reading.response];
            if reading.is_whole && source.is_stalled && !source.is_part {
                assert_eq!(
                    reading.octets, source.pulled,
                    "seed {}: a viewer has not what came of {source:?}",
                    self.seed
                );
            }
        }
    }

    pub(super) fn judge_limits(&self) {
        let usage = self.edge().cache_usage();
        assert!(usage.bytes <= usage.limit + usage.limit / 20, "seed {}: {usage:?}", self.seed);
    }
}
