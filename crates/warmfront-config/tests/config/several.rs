//! Several stacks at once: what they share, what one has from another, and how they stay apart.

use std::fs;
use std::path::PathBuf;

use warmfront_config::{Loaded, Options, load};
use warmfront_core::origin::Target;

use crate::{pairs, problem, stack};

/// A stack that has an API and offers its address, and buckets nobody serves.
const API: &str = "\
Resources:
  Api: {Type: AWS::ApiGatewayV2::Api, Properties: {ProtocolType: HTTP, Name: pets}}
  Route:
    Type: AWS::ApiGatewayV2::Route
    Properties: {ApiId: !Ref Api, RouteKey: $default, Target: !Sub 'integrations/${Call}'}
  Call:
    Type: AWS::ApiGatewayV2::Integration
    Properties:
      ApiId: !Ref Api
      IntegrationType: AWS_PROXY
      PayloadFormatVersion: '2.0'
      IntegrationUri: !GetAtt Hello.Arn
  Hello:
    Type: AWS::Lambda::Function
    Properties: {Runtime: nodejs20.x, Handler: index.handler, Code: {ZipFile: 'exports.handler = 1'}}
Outputs:
  Host:
    Value: !Sub '${Api}.execute-api.${AWS::Region}.amazonaws.com'
    Export: {Name: ApiHost}
";

/// A stack with a distribution whose origin is called `{domain}`.
const EDGE: &str = "\
Resources:
  Edge:
    Type: AWS::CloudFront::Distribution
    Properties:
      DistributionConfig:
        Enabled: true
        Aliases: ['{alias}']
        Origins:
          - Id: app
            DomainName: {domain}
            CustomOriginConfig: {OriginProtocolPolicy: https-only}
        DefaultCacheBehavior:
          {behavior}
          TargetOriginId: app
          ViewerProtocolPolicy: allow-all
{more}";

fn edge(domain: &str, alias: &str, behavior: &str, more: &str) -> String {
    EDGE.replace("{domain}", domain)
        .replace("{alias}", alias)
        .replace("{behavior}", behavior)
        .replace("{more}", more)
}

const OPTIMIZED: &str = "CachePolicyId: CachingOptimized";

/// Loads the first file as the source, those whose name begins with `with-` as such, the rest beside it.
fn loaded(files: &[(&str, &str)], options: &Options) -> Loaded {
    let directory = tempfile::tempdir().unwrap();
    let mut options = options.clone();
    let mut source = PathBuf::new();
    for (index, (name, text)) in files.iter().enumerate() {
        let path = directory.path().join(name);
        fs::write(&path, text).unwrap();
        match index {
            0 => source = path,
            _ if name.starts_with("with-") => options.with.push(path),
            _ => options.also.push(path),
        }
    }
    load(&source, &options).unwrap()
}

#[test]
fn an_export_of_another_stack_leads_to_its_api() {
    let edge = edge("!ImportValue ApiHost", "a.example.com", OPTIMIZED, "");
    let files = [("edge.yml", edge.as_str()), ("with-api.yml", API)];
    let stack = stack(loaded(&files, &Options::default()));
    let origin = &stack.distributions[0].origins[0];
    assert_eq!(origin.domain_name, "api.execute-api.us-east-1.amazonaws.com");
    let Target::Api(api) = &origin.target else { panic!("{:?}", origin.target) };
    assert_eq!((api.logical_id.as_str(), api.routes.len()), ("Api", 1));
    assert_eq!(stack.functions[0].logical_id, "Hello");
    assert_eq!((stack.functions.len(), stack.apis.len()), (1, 1));
    assert_eq!(stack.name, "edge");
}

#[test]
fn an_export_that_no_stack_has_says_how_to_give_one() {
    let edge = edge("!ImportValue ApiHots", "a.example.com", OPTIMIZED, "");
    let alone = loaded(&[("edge.yml", edge.as_str())], &Options::default());
    problem(&alone, "--with TEMPLATE");
    let both = loaded(&[("edge.yml", edge.as_str()), ("with-api.yml", API)], &Options::default());
    problem(&both, "Did you mean \"ApiHost\"?");
}

