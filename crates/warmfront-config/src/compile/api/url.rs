//! `AWS::Lambda::Url`: an API of one route.

use warmfront_core::api::{Api, ApiKind, DEFAULT_STAGE, Payload, Route};

use crate::compile::Compiler;
use crate::report::Status;
use crate::template::Resource;

impl Compiler<'_> {
    pub(super) fn function_url(&self, resource: &Resource) -> Api {
        self.list_properties(
            resource,
            &["AuthType", "Cors", "InvokeMode", "Qualifier", "TargetFunctionArn"],
        );
        let path = resource.property_path("TargetFunctionArn");
        let target =
            resource.property("TargetFunctionArn").map(|node| self.evaluator.evaluate(node, &path));
        let answer = target.and_then(|it| self.function_of_uri(&it, &path, Payload::V2));
        let inert = |property: &str, value: &str, reason: &str| {
            let is_set = self.text_property(resource, property).as_deref() == Some(value);
            if let Some(entry) = resource.properties.entry(property).filter(|_| is_set) {
                let status = Status::Inert(reason.to_owned());
                self.ledger.note(&entry.place, &resource.property_path(property), status);
            }
        };
        inert(
            "AuthType",
            "AWS_IAM",
            "the function is reached through this edge alone and asks for no signature; on AWS a request that no origin access control signs gets 403",
        );
        inert(
            "InvokeMode",
            "RESPONSE_STREAM",
            "answers are not streamed: the whole answer is awaited, then passed on; awslambda.streamifyResponse is not there",
        );
        let route =
            answer.map(|answer| Route { method: None, path: "$default".to_owned(), answer });
        Api {
            logical_id: self.evaluator.names.unique(&resource.id),
            domain_name: self.evaluator.names.function_url_domain(&resource.id),
            kind: ApiKind::Url,
            stages: vec![DEFAULT_STAGE.to_owned()],
            binary_media_types: Vec::new(),
            cors: self.api_cors(resource, "Cors"),
            routes: route.into_iter().collect(),
        }
    }
}
