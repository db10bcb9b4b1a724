//! What a handler finds in its environment: a list, never the edge's own environment.

use std::ffi::OsString;
use std::path::Path;

use warmfront_core::function::Function;

/// The version of every function here.
pub(crate) const VERSION: &str = "$LATEST";

/// Facts about the account that the edge plays.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    pub(crate) region: String,
    pub(crate) id: String,
}

/// The ARN of a function.
pub(crate) fn arn(function: &Function, account: &Account) -> String {
    format!("arn:aws:lambda:{}:{}:function:{}", account.region, account.id, function.name)
}

/// `/aws/lambda/<name>`.
pub(crate) fn log_group(function: &Function) -> String {
    format!("/aws/lambda/{}", function.name)
}

/// The environment of one worker.
///
/// Lambda guide, "defined runtime environment variables". Credentials and `AWS_ENDPOINT_URL` pass only if
/// the function itself sets them; `HOME` does not pass at all, as on Lambda.
pub(crate) fn environment(
    function: &Function,
    root: &Path,
    runtime_directory: &Path,
    account: &Account,
    log_stream: &str,
    path: Option<OsString>,
) -> Vec<(OsString, OsString)> {
    let mut variables: Vec<(OsString, OsString)> = Vec::new();
    let mut set = |name: &str, value: OsString| {
        variables.retain(|(existing, _)| existing != name);
        variables.push((name.into(), value));
    };
    // Defaults that a function may override.
    if let Some(path) = path {
        set("PATH", path);
    }
    set("LANG", "en_US.UTF-8".into());
    set("TZ", ":UTC".into());
    set("AWS_REGION", account.region.clone().into());
    set("AWS_DEFAULT_REGION", account.region.clone().into());
    for (name, value) in &function.environment {
        set(name, value.into());
    }
    // Reserved on Lambda.
    let runtime = function.runtime.as_written();
    set("_HANDLER", function.handler.clone().into());
    set("LAMBDA_TASK_ROOT", root.into());
    set("LAMBDA_RUNTIME_DIR", runtime_directory.into());
    set("AWS_EXECUTION_ENV", format!("AWS_Lambda_{runtime}").into());
    set("AWS_LAMBDA_FUNCTION_NAME", function.name.clone().into());
    set("AWS_LAMBDA_FUNCTION_VERSION", VERSION.into());
    set("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", function.memory_mib.to_string().into());
    set("AWS_LAMBDA_LOG_GROUP_NAME", log_group(function).into());
    set("AWS_LAMBDA_LOG_STREAM_NAME", log_stream.into());
    set("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".into());
    variables
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use warmfront_core::function::{Code, Runtime};

    #[test]
    fn a_function_sets_its_own_variables_but_not_the_reserved_ones() {
        let own = [
            ("TABLE", "pets", "pets"),
            ("TZ", "Europe/Berlin", "Europe/Berlin"),
            ("AWS_REGION", "eu-west-1", "eu-west-1"),
            ("AWS_SECRET_ACCESS_KEY", "mine", "mine"),
            ("AWS_LAMBDA_FUNCTION_NAME", "other", "hello"),
            ("_HANDLER", "other", "index.handler"),
        ];
        let function = Function {
            logical_id: "Hello".into(),
            name: "hello".into(),
            runtime: Runtime::Node("nodejs20.x".into()),
            handler: "index.handler".into(),
            code: Code::Directory("/srv".into()),
            environment: own.iter().map(|row| (row.0.into(), row.1.into())).collect(),
            timeout: Duration::from_secs(3),
            memory_mib: 128,
            concurrency: None,
        };
        let account = Account { region: "us-east-1".into(), id: "000000000000".into() };
        let path = Some("/usr/bin".into());
        let got = environment(&function, "/srv".as_ref(), "/run".as_ref(), &account, "s", path);
        for (name, _, expected) in own {
            let values: Vec<_> = got.iter().filter(|(key, _)| key == name).map(|v| &v.1).collect();
            assert_eq!(values, [expected], "{name}");
        }
        assert!(!got.iter().any(|(name, _)| name == "HOME"));
    }
}
