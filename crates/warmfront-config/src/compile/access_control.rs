//! `AWS::CloudFront::OriginAccessControl` and the older origin access identity: how requests to an origin
//! are signed.
//!
//! Where the key comes from is the program's business; without one, each access control is listed as inert.

use warmfront_core::Origin;
use warmfront_core::origin::{OriginAccessControl, SigningBehavior, Target};

use super::Compiler;
use super::distribution::Draft;
use super::origin::{is_s3_name, sample};
use super::shape::Kind::{Choice, Object, TextUpTo};
use super::shape::{Property, decided, effective, label, parts};
use crate::diagnostic::Diagnostic;
use crate::document::{Entry, Node, quote};
use crate::report::Status;
use crate::suggest::{did_you_mean, listed};
use crate::template::Resource;

/// What an `OriginAccessControl` of the source says.
#[derive(Clone)]
pub(super) struct Control {
    pub(super) signing: SigningBehavior,
    pub(super) service: &'static str,
    /// `sigv4a` is known and not built.
    pub(super) is_signed_here: bool,
}

/// Where an origin's access control was written, for what is only known once its target is.
#[derive(Clone)]
pub(super) struct Written {
    pub(super) entry: Entry,
    pub(super) path: String,
}

const IDENTITY: &str = "origin-access-identity/cloudfront/";

