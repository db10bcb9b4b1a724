//! `Restrictions.GeoRestriction`, and headers that need to know where viewers are.

use http::HeaderName;
use warmfront_core::access::geo::{Country, GeoRestriction};
use warmfront_core::policy::generated::Generated;
use warmfront_core::policy::{CachePolicy, OriginRequestPolicy};

use super::Compiler;
use crate::document::{Entry, Node, quote};
use crate::report::Status;

impl Compiler<'_> {
    /// Which countries `entry` restricts to; none also where it may be served without that.
    pub(super) fn geo_restriction(&self, entry: &Entry, id: &str, path: &str) -> GeoRestriction {
        let Some(kind) = entry.value.text_at("RestrictionType") else {
            return GeoRestriction::None;
        };
        if kind == "none" {
            self.ledger.note(&entry.place, path, Status::Effective);
            return GeoRestriction::None;
        }
        let countries = self.countries(entry, kind, path);
        if !self.options.knows_countries {
            let what = format!(
                "the {kind} of countries needs to know where viewers are; without that, viewers of every \
                 country would be served"
            );
            let instead = "pass --geo-database FILE (a MaxMind-format database), or --geo CC to say where \
                           all viewers are";
            self.protects_unless(entry, path, &format!("{id}.GeoRestriction"), &what, instead);
            return GeoRestriction::None;
        }
        self.ledger.note(&entry.place, path, Status::Effective);
        match kind {
            "whitelist" => GeoRestriction::Only(countries),
            _ => GeoRestriction::AllBut(countries),
        }
    }

    fn countries(&self, entry: &Entry, kind: &str, path: &str) -> Vec<Country> {
        let path = format!("{path}.Locations");
        let items = entry.value.items_at("Locations");
        if items.is_empty() && !entry.value.get("Locations").is_some_and(Node::is_unknown) {
            let message = format!("a {kind} needs Locations, such as [DE, FR]");
            self.error(&entry.place, &*path, message);
        }
        let read = items.iter().enumerate().filter_map(|(index, item)| {
            let text = item.as_text()?;
            // CloudFront wants capitals.
            if COUNTRIES.split(' ').any(|code| code == text) {
                return Country::parse(text);
            }
            let message = format!("{} is no country in ISO 3166-1 alpha-2", quote(text));
            let capitals = text.to_ascii_uppercase();
            let help = match capitals.as_str() {
                "UK" => "the United Kingdom is GB".to_owned(),
                known if COUNTRIES.split(' ').any(|code| code == known) => format!("write {known}"),
                _ => "two capitals, such as DE, FR or US".to_owned(),
            };
            let problem =
                crate::Diagnostic::error(item.place.clone(), format!("{path}[{index}]"), message);
            self.problems.add(problem.help(help));
            None
        });
        read.collect()
    }

    /// Headers in a policy of this source that nobody fills in.
    pub(super) fn headers_without_value(&self, names: &[Node], path: &str) {
        for (index, node) in names.iter().enumerate() {
            let name = node.as_text().and_then(|text| HeaderName::try_from(text).ok());
            if let Some(reason) = name.and_then(|name| self.without_value(&name)) {
                let path = format!("{path}[{index}]");
                self.ledger.note(&node.place, &path, Status::Inert(reason.to_owned()));
            }
        }
    }

    /// The same for AWS's own policies, which list many.
    pub(super) fn managed_headers_without_value(
        &self,
        behavior: &Node,
        policies: (&CachePolicy, &OriginRequestPolicy),
        path: &str,
    ) {
        let (cache, other) = policies;
        for (property, name, headers) in [
            ("CachePolicyId", &cache.name, cache.headers.as_slice()),
            ("OriginRequestPolicyId", &other.name, other.headers.listed()),
        ] {
            let Some(entry) = behavior.entry(property) else { continue };
            if !name.starts_with("Managed-") {
                continue;
            }
            for header in headers {
                if let Some(reason) = self.without_value(header) {
                    let path = format!("{path}.{property}, {name}: {header}");
                    self.ledger.note(&entry.place, &path, Status::Inert(reason.to_owned()));
                }
            }
        }
    }

    fn without_value(&self, name: &HeaderName) -> Option<&'static str> {
        let generated = Generated::named(name)?;
        if generated.is_absent() {
            return Some("this header is not made here; it reaches neither key nor origin");
        }
        (generated.needs_place() && !self.options.knows_countries).then_some(
            "nobody knows where viewers are without --geo-database or --geo; the header is left out",
        )
    }
}

/// ISO 3166-1 alpha-2, and XK, which CloudFront lists too.
const COUNTRIES: &str = "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO \
    BQ BR BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG \
    EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID \
    IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA \
    MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA \
    PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST \
    SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XK \
    YE YT ZA ZM ZW";
