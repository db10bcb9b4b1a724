//! The switches in which caches differ, and the two settings of all of them that have a name.
//!
//! Every decision in `caching`, and the few elsewhere that a profile moves, asks the [`CacheRules`] of its
//! behavior. A switch says what happens, never why: the source stands beside the line it decides.

use std::fmt;

/// Which rules a cache follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheRules {
    /// The lifetime of a response that names none.
    pub unnamed_lifetime: UnnamedLifetime,
    /// MinTTL > 0 stores what the origin marked no-store, no-cache or private.
    pub min_ttl_overrides_origin: bool,
    /// Errors are stored for ErrorCachingMinTTL, whatever they say, and a failing origin is left alone for as
    /// long.
    pub has_error_caching_min_ttl: bool,
    /// Which statuses may be stored.
    pub statuses: StorableStatuses,
    /// A response marked no-cache is stored, and asked about each time before it answers.
    pub stores_no_cache: bool,
    /// s-maxage forbids stale answers as proxy-revalidate does, also those that a directive beside it permits.
    pub s_maxage_forbids_stale: bool,
    /// Time on the way counts, and what is older by its Date than by its Age is older.
    pub corrects_age: bool,
    /// CDN-Cache-Control stands in for Cache-Control and Expires.
    pub targeted_cache_control: bool,
    /// Authorization among the headers of the key permits storing.
    pub keyed_authorization_permits: bool,
    /// Vary selects among several stored responses.
    pub vary_selects: bool,
    /// Where the origin gets cookies, nothing is collapsed or revalidated.
    pub cookies_forbid_sharing: bool,
    /// A viewer's conditions on what is not stored go to the origin, whose answer is then for that viewer.
    /// Otherwise the object is fetched whole, once for all, and the conditions are held against it.
    pub forwards_conditions: bool,
    /// The key has scheme and host, and every part of the query that the origin gets.
    pub whole_url_in_key: bool,
    /// Key and origin get the path in the form that behaviors are matched on, so that none of the three takes
    /// it for another one (web cache deception).
    pub one_path_form: bool,
    /// Headers of a response reach viewers as the origin sent them: Vary unfiltered, Set-Cookie kept.
    pub keeps_response_headers: bool,
    /// The answer to POST may be stored, and answers GET and HEAD.
    pub stores_post: bool,
    /// A non-error answer to an unsafe method invalidates what is stored for its URI.
    pub unsafe_invalidates: bool,
    /// The answer to a HEAD refreshes or invalidates the stored answer to GET.
    pub head_updates: bool,
    /// Any method reaches the origin, and GET and HEAD may have a body.
    pub any_method: bool,
    /// Interim responses of origins, 102 and 103, go on to viewers.
    pub passes_interim: bool,
    /// zstd counts in Accept-Encoding and is compressed with, where a policy enables gzip or Brotli.
    pub knows_zstd: bool,
    /// The viewer's Cache-Control and Pragma count. In no profile by itself: a reload would reach the origin.
    pub honors_viewer: bool,
}

/// The lifetime of a response without an explicit one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnnamedLifetime {
    /// DefaultTTL.
    DefaultTtl,
    /// A part of the time since Last-Modified, for statuses that RFC 9110 §15.1 names.
    Heuristic,
}

/// Which statuses may be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StorableStatuses {
    /// Those of CloudFront's table.
    Listed,
    /// Any final one, if it has an explicit lifetime or is heuristically cacheable.
    Final,
}

impl CacheRules {
    /// As CloudFront does, deviations from RFC 9111 included.
    pub const CLOUDFRONT: Self = Self {
        unnamed_lifetime: UnnamedLifetime::DefaultTtl,
        min_ttl_overrides_origin: true,
        has_error_caching_min_ttl: true,
        statuses: StorableStatuses::Listed,
        stores_no_cache: false,
        // CloudFront's guide shows s-maxage beside the stale directives.
        s_maxage_forbids_stale: false,
        corrects_age: false,
        targeted_cache_control: false,
        keyed_authorization_permits: true,
        vary_selects: false,
        cookies_forbid_sharing: true,
        forwards_conditions: true,
        whole_url_in_key: false,
        one_path_form: false,
        keeps_response_headers: false,
        stores_post: false,
        unsafe_invalidates: false,
        head_updates: false,
        any_method: false,
        passes_interim: false,
        knows_zstd: false,
        honors_viewer: false,
    };

    /// As RFC 9111 and its companions want a shared cache to be.
    pub const RFC9111: Self = Self {
        unnamed_lifetime: UnnamedLifetime::Heuristic,
        min_ttl_overrides_origin: false,
        has_error_caching_min_ttl: false,
        statuses: StorableStatuses::Final,
        stores_no_cache: true,
        s_maxage_forbids_stale: true,
        corrects_age: true,
        targeted_cache_control: true,
        keyed_authorization_permits: false,
        vary_selects: true,
        cookies_forbid_sharing: false,
        // As nginx and Varnish do: a cold cache would otherwise pass every browser's revalidation on.
        forwards_conditions: false,
        whole_url_in_key: true,
        one_path_form: true,
        keeps_response_headers: true,
        stores_post: true,
        unsafe_invalidates: true,
        head_updates: true,
        any_method: true,
        passes_interim: true,
        knows_zstd: true,
        // RFC 9111 §5.2.1: these are advice, and a shared cache need not take it.
        honors_viewer: false,
    };

