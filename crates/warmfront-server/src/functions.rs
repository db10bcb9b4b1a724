//! The source's own Lambda functions, as the engine's local HTTP APIs.

use std::sync::Arc;

use warmfront::Clock;
use warmfront::origin::LocalApis;
use warmfront_core::Stack;

use crate::observe::Sink;

#[derive(Debug)]
pub(crate) struct LocalFunctions;

impl LocalFunctions {
    pub(crate) fn start(_stack: &Arc<Stack>, _clock: Arc<dyn Clock>, _notes: Sink) -> Self {
        Self
    }
    pub(crate) fn apis(&self) -> Option<Arc<dyn LocalApis>> {
        None
    }
    pub(crate) fn runtime(&self) -> Option<Result<String, String>> {
        None
    }
    pub(crate) fn swap(&self, _stack: &Arc<Stack>) -> Result<(), String> {
        Ok(())
    }
    pub(crate) async fn stop(&self) {}
}