impl Compiler<'_> {
    pub(super) fn read_access_control(&self, resource: &Resource) -> Option<Control> {
        let path = format!("{}.Properties", resource.path);
        let shape = ORIGIN_ACCESS_CONTROL;
        let properties = self.object(&resource.properties, &resource.place, shape, &path);
        let config = properties.get("OriginAccessControlConfig")?;
        let path = format!("{path}.OriginAccessControlConfig");
        let protocol = config.entry("SigningProtocol")?;
        let is_signed_here = protocol.value.as_text() != Some("sigv4a");
        let status = match is_signed_here {
            true => Status::Effective,
            false => Status::Inert("only sigv4 is signed here; requests go unsigned".to_owned()),
        };
        self.ledger.note(&protocol.place, &format!("{path}.SigningProtocol"), status);
        Some(Control {
            signing: match config.text_at("SigningBehavior")? {
                "never" => SigningBehavior::Never,
                "no-override" => SigningBehavior::NoOverride,
                _ => SigningBehavior::Always,
            },
            service: SERVICES
                .iter()
                .find(|service| config.text_at("OriginAccessControlOriginType") == Some(service))?,
            is_signed_here,
        })
    }

    /// The access control of one entry of `Origins`, without its region, which needs the whole name.
    pub(super) fn access_control(
        &self,
        node: &Node,
        path: &str,
    ) -> (Option<OriginAccessControl>, Option<Written>) {
        let identity = node.get("S3OriginConfig").and_then(|config| {
            let path = format!("{path}.S3OriginConfig.OriginAccessIdentity");
            let entry = config.entry("OriginAccessIdentity")?;
            if config.set("OriginAccessIdentity").is_none() {
                self.ledger.note(&entry.place, &path, Status::Effective);
            }
            Some((config.set("OriginAccessIdentity")?, path))
        });
        if let Some(entry) = node.entry("OriginAccessControlId") {
            let path = format!("{path}.OriginAccessControlId");
            let Some(entry) = node.set("OriginAccessControlId") else {
                self.ledger.note(&entry.place, &path, Status::Effective);
                return self.identity(identity);
            };
            if let Some((identity, path)) = identity {
                let message = "an origin takes an origin access control or an identity, not both; \
                     leave OriginAccessIdentity empty";
                self.error(&identity.place, path, message);
            }
            let control = self.control(node, &entry.value, &path);
            let written = Written { entry: entry.clone(), path };
            return (control, Some(written));
        }
        self.identity(identity)
    }

    /// CloudFront guide: an origin access identity signs requests to a bucket, whatever the viewer sent.
    fn identity(
        &self,
        identity: Option<(&Entry, String)>,
    ) -> (Option<OriginAccessControl>, Option<Written>) {
        let Some((entry, path)) = identity else { return (None, None) };
        let Some(text) = entry.value.as_text() else { return (None, None) };
        if text.strip_prefix(IDENTITY).is_none_or(str::is_empty) {
            let message = format!("{} is not of the form {IDENTITY}ID", quote(text));
            self.error(&entry.value.place, path, message);
            return (None, None);
        }
        let control = OriginAccessControl {
            signing: SigningBehavior::Always,
            service: "s3".to_owned(),
            region: String::new(),
        };
        (Some(control), Some(Written { entry: entry.clone(), path }))
    }

    fn control(&self, node: &Node, id: &Node, path: &str) -> Option<OriginAccessControl> {
        let text = id.as_text()?;
        let domain = node.text_at("DomainName")?;
        let fitting = service_of(&sample(domain));
        let Some(control) = self.access_controls.get(text) else {
            return self.foreign_control(text, domain, fitting, id, path);
        };
        let control = control.as_ref()?;
        if fitting != Some(control.service) {
            let is = match fitting {
                Some(service) => format!("is one for {service}"),
                None => "is no AWS name that takes signatures".to_owned(),
            };
            let message = format!(
                "the access control signs for {}, but {} {is}",
                control.service,
                quote(domain)
            );
            let problem = Diagnostic::error(id.place.clone(), path, message).help(
                "OriginAccessControlOriginType must fit the origin; for a server of your own keep the AWS \
                 name and say where it is: --origin ID=http://localhost:PORT",
            );
            self.problems.add(problem);
            return None;
        }
        if !control.is_signed_here {
            return None;
        }
        Some(OriginAccessControl {
            signing: control.signing,
            service: control.service.to_owned(),
            region: String::new(),
        })
    }

    /// One that was made elsewhere: what nearly all of them say holds for it.
    fn foreign_control(
        &self,
        text: &str,
        domain: &str,
        fitting: Option<&'static str>,
        id: &Node,
        path: &str,
    ) -> Option<OriginAccessControl> {
        let known = || self.access_controls.keys().map(String::as_str);
        let meant = did_you_mean(text, known());
        if !meant.is_empty() || fitting.is_none() {
            let what = match meant.is_empty() {
                true => format!(", and {} is no AWS name that takes signatures", quote(domain)),
                false => format!(".{meant}"),
            };
            let message = format!(
                "no OriginAccessControl has the id {}{what} (there is: {})",
                quote(text),
                listed(known())
            );
            self.error(&id.place, path, message);
            return None;
        }
        let service = fitting?.to_owned();
        let message = format!(
            "no OriginAccessControl of this source has the id {}; requests are signed for {service}, always",
            quote(text)
        );
        self.problems.add(Diagnostic::warning(id.place.clone(), path, message));
        Some(OriginAccessControl {
            signing: SigningBehavior::Always,
            service,
            region: String::new(),
        })
    }

    /// Once targets are known: whether requests are really signed.
    pub(super) fn report_signing(&self, drafts: &[Draft]) {
        let written = drafts
            .iter()
            .flat_map(|draft| draft.distribution.origins.iter().zip(&draft.access_controls));
        for (origin, written) in written {
            let Some(Written { entry, path }) = written else { continue };
            let status = match (&origin.access_control, &origin.target) {
                (None, _) => Status::Inert("requests to this origin are not signed".to_owned()),
                (Some(_), Target::Directory(_) | Target::Api(_)) => Status::Inert(
                    "it is a directory or a local function, which asks for no signature".to_owned(),
                ),
                (Some(control), _) if control.signing == SigningBehavior::Never => Status::Effective,
                (Some(_), _) if self.options.can_sign => Status::Effective,
                (Some(_), _) => Status::Inert(
                    "there is no AWS access key (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a \
                     profile in ~/.aws/credentials), so requests to this origin go unsigned"
                        .to_owned(),
                ),
            };
            self.ledger.note(&entry.place, path, status);
        }
    }

    /// Fills in the region of an origin whose name is known.
    pub(super) fn with_region(&self, origin: &mut Origin) {
        let stack = &self.evaluator.names.region;
        let domain = &origin.domain_name;
        if let Some(control) = &mut origin.access_control {
            control.region = region_of(&control.service, domain, stack);
        }
    }
}

