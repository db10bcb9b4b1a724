//! The address to try first: one that something answers.

use std::net::SocketAddr;

use http::Method;
use warmfront_core::origin::Target;
use warmfront_core::{Distribution, Stack};

/// A URL of the first distribution that has a path to show, else the root of the first that is enabled.
pub(super) fn url(stack: &Stack, scheme: &str, address: SocketAddr) -> String {
    let mut enabled = stack.distributions.iter().filter(|distribution| distribution.enabled);
    let shown = enabled.clone().find_map(|distribution| Some((distribution, path(distribution)?)));
    let (host, path) = match shown.or_else(|| enabled.next().map(|first| (first, "/".to_owned()))) {
        Some((distribution, path)) => (super::local_name(stack, distribution), path),
        None => ("localhost".to_owned(), "/".to_owned()),
    };
    let root = super::url(scheme, &host, address);
    format!("{}{path}", root.trim_end_matches('/'))
}

/// The first literal path that a GET takes through the default behavior to a local API.
fn path(distribution: &Distribution) -> Option<String> {
    let default = distribution.behaviors.last()?;
    let origin = distribution.origins.get(default.origin)?;
    let Target::Api(api) = &origin.target else { return None };
    let literal = api.routes.iter().filter(|route| is_literal(&route.path));
    literal.filter_map(|route| Some((route, api.public_path(route)?))).find_map(
        |(route, public)| {
            // The origin's path stands before the viewer's on the way to the API.
            let path = public.strip_prefix(origin.path.as_str())?;
            let is_default = || {
                let mut behaviors = distribution.behaviors.iter();
                let first = behaviors.position(|behavior| behavior.path_pattern.matches(path));
                first == Some(distribution.behaviors.len() - 1)
            };
            let stays = path != "/" || distribution.default_root_object.is_none();
            let answers = api.route(&Method::GET, &public).ok()?.route;
            let reached =
                path.starts_with('/') && stays && is_default() && answers.path == route.path;
            reached.then(|| path.to_owned())
        },
    )
}

/// No variable, no `$default`, and nothing that a shell or a URL would take for something else.
fn is_literal(path: &str) -> bool {
    path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Distributions in front of one API with `routes`, compiled from a source as a user writes it.
    #[track_caller]
    fn check(routes: &[&str], change: (&str, &str), expected: &str) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("serverless.yml");
        let events: String = routes.iter().map(|key| format!("      - httpApi: {key}\n")).collect();
        let text = SOURCE.replace("EVENTS", events.trim_end()).replace(change.0, change.1);
        std::fs::write(&path, text).unwrap();
        let mut loaded = warmfront_config::load(&path, &Default::default()).unwrap();
        let said = warmfront_config::render_human(&loaded);
        let stack = loaded.stack.take().expect(&said);
        assert_eq!(url(&stack, "https", "127.0.0.1:8443".parse().unwrap()), expected, "{routes:?}");
    }

    const SOURCE: &str = r#"service: trial
frameworkVersion: "3"
provider: { name: aws, runtime: nodejs20.x, region: us-east-1 }
functions:
  hello:
    handler: src/handler.hello
    events:
EVENTS
resources:
  Resources:
    Edge:
      Type: AWS::CloudFront::Distribution
      Properties:
        DistributionConfig:
          Enabled: true
          Origins:
            - Id: api
              DomainName: !Sub ${HttpApi}.execute-api.${AWS::Region}.amazonaws.com
              CustomOriginConfig: { OriginProtocolPolicy: https-only }
          DefaultCacheBehavior:
            TargetOriginId: api
            ViewerProtocolPolicy: https-only
            CachePolicyId: 4135ea2d-6df8-44a3-9df3-4b5a84be39ad
"#;
    const SAME: (&str, &str) = ("", "");

    #[test]
    fn the_address_to_try_is_one_that_a_get_reaches() {
        check(&["GET /hello"], SAME, "https://localhost:8443/hello");
        check(&["POST /a", "GET /b/{id}", "ANY /c"], SAME, "https://localhost:8443/c");
        check(&["POST /a", "GET /{any+}"], SAME, "https://localhost:8443/");
        let under = ("- Id: api", "- Id: api\n              OriginPath: /v1");
        check(&["GET /other", "GET /v1/hello"], under, "https://localhost:8443/hello");
    }

    #[test]
    fn of_several_distributions_one_is_called_by_its_own_name() {
        let first = SOURCE.split("    Edge:").nth(1).unwrap();
        let off = first.replace("Enabled: true", "Enabled: false");
        let second = format!("    Off:{off}    Edge:");
        check(&["GET /hello"], ("    Edge:", &second), "https://edge.localhost:8443/hello");
    }
}
