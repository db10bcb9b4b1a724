//! The keys of `serverless.yml` that version 3 of the framework knows, and a word about any other.
//!
//! What becomes of a known key is told where it is read. Plugins bring keys of their own, so an
//! unknown one is no error; but nobody reads it here, and that is said (DESIGN §1: honesty rule).

use crate::diagnostic::{Diagnostic, Problems};
use crate::document::{Node, quote};
use crate::suggest::{listed, nearest};
use crate::template::join;

/// Warns of every key of `map` that is not `known`.
pub(super) fn warn_of_unknown(
    map: &Node,
    known: &'static [&'static str],
    path: &str,
    problems: &Problems,
) {
    for entry in map.as_map().unwrap_or_default() {
        let key = entry.key.as_str();
        if known.contains(&key) {
            continue;
        }
        let (meant, help) = match nearest(key, known.iter().copied()) {
            Some(near) => (format!(" Did you mean \"{near}\"?"), None),
            None => {
                let known = listed(known.iter().copied());
                let help = format!("known here: {known}; if a plugin reads it: plugins do not run");
                (String::new(), Some(help))
            }
        };
        let message = format!("{} is not read.{meant}", quote(key));
        let warning = Diagnostic::warning(entry.place.clone(), join(path, key), message);
        problems.add(warning.maybe_help(help));
    }
}

/// The sections of a service.
pub(super) const SECTIONS: [&str; 22] = [
    "service",
    "frameworkVersion",
    "provider",
    "functions",
    "resources",
    "custom",
    "params",
    "plugins",
    "layers",
    "package",
    "useDotenv",
    "app",
    "org",
    "configValidationMode",
    "console",
    "dashboard",
    "deprecationNotificationMode",
    "disabledDeprecations",
    "enableLocalInstallationFallback",
    "projectDir",
    "unresolvedVariablesNotificationMode",
    "variablesResolutionMode",
];

/// The keys of `provider`, with those of version 2 that version 3 only warns of.
pub(super) const PROVIDER: [&str; 57] = [
    "name",
    "stage",
    "region",
    "runtime",
    "memorySize",
    "timeout",
    "environment",
    "httpApi",
    "layers",
    "vpc",
    "tracing",
    "alb",
    "apiGateway",
    "apiKeys",
    "apiName",
    "architecture",
    "cfnRole",
    "cloudFront",
    "cloudFormation",
    "deploymentBucket",
    "deploymentMethod",
    "deploymentPrefix",
    "disableDefaultOutputExportNames",
    "disableRollback",
    "ecr",
    "endpointType",
    "eventBridge",
    "iam",
    "iamManagedPolicies",
    "iamRoleStatements",
    "kinesis",
    "kmsKeyArn",
    "lambdaHashingVersion",
    "logDataProtectionPolicy",
    "logRetentionInDays",
    "logs",
    "minimumCompressionSize",
    "notificationArns",
    "profile",
    "resourcePolicy",
    "role",
    "rolePermissionsBoundary",
    "rollbackConfiguration",
    "runtimeManagement",
    "s3",
    "stackName",
    "stackParameters",
    "stackPolicy",
    "stackTags",
    "tags",
    "usagePlan",
    "versionFunctions",
    "vpcEndpointIds",
    "websocket",
    "websocketsApiName",
    "websocketsApiRouteSelectionExpression",
    "websocketsDescription",
];

/// The keys of a function.
pub(super) const FUNCTION: [&str; 36] = [
    "handler",
    "events",
    "url",
    "name",
    "runtime",
    "memorySize",
    "timeout",
    "environment",
    "httpApi",
    "reservedConcurrency",
    "architecture",
    "awsKmsKeyArn",
    "condition",
    "dependsOn",
    "description",
    "destinations",
    "disableLogs",
    "ephemeralStorageSize",
    "fileSystemConfig",
    "image",
    "kmsKeyArn",
    "layers",
    "logDataProtectionPolicy",
    "logRetentionInDays",
    "maximumEventAge",
    "maximumRetryAttempts",
    "onError",
    "package",
    "provisionedConcurrency",
    "role",
    "runtimeManagement",
    "snapStart",
    "tags",
    "tracing",
    "versionFunction",
    "vpc",
];

/// The events of a function.
pub(super) const EVENTS: [&str; 22] = [
    "httpApi",
    "http",
    "activemq",
    "alb",
    "alexaSkill",
    "alexaSmartHome",
    "cloudFront",
    "cloudwatchEvent",
    "cloudwatchLog",
    "cognitoUserPool",
    "eventBridge",
    "iot",
    "iotFleetProvisioning",
    "kafka",
    "msk",
    "rabbitmq",
    "s3",
    "schedule",
    "sns",
    "sqs",
    "stream",
    "websocket",
];
