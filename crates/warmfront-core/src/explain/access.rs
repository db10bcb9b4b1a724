//! Who may ask: countries, methods and schemes, signatures. Each answer says whether the request goes on.

use super::{Asked, Explanation, Pointer, Topic, at};
use crate::Distribution;
use crate::access::geo::GeoRestriction;
use crate::access::signed::{SignatureCheck, permit};
use crate::admission::{Admission, Refusal, admit};
use crate::behavior::ViewerProtocolPolicy;
use crate::path_pattern::as_origins_may_read;
use crate::request_view::RequestView;
use std::time::SystemTime;

/// `GeoRestriction`.
pub(super) fn say_country(
    told: &mut Explanation,
    distribution: &Distribution,
    asked: &Asked,
) -> bool {
    let list = match &distribution.geo_restriction {
        GeoRestriction::None => return true,
        GeoRestriction::Only(_) => "whitelist",
        GeoRestriction::AllBut(_) => "blacklist",
    };
    let country = asked.place.as_ref().and_then(|place| place.country);
    let is_served = asked.places_can_be_known && distribution.geo_restriction.admits(country);
    let who = match &country {
        Some(country) => format!("a viewer in {}", country.as_str()),
        None => "a viewer of unknown country".to_owned(),
    };
    let text = match (asked.places_can_be_known, is_served) {
        (false, _) => {
            format!("every viewer gets 403 ({list}): nothing here knows where they are")
        }
        (true, true) => format!("{who} is served ({list})"),
        (true, false) => format!("{who} gets 403 ({list})"),
    };
    told.say_at(Topic::Country, text, Pointer::Distribution("Restrictions"));
    is_served
}

/// The page that stands in for a refusal, where there is one.
pub(super) fn say_page(
    told: &mut Explanation,
    distribution: &Distribution,
    view: &RequestView<'_>,
) {
    if let Some(page) = distribution.error_page(403, view.path) {
        let text =
            format!("403 becomes {} with {}, which is fetched instead", page.status, page.path);
        told.say_at(Topic::Failure, text, Pointer::Distribution("CustomErrorResponses"));
    }
}

/// Whether the request goes on.
pub(super) fn say_admission(
    told: &mut Explanation,
    distribution: &Distribution,
    index: usize,
    view: &RequestView<'_>,
    has_body: bool,
) -> bool {
    let behavior = &distribution.behaviors[index];
    match admit(distribution, behavior, view, has_body) {
        Admission::Pass => {
            let policy = match behavior.viewer_protocol_policy {
                ViewerProtocolPolicy::AllowAll => "allow-all",
                ViewerProtocolPolicy::RedirectToHttps => "redirect-to-https",
                ViewerProtocolPolicy::HttpsOnly => "https-only",
            };
            let scheme = view.scheme.as_str();
            let text = format!("{} over {scheme} is let in ({policy})", view.method);
            told.say_at(Topic::Admission, text, at(index, "ViewerProtocolPolicy"));
            true
        }
        Admission::RedirectToHttps { status } => {
            let text = format!("{status} to the same URL with https (redirect-to-https)");
            told.say_at(Topic::Admission, text, at(index, "ViewerProtocolPolicy"));
            false
        }
        Admission::Refuse(refusal) => {
            let text = format!("{}: {}", refusal.status(), refusal.reason());
            told.say_at(Topic::Admission, text, at(index, "AllowedMethods"));
            false
        }
    }
}

/// `TrustedKeyGroups`: what the request brings is checked as the engine does.
pub(super) fn say_signature(
    told: &mut Explanation,
    distribution: &Distribution,
    index: usize,
    view: &RequestView<'_>,
    asked: &Asked,
    check: Option<&dyn SignatureCheck>,
    now: SystemTime,
) -> bool {
    let behavior = &distribution.behaviors[index];
    let Some(keys) = distribution.trusted_keys_for(behavior, view.path) else { return true };
    let ids: Vec<&str> = keys.keys.iter().map(|key| key.id.as_str()).collect();
    let why = match (&behavior.trusted_keys, as_origins_may_read(view.path)) {
        (None, Some(read)) => format!(", because origins may read the path as {read}"),
        _ => String::new(),
    };
    let text = format!("a signed URL or cookie is needed, with a key of {}{why}", ids.join(", "));
    told.say_at(Topic::Signature, text, at(index, "TrustedKeyGroups"));
    match permit(keys, view, &asked.path, asked.viewer.ip(), now, check) {
        Ok(_) => {
            told.say(Topic::Signature, "this request has a good one");
            true
        }
        Err(denied) => {
            let refusal = Refusal::Signature(denied);
            let text = format!("{}: {}", refusal.status(), refusal.reason());
            told.say(Topic::Signature, text);
            false
        }
    }
}