pub(super) const ORIGIN_ACCESS_CONTROL: &[Property] =
    &[parts("OriginAccessControlConfig", Object(ORIGIN_ACCESS_CONTROL_CONFIG)).required()];

const ORIGIN_ACCESS_CONTROL_CONFIG: &[Property] = &[
    label("Description"),
    effective("Name", TextUpTo(64)).required(),
    effective("OriginAccessControlOriginType", Choice(&SERVICES)).required(),
    effective("SigningBehavior", Choice(&["always", "never", "no-override"])).required(),
    decided("SigningProtocol", Choice(&["sigv4", "sigv4a"])).required(),
];

/// `OriginAccessControlOriginType`, which is the service's name in a signature, too.
const SERVICES: [&str; 4] = ["s3", "mediastore", "mediapackagev2", "lambda"];

/// The service behind an AWS host name.
fn service_of(domain: &str) -> Option<&'static str> {
    let domain = domain.to_ascii_lowercase();
    let has = |label: &str| domain.split('.').any(|part| part == label);
    match () {
        () if is_s3_name(&domain) => Some("s3"),
        () if domain.ends_with(".on.aws") && has("lambda-url") => Some("lambda"),
        () if domain.ends_with(".amazonaws.com") && has("mediastore") => Some("mediastore"),
        () if domain.ends_with(".amazonaws.com") && has("mediapackagev2") => Some("mediapackagev2"),
        () => None,
    }
}

/// The region in an AWS host name. An S3 name without one is in us-east-1; a name that says nothing is in
/// the stack's.
fn region_of(service: &str, domain: &str, stack: &str) -> String {
    let labels: Vec<&str> = domain.split('.').collect();
    let is_region = |label: &&&str| {
        let parts: Vec<&str> = label.split('-').collect();
        parts.len() >= 3 && parts.last().is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit()))
    };
    // From the right: a bucket may be called as a region is.
    let end = labels.len().saturating_sub(2);
    let region = match service {
        "s3" => {
            let dashed = labels[..end].last().and_then(|label| label.strip_prefix("s3-"));
            dashed.or_else(|| {
                let at = labels.iter().rposition(|label| *label == "s3")?;
                labels[at..].iter().find(is_region).copied()
            })
        }
        _ => labels[..end].iter().rev().find(is_region).copied(),
    };
    match (region, service) {
        (Some(region), _) => region.to_owned(),
        (None, "s3") => "us-east-1".to_owned(),
        (None, _) => stack.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_an_origin_tells_service_and_region() {
        for (domain, service, region) in [
            ("site.s3.amazonaws.com", "s3", "us-east-1"),
            ("site.s3.eu-central-1.amazonaws.com", "s3", "eu-central-1"),
            ("site.s3-eu-west-1.amazonaws.com", "s3", "eu-west-1"),
            ("site.s3.dualstack.eu-north-1.amazonaws.com", "s3", "eu-north-1"),
            ("eu-west-1.s3.amazonaws.com", "s3", "us-east-1"),
            ("a.s3.b.s3.us-gov-west-1.amazonaws.com", "s3", "us-gov-west-1"),
            ("site.s3.cn-north-1.amazonaws.com.cn", "s3", "cn-north-1"),
            ("abc.lambda-url.us-west-2.on.aws", "lambda", "us-west-2"),
            ("abc.data.mediastore.eu-west-1.amazonaws.com", "mediastore", "eu-west-1"),
            ("x.egress.y.mediapackagev2.ap-south-1.amazonaws.com", "mediapackagev2", "ap-south-1"),
            ("x.mediapackagev2.amazonaws.com", "mediapackagev2", "sa-east-1"),
        ] {
            assert_eq!(service_of(domain), Some(service), "{domain}");
            assert_eq!(region_of(service, domain, "sa-east-1"), region, "{domain}");
        }
        for domain in
            ["www.example.com", "lambda-url.example.com", "api.execute-api.us-east-1.amazonaws.com"]
        {
            assert_eq!(service_of(domain), None, "{domain}");
        }
    }
}
