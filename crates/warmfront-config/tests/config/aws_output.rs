//! What the AWS CLI prints: spellings, Quantities, ids, and parts that come from other files
//! (cloudfront.md §1.2).

use std::fs;

use warmfront_config::{Loaded, Options, Severity, load, render_human};
use warmfront_core::behavior::AllowedMethods;
use warmfront_core::policy::{HeaderSelection, Selection};

use crate::{problem, stack};

const SHORT: &str = "0aa7c1a4-1111-4222-8333-944455566677";

/// A `get-distribution-config`; `{config}`, `{origin}` and `{behavior}` are more members.
fn config(config: &str, origin: &str, behavior: &str) -> String {
    let member = |text: &str| if text.is_empty() { String::new() } else { format!(", {text}") };
    let policy = if behavior.contains("CachePolicyId") || behavior.contains("ForwardedValues") {
        String::new()
    } else {
        ", \"CachePolicyId\": \"658327ea-f89d-4fab-a63d-7e88639e58f6\"".to_owned()
    };
    format!(
        r#"{{"ETag": "E1", "DistributionConfig": {{
  "CallerReference": "x", "Comment": "", "Enabled": true,
  "Origins": {{"Quantity": 1, "Items": [
    {{"Id": "app", "DomainName": "app.example.com",
     "CustomOriginConfig": {{"HTTPPort": 80, "HTTPSPort": 443, "OriginProtocolPolicy": "http-only"}}{}}}]}},
  "DefaultCacheBehavior": {{"TargetOriginId": "app", "ViewerProtocolPolicy": "allow-all"{policy}{}}}{}
}}}}"#,
        member(origin),
        member(behavior),
        member(config),
    )
}

fn cache_policy(id: Option<&str>, name: &str) -> String {
    let config = format!(
        r#""CachePolicyConfig": {{"Name": "{name}", "MinTTL": 0, "DefaultTTL": 1, "MaxTTL": 2,
 "ParametersInCacheKeyAndForwardedToOrigin": {{"EnableAcceptEncodingGzip": false,
  "HeadersConfig": {{"HeaderBehavior": "whitelist", "Headers": {{"Quantity": 1, "Items": ["X-A"]}}}},
  "CookiesConfig": {{"CookieBehavior": "none"}},
  "QueryStringsConfig": {{"QueryStringBehavior": "none"}}}}}}"#
    );
    match id {
        Some(id) => format!(r#"{{"ETag": "E2", "CachePolicy": {{"Id": "{id}", {config}}}}}"#),
        None => format!(r#"{{"ETag": "E2", {config}}}"#),
    }
}

/// The first file is the source, the others come `--with` it.
fn loaded(files: &[(&str, &str)]) -> Loaded {
    let directory = tempfile::tempdir().unwrap();
    let mut paths = Vec::new();
    for (name, text) in files {
        paths.push(directory.path().join(name));
        fs::write(directory.path().join(name), text).unwrap();
    }
    let options = Options { with: paths.split_off(1), ..Options::default() };
    load(&paths[0], &options).unwrap()
}

fn one(text: &str) -> Loaded {
    loaded(&[("dist.json", text)])
}

#[test]
fn the_spellings_of_the_api_mean_what_cloudformations_do() {
    let text = config(
        r#""Aliases": {"Quantity": 2, "Items": ["A.example.com", "*.example.org"]},
           "IsIPV6Enabled": true, "HttpVersion": "HTTP2", "DefaultRootObject": "index.html",
           "CustomErrorResponses": {"Quantity": 1, "Items": [
             {"ErrorCode": 404, "ResponsePagePath": "", "ResponseCode": "", "ErrorCachingMinTTL": 7}]},
           "ViewerCertificate": {"ACMCertificateArn": "arn:aws:acm:us-east-1:1:certificate/a",
             "SSLSupportMethod": "sni-only", "MinimumProtocolVersion": "TLSv1.2_2021",
             "Certificate": "arn:aws:acm:us-east-1:1:certificate/a", "CertificateSource": "acm"},
           "CacheBehaviors": {"Quantity": 1, "Items": [{"PathPattern": "/old/*", "TargetOriginId": "app",
             "ViewerProtocolPolicy": "https-only", "MinTTL": 1, "DefaultTTL": 2, "MaxTTL": 3,
             "ForwardedValues": {"QueryString": true, "Cookies": {"Forward": "whitelist",
               "WhitelistedNames": {"Quantity": 1, "Items": ["sid"]}},
               "Headers": {"Quantity": 1, "Items": ["X-Lang"]},
               "QueryStringCacheKeys": {"Quantity": 1, "Items": ["q"]}}}]}"#,
        r#""CustomHeaders": {"Quantity": 1, "Items": [{"HeaderName": "X-A", "HeaderValue": "1"}]}"#,
        r#""AllowedMethods": {"Quantity": 3, "Items": ["HEAD", "OPTIONS", "GET"],
             "CachedMethods": {"Quantity": 3, "Items": ["HEAD", "OPTIONS", "GET"]}},
           "OriginRequestPolicyId": "216adef6-5c7f-47e4-b989-5492eafa07d3""#,
    );
    let stack = stack(one(&text));
    let distribution = &stack.distributions[0];
    assert_eq!((stack.name.as_str(), distribution.logical_id.as_str()), ("dist", "dist"));
    assert_eq!(distribution.aliases, ["a.example.com", "*.example.org"]);
    assert_eq!(distribution.default_root_object.as_deref(), Some("index.html"));
    assert_eq!(distribution.error_responses[0].caching_min_ttl.as_secs(), 7);
    assert_eq!(distribution.error_responses[0].page, None);
    assert_eq!(distribution.origins[0].custom_headers[0].0, "x-a");
    let [old, default] = distribution.behaviors.as_slice() else { panic!() };
    assert_eq!(default.allowed_methods, AllowedMethods::GetHeadOptions);
    assert!(default.caches_options);
    assert_eq!(default.origin_request_policy.headers, HeaderSelection::AllViewer);
    assert_eq!(old.cache_policy.cookies, Selection::Matching(vec!["sid".into()]));
    assert_eq!(old.cache_policy.query_strings, Selection::Only(vec!["q".into()]));
    assert_eq!(old.cache_policy.headers, ["x-lang"]);
}

