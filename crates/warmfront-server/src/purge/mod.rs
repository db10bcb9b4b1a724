//! Purging, as everybody asks this program for it: the admin port, `warmfront purge`, the statements of cases.
//!
//! An [`Order`] is words; [`carry_out`] finds its distribution, reads its items, has the engine purge, and says
//! what came of it. How it travels is `admin::purge`'s and [`client`]'s work.

pub(crate) mod client;

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use warmfront::cache::Purges;
use warmfront::cache::purge::Trouble;
use warmfront::{Edge, Purge, PurgeError};
use warmfront_core::caching::Invalidation;
use warmfront_core::caching::invalidation::MOST_ITEMS;
use warmfront_core::{Distribution, Stack};

/// What somebody wants purged.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Order {
    /// The Id, logical id, domain name or an alias; needed only where several are served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) distribution: Option<String>,
    /// `/path`, `/path*`, `#tag`
    pub(crate) items: Vec<String>,
    /// What is stored becomes stale instead of gone.
    #[serde(default)]
    pub(crate) soft: bool,
    /// Nothing is purged, only counted.
    #[serde(default)]
    pub(crate) dry_run: bool,
}

/// What came of an order.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Receipt {
    /// The name of this invalidation; none where nothing was purged.
    pub(crate) id: Option<String>,
    /// Its number: it is meant for what was fetched under an earlier one.
    pub(crate) epoch: Option<u64>,
    pub(crate) distribution: Served,
    pub(crate) soft: bool,
    pub(crate) dry_run: bool,
    /// In the order of the order; an object that several of them cover counts for each.
    pub(crate) items: Vec<Counted>,
    /// Each object once.
    pub(crate) total: Count,
}

/// What one item covered.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Counted {
    pub(crate) item: String,
    #[serde(flatten)]
    pub(crate) count: Count,
}

/// Stored responses, each variant one, and the bytes that they take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Count {
    pub(crate) objects: u64,
    pub(crate) bytes: u64,
    /// How many of them are on disk and not in memory, and what those take.
    pub(crate) objects_on_disk: u64,
    pub(crate) bytes_on_disk: u64,
}

impl From<warmfront::cache::purge::Counted> for Count {
    fn from(counted: warmfront::cache::purge::Counted) -> Self {
        Self {
            objects: counted.objects,
            bytes: counted.bytes,
            objects_on_disk: counted.objects_on_disk,
            bytes_on_disk: counted.bytes_on_disk,
        }
    }
}

/// A distribution, by its names.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Served {
    pub(crate) id: String,
    pub(crate) logical_id: String,
    pub(crate) domain_name: String,
}

impl From<&Distribution> for Served {
    fn from(distribution: &Distribution) -> Self {
        Self {
            id: distribution.id.clone(),
            logical_id: distribution.logical_id.clone(),
            domain_name: distribution.domain_name.clone(),
        }
    }
}

/// Why an order was not carried out.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Refused {
    /// As AWS's API names it.
    pub(crate) code: Code,
    /// What is wrong, and what to do.
    pub(crate) message: String,
    /// The distributions to choose from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) distributions: Vec<Served>,
}

/// What kind of refusal it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Code {
    InvalidArgument,
    NoSuchDistribution,
    BatchTooLarge,
    AccessDenied,
    /// The purge is in effect, but was not written down.
    InternalError,
}

impl Code {
    /// The HTTP status.
    pub(crate) fn status(self) -> u16 {
        match self {
            Code::InvalidArgument => 400,
            Code::AccessDenied => 403,
            Code::NoSuchDistribution => 404,
            Code::BatchTooLarge => 413,
            Code::InternalError => 500,
        }
    }
}

impl Refused {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), distributions: Vec::new() }
    }
}

/// What earlier processes were told to purge; before anything is looked up in `cache`, the directory of stored
/// responses. What was wrong with it is said.
pub(crate) fn remembered(
    state: &Path,
    cache: Option<&Path>,
    now: SystemTime,
) -> Result<Purges, String> {
    let path = state.join("purges");
    let file = path.display();
    let (purges, trouble) = Purges::in_file(&path, now).map_err(|error| {
        format!(
            "cannot use {file}, which remembers what was purged: {error}. Another place: --state-dir DIR"
        )
    })?;
    match (trouble, cache) {
        (None, _) => {}
        // A new state directory has none, and nothing was stored before it.
        (Some(Trouble::Missing), None) => {}
        (Some(Trouble::Missing), Some(cache)) => {
            let has_any = fs::read_dir(cache).is_ok_and(|mut entries| entries.next().is_some());
            if has_any {
                let cache = cache.display();
                crate::say(&format!(
                    "warning: {file} is not there, so nobody knows what was purged: what {cache} has from \
                     before is not used"
                ));
            }
        }
        (Some(damage @ Trouble::Damaged { .. }), _) => crate::say(&format!("warning: {damage}")),
    }
    Ok(purges)
}

