//! Where an origin's connections go: `--origin`, and what its keys may be.

use warmfront_config::Options;
use warmfront_core::Behavior;
use warmfront_core::origin::Target;

use crate::{Parts, loaded, pairs, problem, stack};

#[test]
fn a_wildcard_is_an_origin_as_aws_takes_it() {
    let origin =
        "DomainName: '*.example.com'\nCustomOriginConfig: {OriginProtocolPolicy: https-only}";
    let stack = stack(loaded(Parts { origin, ..Parts::default() }, &Options::default()));
    assert_eq!(stack.distributions[0].origins[0].domain_name, "*.example.com");
    let origin = "DomainName: 'a.*.com'\nCustomOriginConfig: {OriginProtocolPolicy: https-only}";
    let refused = loaded(Parts { origin, ..Parts::default() }, &Options::default());
    problem(&refused, "is not a domain name");
}

#[test]
fn a_target_is_found_by_id_domain_name_or_logical_id() {
    const BUCKET: &str = "  Assets: {Type: 'AWS::S3::Bucket'}\n";
    const ORIGIN: &str = "DomainName: !GetAtt Assets.RegionalDomainName\nS3OriginConfig: {}";
    let with = |origins: &[(&str, &str)]| {
        let options = Options { origins: pairs(origins), ..Options::default() };
        loaded(Parts { origin: ORIGIN, more: BUCKET, ..Parts::default() }, &options)
    };
    problem(&with(&[]), "--origin app=DIRECTORY");
    for key in ["app", "Assets"] {
        let stack = stack(with(&[(key, "/")]));
        assert_eq!(
            stack.distributions[0].origins[0].target,
            Target::Directory("/".into()),
            "{key}"
        );
    }
    let domain = stack(with(&[("app", "/")])).distributions[0].origins[0].domain_name.clone();
    assert!(domain.ends_with(".s3.us-east-1.amazonaws.com"), "{domain}");
    let stack = stack(with(&[(&domain, "http://localhost:3000"), (&domain, "http://[::1]:3001")]));
    let Target::Nodes(nodes) = &stack.distributions[0].origins[0].target else {
        panic!("no nodes")
    };
    assert_eq!((nodes.len(), nodes[1].host.as_str(), nodes[1].port), (2, "::1", 3001));
    for (origins, message) in [
        (&[("ap", "/")][..], "there is no origin \"ap\". Did you mean \"app\"? (origins: app)"),
        (&[("app", "http://localhost/v1")], "without a path"),
        (&[("app", "/no/such/directory")], "is not a directory"),
        (&[("app", "localhost:3000")], "http://localhost:3000"),
        (&[("app", "/"), ("app", "http://localhost:1")], "several servers, or one directory"),
        (
            &[("app", "/"), ("dynamic.example.org", "http://localhost:1")],
            "functions that could set it do not run yet",
        ),
    ] {
        problem(&with(origins), message);
    }
}

#[test]
fn the_example_with_two_origins_sends_each_path_to_its_own() {
    let example = crate::fixture("../../../examples/two-origins/template.yml");
    let origins = [("site", "http://localhost:4000"), ("content", "http://localhost:4001")];
    let options = Options { origins: pairs(&origins), ..Options::default() };
    let stack = stack(warmfront_config::load(&example, &options).unwrap());
    let edge = &stack.distributions[0];
    for (path, origin) in [
        ("/", "site"),
        ("/index.html", "site"),
        ("/Content", "site"),
        ("/content", "content"),
        ("/content/a.jpg", "content"),
        ("/contents.html", "content"),
        ("/content/drafts/a", "content"),
    ] {
        let behavior = edge.behaviors.iter().find(|it| it.path_pattern.matches(path)).unwrap();
        assert_eq!(edge.origins[behavior.origin].id, origin, "{path}");
    }
    let is_draft = |it: &&std::sync::Arc<Behavior>| it.path_pattern.matches("/content/drafts/a");
    assert!(edge.behaviors.iter().find(is_draft).unwrap().cache_policy.ttl.disable_caching());
    assert!(matches!(edge.origins[1].target, Target::Nodes(_)));
}

#[test]
fn an_origin_that_only_aws_could_name_needs_no_name_where_its_place_is_said() {
    let more = "  Box: {Type: 'AWS::EC2::Instance'}\n  Balancer: {Type: 'AWS::ElasticLoadBalancingV2::LoadBalancer'}\n";
    for (name, owner) in [
        ("!GetAtt Box.PublicDnsName", "Box"),
        ("!GetAtt Balancer.DNSName", "Balancer"),
        ("!Join ['', [!GetAtt Box.PublicDnsName]]", "Box"),
    ] {
        let origin =
            format!("DomainName: {name}\nCustomOriginConfig: {{OriginProtocolPolicy: http-only}}");
        let parts = Parts { origin: &origin, more, ..Parts::default() };
        problem(&loaded(parts, &Options::default()), &format!("--origin {owner}=http"));
        let options =
            Options { origins: pairs(&[(owner, "http://localhost:81")]), ..Options::default() };
        let stack = stack(loaded(parts, &options));
        let target = &stack.distributions[0].origins[0].target;
        assert!(
            matches!(target, Target::Nodes(nodes) if nodes[0].port == 81),
            "{name}: {target:?}"
        );
    }
}