#[test]
fn stacks_with_the_same_logical_ids_stay_apart() {
    let more = API.strip_prefix("Resources:\n").unwrap();
    let host = "!Sub '${Api}.execute-api.${AWS::Region}.amazonaws.com'";
    let first = edge(host, "a.example.com", OPTIMIZED, more);
    let second = edge(host, "b.example.com", OPTIMIZED, &more.replace("ApiHost", "Other"));
    let files = [("first.yml", first.as_str()), ("second.yml", second.as_str())];
    let stack = stack(loaded(&files, &Options::default()));
    let [a, b] = stack.distributions.as_slice() else { panic!() };
    assert_ne!((&a.id, &a.domain_name), (&b.id, &b.domain_name));
    assert_eq!([a.logical_id.as_str(), &b.logical_id], ["first-Edge", "second-Edge"]);
    let functions: Vec<_> = stack.functions.iter().map(|it| it.logical_id.as_str()).collect();
    assert_eq!(functions, ["first-Hello", "second-Hello"]);
    let names: Vec<_> = stack.apis.iter().map(|it| it.domain_name.as_str()).collect();
    assert_eq!(
        names,
        [
            "first-api.execute-api.us-east-1.amazonaws.com",
            "second-api.execute-api.us-east-1.amazonaws.com"
        ]
    );
    assert_eq!(a.origins[0].domain_name, names[0]);
    assert_eq!(b.origins[0].domain_name, names[1]);
}

#[test]
fn an_alias_belongs_to_one_distribution_of_all_files() {
    let one = edge("x.example.com", "a.example.com", OPTIMIZED, "");
    let files = [("one.yml", one.as_str()), ("two.yml", one.as_str())];
    problem(&loaded(&files, &Options::default()), "\"a.example.com\" is used twice");
}

#[test]
fn a_policy_of_another_stack_is_found() {
    let policy = "\
Resources:
  Short:
    Type: AWS::CloudFront::CachePolicy
    Properties:
      CachePolicyConfig:
        Name: short
        DefaultTTL: 5
        MaxTTL: 6
        MinTTL: 0
        ParametersInCacheKeyAndForwardedToOrigin:
          EnableAcceptEncodingGzip: false
          CookiesConfig: {CookieBehavior: none}
          HeadersConfig: {HeaderBehavior: none}
          QueryStringsConfig: {QueryStringBehavior: none}
Outputs:
  Short: {Value: !Ref Short, Export: {Name: ShortId}}
";
    let edge = edge("x.example.com", "a.example.com", "CachePolicyId: !ImportValue ShortId", "");
    let stack =
        stack(loaded(&[("e.yml", edge.as_str()), ("with-p.yml", policy)], &Options::default()));
    assert_eq!(stack.distributions[0].behaviors[0].cache_policy.name, "short");
}

#[test]
fn an_option_is_a_mistake_only_when_no_stack_knows_it() {
    let parameter = "Parameters: {Size: {Type: String}}\n";
    let first = edge("x.example.com", "a.example.com", OPTIMIZED, parameter);
    let second =
        edge("y.example.com", "b.example.com", OPTIMIZED, "").replace("Id: app", "Id: two");
    let second = second.replace("TargetOriginId: app", "TargetOriginId: two");
    let files = [("first.yml", first.as_str()), ("second.yml", second.as_str())];
    let options = |origin, size| Options {
        origins: pairs(&[(origin, "http://localhost:1")]),
        parameters: pairs(&[(size, "1")]),
        ..Options::default()
    };
    let stack = stack(loaded(&files, &options("two", "Size")));
    assert_eq!(stack.distributions[0].origins[0].target, Target::Dns);
    assert!(matches!(stack.distributions[1].origins[0].target, Target::Nodes(_)));
    let wrong = loaded(&files, &options("tow", "Szie"));
    problem(&wrong, "Did you mean \"two\"?");
    problem(&wrong, "Did you mean \"Size\"?");
    assert_eq!(wrong.diagnostics.len(), 2, "{}", warmfront_config::render_human(&wrong));
}

#[test]
fn files_without_a_distribution_are_nothing_to_serve() {
    let nothing = loaded(&[("a.yml", API), ("b.yml", API)], &Options::default());
    problem(&nothing, "nothing to serve");
    let helper = edge("x.example.com", "a.example.com", OPTIMIZED, "");
    let only_with = loaded(&[("a.yml", API), ("with-b.yml", &helper)], &Options::default());
    problem(&only_with, "nothing to serve");
}