/// Purges. Waits for a disk, and looks at everything that is stored.
pub(crate) fn carry_out(edge: &Edge, stack: &Stack, order: &Order) -> Result<Receipt, Refused> {
    let items = items(&order.items)?;
    let distribution = distribution(stack, order.distribution.as_deref())?;
    let purge = Purge {
        distribution: distribution.id.clone(),
        items,
        soft: order.soft,
        dry_run: order.dry_run,
    };
    let receipt = edge.purge(&purge).map_err(|error| match error {
        PurgeError::UnknownDistribution(_) => {
            Refused::new(Code::NoSuchDistribution, error.to_string())
        }
        PurgeError::NotKept(_) => Refused::new(Code::InternalError, error.to_string()),
    })?;
    let counted = order.items.iter().zip(receipt.items);
    Ok(Receipt {
        id: receipt.epoch.map(|_| id()),
        epoch: receipt.epoch,
        distribution: distribution.into(),
        soft: order.soft,
        dry_run: order.dry_run,
        items: counted
            .map(|(item, counted)| Counted { item: item.clone(), count: counted.into() })
            .collect(),
        total: receipt.total.into(),
    })
}

/// The items of an order; every one that cannot be read is told.
pub(crate) fn items(texts: &[String]) -> Result<Vec<Invalidation>, Refused> {
    if texts.is_empty() {
        let message = "nothing to purge: name paths (/a, /a/*) or cache tags (#a)";
        return Err(Refused::new(Code::InvalidArgument, message));
    }
    if texts.len() > MOST_ITEMS {
        let message = format!(
            "{} items are too many for one invalidation: at most {MOST_ITEMS}, so split them",
            texts.len()
        );
        return Err(Refused::new(Code::BatchTooLarge, message));
    }
    let mut items = Vec::with_capacity(texts.len());
    let mut problems = Vec::new();
    for text in texts {
        match Invalidation::parse(text) {
            Ok(item) => items.push(item),
            Err(problem) => problems.push(format!("{text:.80?}: {problem}")),
        }
    }
    match problems.is_empty() {
        true => Ok(items),
        false => Err(Refused::new(Code::InvalidArgument, problems.join("\n"))),
    }
}

/// The distribution of this name, or the only one.
fn distribution<'a>(stack: &'a Stack, name: Option<&str>) -> Result<&'a Distribution, Refused> {
    let served = || stack.distributions.iter().map(|it| Served::from(&**it)).collect();
    let refused =
        |code, message| Refused { distributions: served(), ..Refused::new(code, message) };
    let Some(name) = name else {
        return match &stack.distributions[..] {
            [only] => Ok(only),
            [] => Err(refused(Code::NoSuchDistribution, "no distribution is served".to_owned())),
            _ => {
                let message = "several distributions are served: say which one is meant";
                Err(refused(Code::InvalidArgument, message.to_owned()))
            }
        };
    };
    let is_called = |it: &Distribution| {
        let hosts = it.aliases.iter().chain([&it.domain_name]);
        it.id == name
            || it.logical_id == name
            || hosts.into_iter().any(|host| host.eq_ignore_ascii_case(name))
    };
    let mut found = stack.distributions.iter().filter(|it| is_called(it));
    match (found.next(), found.next()) {
        (Some(only), None) => Ok(only),
        (None, _) => {
            let message = format!("no distribution that is served is called {name:?}");
            Err(refused(Code::NoSuchDistribution, message))
        }
        // A logical id of two stacks.
        _ => {
            let message = format!("several distributions are called {name:?}: use the Id");
            Err(refused(Code::InvalidArgument, message))
        }
    }
}

/// `I` and 13 characters, as AWS names invalidations.
fn id() -> String {
    const LETTERS: &[u8; 36] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    let letters = (0..13).map(|_| char::from(LETTERS[fastrand::usize(..LETTERS.len())]));
    std::iter::once('I').chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn every_bad_item_is_told_at_once() {
        let refused = items(&texts(&["/a", "b", "#c*", "/d*"])).unwrap_err();
        let lines: Vec<&str> = refused.message.lines().collect();
        assert_eq!((refused.code, lines.len()), (Code::InvalidArgument, 2));
        assert!(lines[0].starts_with("\"b\": ") && lines[1].starts_with("\"#c*\": "), "{lines:?}");
        assert_eq!(items(&texts(&["/a", "#b"])).unwrap().len(), 2);
        let many = vec!["/a".to_owned(); MOST_ITEMS + 1];
        assert_eq!(items(&many).unwrap_err().code, Code::BatchTooLarge);
        assert_eq!(items(&[]).unwrap_err().code, Code::InvalidArgument);
    }

    #[test]
    fn an_order_is_what_it_says_and_nothing_else() {
        let order = |text| serde_json::from_str::<Order>(text);
        let order_of_one = order(r##"{"items":["#a"],"dryRun":true}"##).unwrap();
        assert!(order_of_one.dry_run && !order_of_one.soft && order_of_one.distribution.is_none());
        for text in ["{}", r#"{"items":"/a"}"#, r#"{"items":["/a"],"dry_run":true}"#, "[]", "/a"] {
            assert!(order(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_id_looks_like_one_of_aws() {
        let id = id();
        assert!(id.len() == 14 && id.starts_with('I'));
        assert!(id.bytes().all(|letter| letter.is_ascii_uppercase() || letter.is_ascii_digit()));
    }
}
