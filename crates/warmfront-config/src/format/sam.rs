//! AWS SAM (`Transform: AWS::Serverless-2016-10-31`): CloudFormation with shorthands of its own.
//!
//! The shorthands, `AWS::Serverless::…`, are not expanded: their functions and APIs do not run here yet,
//! and the report lists them. All else in such a template is plain CloudFormation and is read as that.
//! Here are only the resources that SAM adds under names which templates use, so that an origin behind
//! one of them is told from a slip.

use std::collections::HashSet;

use crate::document::Node;
use crate::template::Resource;

/// Whether a `Transform` mentions SAM.
pub(crate) fn is_sam(transform: &Node) -> bool {
    let mentions =
        |node: &Node| node.as_text().is_some_and(|text| text.starts_with("AWS::Serverless-"));
    mentions(transform) || transform.as_list().unwrap_or_default().iter().any(mentions)
}

/// The APIs, function URLs, versions and roles that SAM makes beside `resources`.
pub(crate) fn implied(resources: &[Resource]) -> Vec<Resource> {
    let mut implied = Vec::new();
    for function in resources.iter().filter(|it| it.kind == FUNCTION) {
        for event in function.property("Events").and_then(Node::as_map).unwrap_or_default() {
            let names_api =
                |key| event.value.get("Properties").is_some_and(|it| it.get(key).is_some());
            match event.value.get("Type").and_then(Node::as_text) {
                Some("Api") if !names_api("RestApiId") => {
                    implied.push(named("ServerlessRestApi", "AWS::Serverless::Api", function));
                }
                Some("HttpApi") if !names_api("ApiId") => {
                    implied.push(named("ServerlessHttpApi", "AWS::Serverless::HttpApi", function));
                }
                _ => {}
            }
        }
        if function.property("FunctionUrlConfig").is_some() {
            implied.push(named(&format!("{}Url", function.id), URL, function));
        }
        implied.push(named(&format!("{}Role", function.id), "AWS::IAM::Role", function));
        // `!Ref Hello.Version`, of a function with AutoPublishAlias.
        for word in ["Alias", "Version"] {
            implied.push(named(&format!("{}.{word}", function.id), VERSION, function));
        }
    }
    let mut known: HashSet<String> = resources.iter().map(|it| it.id.clone()).collect();
    implied.retain(|resource| known.insert(resource.id.clone()));
    implied
}

/// A resource that SAM writes out for `function`.
fn named(id: &str, kind: &str, function: &Resource) -> Resource {
    Resource {
        id: id.to_owned(),
        kind: kind.to_owned(),
        properties: Node::map([], function.place.clone()),
        depends_on: None,
        is_generated: true,
        ..function.clone()
    }
}

pub(crate) const FUNCTION: &str = "AWS::Serverless::Function";
pub(crate) const URL: &str = "AWS::Serverless::FunctionUrl";
pub(crate) const VERSION: &str = "AWS::Serverless::FunctionVersion";