#[test]
fn a_quantity_that_does_not_match_is_an_error_at_its_place() {
    let rows = [
        (
            r#""Aliases": {"Quantity": 2, "Items": ["a.example.com"]}"#,
            "Quantity is 2, but Items has 1",
        ),
        (r#""CacheBehaviors": {"Quantity": 1}"#, "Quantity is 1, but Items has 0"),
        (
            r#""Restrictions": {"GeoRestriction": {"RestrictionType": "none", "Quantity": 1}}"#,
            "Quantity is 1, but Items has 0",
        ),
        (
            r#""OriginGroups": {"Quantity": 0, "Items": [{"Id": "g"}]}"#,
            "Quantity is 0, but Items has 1",
        ),
    ];
    for (members, message) in rows {
        let loaded = one(&config(members, "", ""));
        let found = problem(&loaded, message);
        assert!(found.path.starts_with("DistributionConfig."), "{}", found.path);
        assert!(found.path.ends_with(".Quantity"), "{}", found.path);
        assert_eq!((found.line, found.severity), (6, Severity::Error));
    }
}

#[test]
fn a_problem_is_told_in_the_words_of_the_file() {
    let rows = [
        (
            config(r#""ViewerCertificate": {"SSLSupportMethod": "sni"}"#, "", ""),
            "DistributionConfig.ViewerCertificate.SSLSupportMethod",
        ),
        (
            config("", r#""CustomHeaders": {"Quantity": 1, "Items": [{"HeaderName": "X-A"}]}"#, ""),
            "DistributionConfig.Origins.Items[0].CustomHeaders.Items[0].HeaderValue",
        ),
        (
            config("", "", r#""AllowedMethods": {"Quantity": 1, "Items": ["GTE"]}"#),
            "DistributionConfig.DefaultCacheBehavior.AllowedMethods.Items[0]",
        ),
        (config(r#""Anabled": true"#, "", ""), "DistributionConfig.Anabled"),
    ];
    for (text, path) in rows {
        let loaded = one(&text);
        let paths: Vec<_> = loaded.diagnostics.iter().map(|it| it.path.as_str()).collect();
        assert!(paths.contains(&path), "{paths:?}");
    }
    let loaded = one(&config(r#""IsIPV6Enabled": true"#, "", ""));
    let inert: Vec<_> = loaded.report.inert().map(|(entry, _)| entry.path.as_str()).collect();
    assert_eq!(inert, ["DistributionConfig.IsIPV6Enabled"]);
}

#[test]
fn what_is_switched_off_is_not_there() {
    let off = config(
        r#""Logging": {"Enabled": false, "IncludeCookies": false, "Bucket": "", "Prefix": ""},
           "WebACLId": "", "ContinuousDeploymentPolicyId": "", "OriginGroups": {"Quantity": 0}"#,
        r#""OriginPath": "", "OriginAccessControlId": "", "OriginShield": {"Enabled": false}"#,
        r#""TrustedSigners": {"Enabled": false, "Quantity": 0}, "FieldLevelEncryptionId": "",
           "TrustedKeyGroups": {"Enabled": false, "Quantity": 1, "Items": ["k"]}"#,
    );
    let loaded = one(&off);
    let inert: Vec<_> = loaded.report.inert().map(|(entry, _)| entry.path.clone()).collect();
    assert_eq!(inert, Vec::<String>::new(), "{}", render_human(&loaded));
    stack(loaded);
}

#[test]
fn ids_and_names_of_get_distribution_are_kept() {
    let inner = config("", "", "");
    let inner = inner.strip_prefix(r#"{"ETag": "E1", "#).unwrap();
    let named = format!(
        r#"{{"Id": "E123", "DomainName": "d1.cloudfront.net", "Status": "Deployed", {inner}"#
    );
    let whole = format!(r#"{{"ETag": "E1", "Distribution": {named}}}"#);
    for text in [whole.as_str(), named.as_str()] {
        let stack = stack(one(text));
        let it = &stack.distributions[0];
        assert_eq!(
            [&*it.id, &it.logical_id, &it.domain_name],
            ["E123", "E123", "d1.cloudfront.net"]
        );
    }
    problem(&loaded(&[("a.json", &whole), ("b.json", &whole)]), "\"E123\" was given already");
    let other = named.replace("E123", "E456").replace("d1.", "d2.");
    assert_eq!(stack(loaded(&[("a.json", &whole), ("b.json", &other)])).distributions.len(), 2);
}

#[test]
fn a_distribution_alone_in_its_file_is_read() {
    let text = config("", "", "");
    let bare = text.strip_prefix(r#"{"ETag": "E1", "DistributionConfig": "#).unwrap();
    let bare = bare.strip_suffix('}').unwrap();
    assert_eq!(stack(one(bare)).distributions.len(), 1);
    let with_tags = format!(
        r#"{{"DistributionConfigWithTags": {{"DistributionConfig": {bare}, "Tags": {{"Items": []}}}}}}"#
    );
    assert_eq!(stack(one(&with_tags)).distributions.len(), 1);
}

#[test]
fn a_policy_that_is_only_named_comes_from_another_file() {
    let text = config("", "", &format!(r#""CachePolicyId": "{SHORT}""#));
    let listed = format!(
        r#"{{"CachePolicyList": {{"MaxItems": 100, "Quantity": 1, "Items": [
            {{"Type": "custom", {}]}}}}"#,
        cache_policy(Some(SHORT), "short").strip_prefix(r#"{"ETag": "E2", "#).unwrap()
    );
    let other = cache_policy(Some("other"), "other");
    let rows: [&[(&str, &str)]; 5] = [
        &[("p.json", &cache_policy(Some(SHORT), "short"))],
        // Without an Id: the only policy that is named and not here.
        &[("p.json", &cache_policy(None, "short"))],
        // Or the one that the file is called after.
        &[(&format!("{SHORT}.json"), &cache_policy(None, "short"))],
        &[("list.json", &listed)],
        &[("other.json", &other), ("p.json", &cache_policy(None, "short"))],
    ];
    for with in rows {
        let mut files = vec![("dist.json", text.as_str())];
        files.extend(with);
        let stack = stack(loaded(&files));
        let policy = &stack.distributions[0].behaviors[0].cache_policy;
        assert_eq!(policy.name, "short");
        assert_eq!(policy.headers, ["x-a"]);
    }
}

#[test]
fn a_template_may_name_such_a_policy_too() {
    let template =
        crate::Parts { behavior: &format!("CachePolicyId: {SHORT}"), ..Default::default() };
    let policy = cache_policy(None, "short");
    let stack = stack(loaded(&[("t.yml", &template.template()), ("p.json", &policy)]));
    assert_eq!(stack.distributions[0].behaviors[0].cache_policy.name, "short");
}

#[test]
fn what_no_file_has_says_which_command_prints_it() {
    let arn = "arn:aws:cloudfront::111122223333:function/guard";
    let function = format!(
        r#""FunctionAssociations": {{"Quantity": 1, "Items": [
            {{"FunctionARN": "{arn}", "EventType": "viewer-request"}}]}}"#
    );
    let rows = [
        (
            format!(r#""CachePolicyId": "{SHORT}""#),
            format!(
                "aws cloudfront get-cache-policy --id {SHORT} > cache-policy.json, and pass it: --with"
            ),
        ),
        (
            r#""CachePolicyId": "CachingDisabled", "OriginRequestPolicyId": "1-2""#.to_owned(),
            "aws cloudfront get-origin-request-policy --id 1-2".to_owned(),
        ),
        (function, "aws cloudfront describe-function --name guard".to_owned()),
    ];
    for (behavior, command) in rows {
        problem(&one(&config("", "", &behavior)), &command);
    }
    let unclear =
        loaded(&[("dist.json", &config("", "", "")), ("p.json", &cache_policy(None, "a"))]);
    problem(&unclear, "this output has no Id");
    problem(&unclear, "aws cloudfront get-cache-policy --id ID");
    let summaries = one(r#"{"DistributionList": {"Quantity": 0, "Items": []}}"#);
    problem(&summaries, "aws cloudfront get-distribution --id ID");
}

#[test]
fn formats_that_are_not_read_name_the_way_that_works() {
    for (name, text) in [
        ("d.xml", "<?xml version=\"1.0\"?><DistributionConfig/>"),
        ("main.tf", "resource \"aws_cloudfront_distribution\" \"a\" {}"),
        (
            "plan.json",
            r#"{"format_version": "1.2", "terraform_version": "1.9", "planned_values": {}}"#,
        ),
    ] {
        let loaded = loaded(&[(name, text)]);
        problem(&loaded, "which is not read yet");
        problem(&loaded, "aws cloudfront get-distribution --id ID > dist.json");
    }
}

#[test]
fn an_error_response_without_a_page_has_empty_texts() {
    let error = |code: &str, status: &str, page: &str| {
        format!(
            r#"{{"ErrorCode": {code}, "ResponseCode": "{status}", "ResponsePagePath": "{page}", "ErrorCachingMinTTL": 5}}"#
        )
    };
    let responses = |items: &[String]| {
        let (count, items) = (items.len(), items.join(", "));
        format!(r#""CustomErrorResponses": {{"Quantity": {count}, "Items": [{items}]}}"#)
    };
    let both = responses(&[error("404", "", ""), error("403", "200", "/index.html")]);
    let stack = stack(one(&config(&both, "", "")));
    let [without, with] = stack.distributions[0].error_responses.as_slice() else { panic!() };
    assert_eq!((without.status, without.caching_min_ttl.as_secs()), (404, 5));
    assert!(without.page.is_none());
    let page = with.page.as_ref().map(|page| (page.path.as_str(), page.status));
    assert_eq!(page, Some(("/index.html", 200)));
    let half = responses(&[error("404", "", "/index.html")]);
    problem(&one(&config(&half, "", "")), "belong together");
}
