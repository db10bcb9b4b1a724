//! One request under way: its id, its time, the configuration it started with, and what is told at the end.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::header::{HOST, REFERER, USER_AGENT};
use warmfront_core::{Distribution, Stack};

use crate::edge::Shared;
use crate::observe::{AccessRecord, Delivery};
use crate::request::{Reply, ViewerRequest};
use crate::request_id::RequestId;
use crate::respond::Answer;

/// What every stage of a request may ask.
pub(crate) struct Exchange {
    pub(crate) id: RequestId,
    pub(crate) shared: Arc<Shared>,
    /// The configuration of this request: a reload in between does not touch it.
    pub(crate) stack: Arc<Stack>,
    pub(crate) wall: SystemTime,
    pub(crate) started: Duration,
    record: AccessRecord,
}

impl Exchange {
    pub(crate) fn begin(shared: &Arc<Shared>, request: &ViewerRequest) -> Self {
        let id = RequestId::random();
        let wall = shared.clock.wall();
        let head = &request.head;
        Self {
            id,
            shared: shared.clone(),
            stack: shared.stack.load_full(),
            wall,
            started: shared.clock.monotonic(),
            record: AccessRecord {
                request_id: id,
                received: wall,
                viewer: request.viewer.address,
                scheme: request.viewer.scheme,
                tls: request.viewer.tls.clone(),
                version: head.version,
                method: head.method.clone(),
                uri: head.uri.clone(),
                host: head.headers.get(HOST).cloned(),
                referer: head.headers.get(REFERER).cloned(),
                user_agent: head.headers.get(USER_AGENT).cloned(),
                distribution: None,
                status: 0,
                result: "Error",
                detailed_result: "Error",
                body_bytes: 0,
                time_to_first_byte: Duration::ZERO,
                time_taken: Duration::ZERO,
                complete: false,
                failure: None,
            },
        }
    }

    /// The distribution that answers, for the log.
    pub(crate) fn found(&mut self, distribution: &Arc<Distribution>) {
        self.record.distribution = Some(distribution.clone());
    }

    /// Adds the headers that every reply carries, and reports the request once its body is delivered.
    pub(crate) fn finish(self, answer: Answer) -> Reply {
        let Self { id, shared, mut record, started, wall, .. } = self;
        let Answer { mut reply, result, detailed_result } = answer;
        crate::respond::sign(reply.headers_mut(), &shared, &id, result, wall);
        record.status = reply.status().as_u16();
        record.result = result;
        record.detailed_result = detailed_result;
        record.time_to_first_byte = shared.clock.monotonic().saturating_sub(started);
        let delivery = Box::new(Delivery::new(record, shared, started));
        reply.map(|body| body.reporting_to(delivery))
    }
}