    /// The profile of this name.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "cloudfront" => Some(Self::CLOUDFRONT),
            "rfc9111" => Some(Self::RFC9111),
            _ => None,
        }
    }
}

impl Default for CacheRules {
    fn default() -> Self {
        Self::CLOUDFRONT
    }
}

impl fmt::Display for CacheRules {
    /// The name of the profile, and whether viewers' Cache-Control counts.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (Self { honors_viewer: false, ..*self }) {
            Self::CLOUDFRONT => "cloudfront",
            Self::RFC9111 => "rfc9111",
            _ => "a profile of its own",
        })?;
        f.write_str(if self.honors_viewer { ", with the viewer's Cache-Control" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A row for each switch. A new one is missing here until it has its row in docs/caching.md, too.
    fn table() -> String {
        let word = |switch: bool| if switch { "yes" } else { "no" }.to_owned();
        let cells = |rules: CacheRules| {
            let CacheRules {
                unnamed_lifetime,
                min_ttl_overrides_origin,
                has_error_caching_min_ttl,
                statuses,
                stores_no_cache,
                s_maxage_forbids_stale,
                corrects_age,
                targeted_cache_control,
                keyed_authorization_permits,
                vary_selects,
                cookies_forbid_sharing,
                forwards_conditions,
                whole_url_in_key,
                one_path_form,
                keeps_response_headers,
                stores_post,
                unsafe_invalidates,
                head_updates,
                any_method,
                passes_interim,
                knows_zstd,
                honors_viewer,
            } = rules;
            let lifetime = match unnamed_lifetime {
                UnnamedLifetime::DefaultTtl => "DefaultTTL",
                UnnamedLifetime::Heuristic => {
                    "a tenth of the time since Last-Modified, a day at most"
                }
            };
            let stored = match statuses {
                StorableStatuses::Listed => "CloudFront's table",
                StorableStatuses::Final => {
                    "any final one with a lifetime of its own, or that RFC 9110 §15.1 names"
                }
            };
            [
                ("lifetime of a response that names none", lifetime.to_owned()),
                ("statuses that are stored", stored.to_owned()),
                (
                    "MinTTL > 0 stores no-store, no-cache and private",
                    word(min_ttl_overrides_origin),
                ),
                ("no-cache is stored, and asked about each time", word(stores_no_cache)),
                ("errors are kept for ErrorCachingMinTTL", word(has_error_caching_min_ttl)),
                (
                    "s-maxage forbids stale answers that a directive beside it permits",
                    word(s_maxage_forbids_stale),
                ),
                ("time on the way and Date make a response older", word(corrects_age)),
                (
                    "CDN-Cache-Control stands in for Cache-Control and Expires",
                    word(targeted_cache_control),
                ),
                (
                    "Authorization in the key permits storing without a word of the origin",
                    word(keyed_authorization_permits),
                ),
                ("Vary selects among several stored responses", word(vary_selects)),
                (
                    "where cookies are forwarded, nothing is collapsed or revalidated",
                    word(cookies_forbid_sharing),
                ),
                ("the viewer's conditions go to the origin on a miss", word(forwards_conditions)),
                (
                    "scheme, host and every forwarded part of the query are in the key",
                    word(whole_url_in_key),
                ),
                ("behavior, key and origin see the path in one form", word(one_path_form)),
                (
                    "Set-Cookie, Vary and other headers of a response stay as they are",
                    word(keeps_response_headers),
                ),
                ("the answer to POST may be stored for GET", word(stores_post)),
                ("unsafe methods invalidate", word(unsafe_invalidates)),
                ("the answer to HEAD refreshes the stored GET", word(head_updates)),
                (
                    "any method where all are allowed, and GET with a body, uncached",
                    word(any_method),
                ),
                ("102 and 103 pass on", word(passes_interim)),
                ("zstd beside gzip and Brotli", word(knows_zstd)),
                (
                    "the viewer's Cache-Control and Pragma count",
                    format!("{}, unless asked for", word(honors_viewer)),
                ),
            ]
        };
        let mut table = String::from("| | `cloudfront` | `rfc9111` |\n|---|---|---|\n");
        let rows = cells(CacheRules::CLOUDFRONT).into_iter().zip(cells(CacheRules::RFC9111));
        for ((what, cloudfront), (_, standard)) in rows {
            table.push_str(&format!("| {what} | {cloudfront} | {standard} |\n"));
        }
        table
    }

    #[test]
    fn the_table_of_the_profiles_is_what_the_switches_say() {
        let page = include_str!("../../../../docs/caching.md");
        let table = table();
        assert!(page.contains(&table), "docs/caching.md has another table than this:\n{table}");
    }

    #[test]
    fn the_profiles_have_names() {
        for name in ["cloudfront", "rfc9111"] {
            assert_eq!(
                CacheRules::named(name).map(|rules| rules.to_string()).as_deref(),
                Some(name)
            );
        }
        assert_eq!(CacheRules::named("varnish"), None);
        let own = CacheRules { any_method: true, ..CacheRules::CLOUDFRONT };
        assert_eq!(own.to_string(), "a profile of its own");
        let asked = CacheRules { honors_viewer: true, ..CacheRules::RFC9111 };
        assert_eq!(asked.to_string(), "rfc9111, with the viewer's Cache-Control");
    }
}
