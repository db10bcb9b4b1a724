//! Trusted keys and countries: effective, or refused with what to do.

use warmfront_config::{Loaded, Options, Status};
use warmfront_core::access::geo::{Country, GeoRestriction};
use warmfront_core::access::signed::KeyKind;

use crate::{Parts, loaded, pairs, problem, stack};

const RSA: &str = include_str!("../../../warmfront-core/src/access/signed/rsa.pub.pem");
const ECDSA: &str = include_str!("../../../warmfront-core/src/access/signed/ecdsa.pub.pem");

/// A public key of this name.
fn key(name: &str, pem: &str) -> String {
    let pem = pem.replace('\n', "\\n");
    format!(
        "  {name}:\n    Type: AWS::CloudFront::PublicKey\n    Properties:\n      PublicKeyConfig:\n        \
         {{CallerReference: a, Name: {name}, EncodedKey: \"{pem}\"}}\n"
    )
}

fn group(name: &str, items: &str) -> String {
    format!(
        "  {name}:\n    Type: AWS::CloudFront::KeyGroup\n    Properties:\n      \
         KeyGroupConfig: {{Name: {name}, Items: {items}}}\n"
    )
}

fn with_groups(groups: &str, more: &str, options: &Options) -> Loaded {
    let behavior = format!("CachePolicyId: CachingOptimized\nTrustedKeyGroups: {groups}");
    loaded(Parts { behavior: &behavior, more, ..Parts::default() }, options)
}

#[test]
fn a_behavior_has_the_keys_of_its_groups_each_once() {
    let more = [
        key("First", RSA),
        key("Second", ECDSA),
        group("One", "[!Ref First]"),
        group("Two", "[!GetAtt Second.Id, !Ref First]"),
    ]
    .concat();
    let options =
        Options { attributes: pairs(&[("First.Ref", "K36X4X2EO997HM")]), ..Options::default() };
    let loaded = with_groups("[!Ref One, !GetAtt Two.Id]", &more, &options);
    let listed = loaded.report.entries.iter();
    let listed = listed.filter(|entry| matches!(&entry.status, Status::Inert(_)));
    assert_eq!(listed.filter(|it| it.path.contains("Key")).count(), 0, "{:?}", loaded.report);
    let stack = stack(loaded);
    let trusted = stack.distributions[0].behaviors[0].trusted_keys.clone().unwrap();
    let kinds: Vec<_> = trusted.keys.iter().map(|key| key.key.kind()).collect();
    assert_eq!(kinds, [KeyKind::Rsa2048, KeyKind::EcdsaP256]);
    assert_eq!(trusted.keys[0].id, "K36X4X2EO997HM", "the id that the signers know");
    assert!(trusted.keys[1].id.starts_with('K') && trusted.keys[1].id.len() == 14);
}

#[test]
fn no_groups_ask_for_no_signature() {
    let stack = stack(with_groups("[]", "", &Options::default()));
    assert_eq!(stack.distributions[0].behaviors[0].trusted_keys, None);
}

#[test]
fn what_is_wrong_with_keys_is_told_where_it_stands() {
    let six = |reference: &str| [reference; 6].join(", ");
    let rows: [(&str, String, &str, &str); 8] = [
        (
            "[!Ref One]",
            key("K", "hello") + &group("One", "[!Ref K]"),
            "BEGIN PUBLIC KEY",
            "EncodedKey",
        ),
        (
            "[!Ref One]",
            key("K", &RSA.replace("PUBLIC", "PRIVATE")) + &group("One", "[!Ref K]"),
            "this is a private key",
            "EncodedKey",
        ),
        (
            "[!Ref One]",
            key("K", include_str!("../../../warmfront-core/src/access/signed/p384.pub.pem"))
                + &group("One", "[!Ref K]"),
            "RSA keys of 2048 bits and ECDSA keys on P-256",
            "EncodedKey",
        ),
        ("[!Ref One]", group("One", "[]"), "needs a public key", "Items"),
        (
            "[!Ref One]",
            group("One", "[K2JCJMDEHXQW5F]"),
            "aws cloudfront get-public-key --id K2JCJMDEHXQW5F",
            "Items[0]",
        ),
        (
            "[!Ref One]",
            key("First", RSA) + &group("One", "[Frist]"),
            "Did you mean \"First\"?",
            "Items[0]",
        ),
        (
            "[!Ref One]",
            key("K", RSA) + &group("One", &format!("[{}]", six("!Ref K"))),
            "at most 5 public keys",
            "Items[5]",
        ),
        (
            "[!Ref A, !Ref A, !Ref A, !Ref A, !Ref A]",
            key("K", RSA) + &group("A", "[!Ref K]"),
            "at most 4 key groups",
            "TrustedKeyGroups",
        ),
    ];
    for (groups, more, message, path) in rows {
        let loaded = with_groups(groups, &more, &Options::default());
        let found = problem(&loaded, message);
        assert!(found.path.ends_with(path), "{message}: {}", found.path);
        assert!(loaded.stack.is_none(), "{message}");
        assert_eq!(loaded.diagnostics.len(), 1, "{}", warmfront_config::render_human(&loaded));
    }
}

