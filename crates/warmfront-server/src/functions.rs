//! The source's own Lambda functions, as the engine's local APIs.
//!
//! Holds the host that runs them for as long as the program serves, and follows reloads: every function
//! gets new workers, because its code may have changed where the source did not; a removed one is let go. Code
//! that does not load changes nothing: the workers of the version before go on answering.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use warmfront::function::{
    FunctionLog, HostOptions, LambdaHost, NodeRuntime, PythonRuntime, call_api,
};
use warmfront::origin::{BoxFuture, LocalApis, OriginRequest, OriginResponse};
use warmfront::{Clock, OriginError};
use warmfront_core::Stack;
use warmfront_core::api::Api;
use warmfront_core::function::Runtime;

/// Takes what functions print.
pub(crate) type FunctionLogs = Arc<dyn Fn(FunctionLog) + Send + Sync>;

/// The functions of the source that is being served. Clones are the same functions.
#[derive(Debug, Clone)]
pub(crate) struct LocalFunctions {
    shared: Arc<Shared>,
}

struct Shared {
    directory: PathBuf,
    clock: Arc<dyn Clock>,
    logs: FunctionLogs,
    serving: ArcSwap<Stack>,
    /// Started with the first source that has functions.
    host: Mutex<Option<Result<LambdaHost, String>>>,
}

impl LocalFunctions {
    /// Starts workers for the functions that `stack`'s APIs call. `directory` takes the host's files.
    pub(crate) fn start(
        stack: Arc<Stack>,
        directory: PathBuf,
        clock: Arc<dyn Clock>,
        logs: FunctionLogs,
    ) -> Self {
        let serving = ArcSwap::new(stack.clone());
        let shared = Shared { directory, clock, logs, serving, host: Mutex::new(None) };
        let functions = Self { shared: Arc::new(shared) };
        functions.prewarm(&stack);
        functions
    }

    /// What answers requests for [`warmfront_core::origin::Target::Api`].
    pub(crate) fn apis(&self) -> Arc<dyn LocalApis> {
        self.shared.clone()
    }

    /// What runs the functions of the source, or why it cannot: one entry for each language that they
    /// are written in, none when no function is called.
    pub(crate) fn runtimes(&self) -> Vec<Result<String, String>> {
        let stack = self.shared.serving.load();
        let any = |is: fn(&Runtime) -> bool| stack.functions.iter().any(|it| is(&it.runtime));
        let mut found = Vec::new();
        if any(|runtime| matches!(runtime, Runtime::Node(_))) {
            found.push(match NodeRuntime::find() {
                Ok(node) => Ok(format!("Node.js {} ({})", node.version, node.path.display())),
                Err(reason) => Err(reason.to_string()),
            });
        }
        if any(|runtime| matches!(runtime, Runtime::Python(_))) {
            found.push(match PythonRuntime::find() {
                Ok(python) => Ok(format!("Python {} ({})", python.version, python.path.display())),
                Err(reason) => Err(reason.to_string()),
            });
        }
        match self.shared.host(&stack) {
            Err(reason) if !found.is_empty() => vec![Err(reason)],
            _ => found,
        }
    }

    /// Runs the functions of `stack` from now on. Invocations under way finish on the old code.
    pub(crate) fn swap(&self, stack: Arc<Stack>) {
        let old = self.shared.serving.swap(stack.clone());
        if let Some(Ok(host)) = &*self.shared.lock() {
            for old in &old.functions {
                match stack.functions.iter().find(|new| new.logical_id == old.logical_id) {
                    // Its code may have changed where the source did not.
                    Some(new) if **new == **old => host.replace(new),
                    // One that was rewritten gets its new workers from `prewarm`.
                    Some(_) => {}
                    None => host.retire(old),
                }
            }
        }
        self.prewarm(&stack);
    }

    /// Ends all workers at once, and waits until they are gone.
    pub(crate) fn stop(&self) {
        let host = self.shared.lock().take();
        if let Some(Ok(host)) = host {
            host.shutdown();
        }
    }

    fn prewarm(&self, stack: &Stack) {
        for function in &stack.functions {
            if let Ok(host) = self.shared.host(stack) {
                host.prewarm(function);
            }
        }
    }
}

impl Shared {
    /// The host, started when it is first needed.
    fn host(&self, stack: &Stack) -> Result<LambdaHost, String> {
        let start = || {
            let mut options = HostOptions::in_directory(&self.directory);
            options.region.clone_from(&stack.region);
            options.account.clone_from(&stack.account);
            options.log = self.logs.clone();
            LambdaHost::start(options)
                .map_err(|error| format!("{} cannot be used: {error}", self.directory.display()))
        };
        self.lock().get_or_insert_with(start).clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Result<LambdaHost, String>>> {
        self.host.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LocalFunctions").field("directory", &self.directory).finish_non_exhaustive()
    }
}

impl LocalApis for Shared {
    fn call<'a>(
        &'a self,
        api: &'a Arc<Api>,
        request: OriginRequest,
    ) -> BoxFuture<'a, Result<OriginResponse, OriginError>> {
        Box::pin(async move {
            let host = self.host(&self.serving.load()).map_err(|reason| {
                OriginError::Unavailable { origin: api.logical_id.clone(), reason }
            })?;
            call_api(&host, api, request, &*self.clock).await
        })
    }
}
