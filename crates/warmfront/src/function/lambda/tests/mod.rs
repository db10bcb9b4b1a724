//! Handlers on the real Node.js of this machine: a host to try them on, and what each test asks of it.

mod handlers;
mod python;
mod workers;

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use warmfront_core::function::{Code, Function, Runtime};

use super::*;

/// A host with its own directory, and everything it logged.
struct World {
    host: LambdaHost,
    directory: tempfile::TempDir,
    log: Arc<Mutex<Vec<FunctionLog>>>,
    changed: Arc<tokio::sync::Notify>,
}

impl World {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut HostOptions)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        let changed = Arc::new(tokio::sync::Notify::new());
        let mut options = HostOptions::in_directory(directory.path().join("state"));
        options.start_time = Duration::from_secs(30);
        options.log = Arc::new({
            let (log, changed) = (log.clone(), changed.clone());
            move |line| {
                log.lock().unwrap().push(line);
                changed.notify_one();
            }
        });
        change(&mut options);
        let host = LambdaHost::start(options).unwrap();
        Self { host, directory, log, changed }
    }

    fn write(&self, file: &str, text: &str) {
        let path = self.directory.path().join("code").join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn function(&self, handler: &str) -> Function {
        function(&self.directory.path().join("code"), handler)
    }

    /// A function of one file, `<name>.js`, in a directory without a package.json.
    fn script(&self, name: &str, text: &str) -> Arc<Function> {
        self.write(&format!("{name}.js"), text);
        Arc::new(Function { logical_id: name.into(), ..self.function(&format!("{name}.handler")) })
    }

    async fn call(&self, function: &Arc<Function>, event: Value) -> Result<Value, InvokeError> {
        self.call_as(function, event, "request-1").await
    }

    async fn call_as(
        &self,
        function: &Arc<Function>,
        event: Value,
        id: &str,
    ) -> Result<Value, InvokeError> {
        let answer = self.host.invoke(function, event.to_string().into(), id).await?;
        Ok(serde_json::from_slice(&answer).unwrap())
    }

    /// What went wrong, as the log tells it.
    async fn failure(&self, function: &Arc<Function>) -> String {
        self.call(function, json!({})).await.unwrap_err().to_string()
    }

    fn lines(&self, wanted: impl Fn(&FunctionLog) -> bool) -> Vec<String> {
        let log = self.log.lock().unwrap();
        log.iter().filter(|line| wanted(line)).map(|line| line.line.clone()).collect()
    }

    async fn logged(&self, text: &str) {
        let found = async {
            while self.lines(|line| line.line.contains(text)).is_empty() {
                self.changed.notified().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), found).await.expect(text);
    }
}

fn function(code: &Path, handler: &str) -> Function {
    Function {
        logical_id: "Hello".into(),
        name: "hello-dev".into(),
        runtime: Runtime::Node("nodejs20.x".into()),
        handler: handler.into(),
        code: Code::Directory(code.to_owned()),
        environment: vec![("TABLE".into(), "pets".into())],
        timeout: Duration::from_secs(20),
        memory_mib: 256,
        concurrency: None,
    }
}