#[test]
fn a_group_that_only_aws_has_protects_and_cannot_be_effective() {
    let loaded =
        with_groups("[One]", &(key("K", RSA) + &group("Ones", "[!Ref K]")), &Options::default());
    let found = problem(&loaded, "Did you mean \"Ones\"?");
    assert!(found.help.as_deref().unwrap().contains("--allow-unprotected Edge.TrustedKeyGroups"));
    let options = Options {
        allow_unprotected: vec!["Edge.TrustedKeyGroups".to_owned()],
        ..Options::default()
    };
    let stack = stack(with_groups("[One]", "", &options));
    assert_eq!(stack.distributions[0].behaviors[0].trusted_keys, None);
}

fn restricted(restriction: &str, options: &Options) -> Loaded {
    let config = format!("Restrictions: {{GeoRestriction: {restriction}}}");
    loaded(Parts { config: &config, ..Parts::default() }, options)
}

#[test]
fn countries_are_restricted_once_somebody_knows_where_viewers_are() {
    let knowing = Options { knows_countries: true, ..Options::default() };
    let country = |code| Country::parse(code).unwrap();
    for (restriction, expected) in [
        ("{RestrictionType: none}", GeoRestriction::None),
        (
            "{RestrictionType: whitelist, Locations: [DE]}",
            GeoRestriction::Only(vec![country("DE")]),
        ),
        (
            "{RestrictionType: blacklist, Locations: [FR, US]}",
            GeoRestriction::AllBut(vec![country("FR"), country("US")]),
        ),
    ] {
        let stack = stack(restricted(restriction, &knowing));
        assert_eq!(stack.distributions[0].geo_restriction, expected);
    }
    let unknowing =
        restricted("{RestrictionType: whitelist, Locations: [DE]}", &Options::default());
    let help = problem(&unknowing, "every country").help.clone().unwrap();
    for part in ["--geo-database FILE", "--geo CC", "--allow-unprotected Edge.GeoRestriction"] {
        assert!(help.contains(part), "{help}");
    }
    let allowed =
        Options { allow_unprotected: vec!["Edge.GeoRestriction".to_owned()], ..Options::default() };
    let stack = stack(restricted("{RestrictionType: whitelist, Locations: [DE]}", &allowed));
    assert_eq!(stack.distributions[0].geo_restriction, GeoRestriction::None);
}

#[test]
fn countries_that_are_none_are_refused() {
    let knowing = Options { knows_countries: true, ..Options::default() };
    for (restriction, message) in [
        ("{RestrictionType: whitelist, Locations: [UK]}", "the United Kingdom is GB"),
        ("{RestrictionType: whitelist, Locations: [de]}", "write DE"),
        ("{RestrictionType: whitelist, Locations: [DE, Germany]}", "two capitals"),
        ("{RestrictionType: blacklist}", "needs Locations"),
        ("{RestrictionType: blacklist, Locations: []}", "needs Locations"),
    ] {
        let loaded = restricted(restriction, &knowing);
        problem(&loaded, message);
        assert_eq!(loaded.diagnostics.len(), 1, "{}", warmfront_config::render_human(&loaded));
    }
}

#[test]
fn headers_that_nobody_can_fill_in_are_listed() {
    const POLICY: &str = "  Own:
    Type: AWS::CloudFront::OriginRequestPolicy
    Properties:
      OriginRequestPolicyConfig:
        Name: own
        CookiesConfig: {CookieBehavior: none}
        QueryStringsConfig: {QueryStringBehavior: none}
        HeadersConfig:
          HeaderBehavior: whitelist
          Headers: [CloudFront-Viewer-JA3-Fingerprint, CloudFront-Viewer-City, CloudFront-Viewer-TLS, X-Own]
";
    let inert = |policy: &str, knows_countries: bool| -> Vec<String> {
        let behavior = format!("CachePolicyId: CachingOptimized\nOriginRequestPolicyId: {policy}");
        let options = Options { knows_countries, ..Options::default() };
        let parts = Parts { behavior: &behavior, more: POLICY, ..Parts::default() };
        let loaded = loaded(parts, &options);
        loaded.report.inert().map(|(entry, _)| entry.path.clone()).collect()
    };
    let own = |knows| -> Vec<char> {
        let ends = inert("!Ref Own", knows).into_iter();
        ends.filter(|it| it.contains("Headers["))
            .map(|it| it.chars().rev().nth(1).unwrap())
            .collect()
    };
    assert_eq!(own(true), ['0']);
    assert_eq!(own(false), ['0', '1']);
    let managed = |knows| {
        let listed = inert("AllViewerAndCloudFrontHeaders-2022-06", knows);
        listed.iter().filter(|it| it.contains("cloudfront-viewer-country")).count()
    };
    assert_eq!(managed(true), 0);
    assert!(managed(false) > 0);
}
