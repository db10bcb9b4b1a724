//! Origin access controls: what they compile to, and when they cannot be what is meant.

use warmfront_config::{Loaded, Options, Status};
use warmfront_core::origin::{OriginAccessControl, SigningBehavior};

use super::{Parts, loaded, pairs, problem, stack};

const BUCKET: &str = "DomainName: site.s3.eu-central-1.amazonaws.com
S3OriginConfig: {OriginAccessIdentity: ''}
OriginAccessControlId: !GetAtt Control.Id";

const FUNCTION: &str = "DomainName: abc.lambda-url.us-west-2.on.aws
CustomOriginConfig: {OriginProtocolPolicy: https-only}
OriginAccessControlId: !Ref Control";

fn control(kind: &str, behavior: &str) -> String {
    format!(
        "  Control:
    Type: AWS::CloudFront::OriginAccessControl
    Properties:
      OriginAccessControlConfig: {{Name: c, OriginAccessControlOriginType: {kind}, SigningBehavior: {behavior}, SigningProtocol: sigv4}}"
    )
}

fn with(origin: &str, more: &str, can_sign: bool) -> Loaded {
    let origins = pairs(&[("app", "http://localhost:9000")]);
    let options = Options { origins, can_sign, ..Options::default() };
    loaded(Parts { origin, more, ..Parts::default() }, &options)
}

#[test]
fn type_behavior_and_name_decide_how_requests_are_signed() {
    use SigningBehavior::{Always, Never, NoOverride};
    let identity = "DomainName: site.s3.amazonaws.com
S3OriginConfig: {OriginAccessIdentity: origin-access-identity/cloudfront/E1}";
    for (origin, more, expected) in [
        (BUCKET, control("s3", "always"), (Always, "s3", "eu-central-1")),
        (BUCKET, control("s3", "never"), (Never, "s3", "eu-central-1")),
        (FUNCTION, control("lambda", "no-override"), (NoOverride, "lambda", "us-west-2")),
        (identity, String::new(), (Always, "s3", "us-east-1")),
    ] {
        let stack = stack(with(origin, &more, true));
        let (signing, service, region) = expected;
        let (service, region) = (service.to_owned(), region.to_owned());
        let expected = OriginAccessControl { signing, service, region };
        assert_eq!(stack.distributions[0].origins[0].access_control, Some(expected), "{origin}");
    }
}

#[test]
fn without_an_access_key_the_access_control_is_inert() {
    let status = |can_sign, behavior| {
        let loaded = with(BUCKET, &control("s3", behavior), can_sign);
        let mut entries = loaded.report.entries.iter();
        let entry = entries.find(|entry| entry.path.ends_with("OriginAccessControlId")).unwrap();
        entry.status.clone()
    };
    assert_eq!(status(true, "always"), Status::Effective);
    assert_eq!(status(false, "never"), Status::Effective);
    match status(false, "always") {
        Status::Inert(reason) => assert!(reason.contains("go unsigned"), "{reason}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_access_control_must_fit_its_origin() {
    let both = BUCKET.replace("''", "origin-access-identity/cloudfront/E1");
    let misspelt = BUCKET.replace("!GetAtt Control.Id", "E2QWRUHAPOMQZL");
    let custom = FUNCTION.replace("abc.lambda-url.us-west-2.on.aws", "www.example.com");
    let bad_identity =
        "DomainName: site.s3.amazonaws.com\nS3OriginConfig: {OriginAccessIdentity: E1}";
    for (origin, more, part) in [
        (BUCKET, control("lambda", "always"), "is one for s3"),
        (FUNCTION, control("s3", "always"), "is one for lambda"),
        (&custom, control("s3", "always"), "no AWS name that takes signatures"),
        (&both, control("s3", "always"), "not both"),
        (BUCKET, control("s3", "sometimes"), "is not one of the values"),
        (
            &misspelt.replace("site.s3.eu-central-1.amazonaws.com", "www.example.com"),
            String::new(),
            "no OriginAccessControl has the id",
        ),
        (bad_identity, String::new(), "is not of the form"),
    ] {
        let loaded = with(origin, &more, true);
        problem(&loaded, part);
        assert!(loaded.has_errors(), "{part}");
    }
    let loaded = with(&misspelt, "", true);
    problem(&loaded, "requests are signed for s3, always");
    assert!(stack(loaded).distributions[0].origins[0].access_control.is_some());
}
