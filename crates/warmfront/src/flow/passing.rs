//! What only passes through, to one viewer: gRPC calls, and connections that leave HTTP.
//!
//! None is ever cached or shared. When they begin is the flow's decision.

use http::{StatusCode, Version};
use warmfront_core::http::upgrade::{self, Protocol};

use super::Route;
use crate::body::Body;
use crate::request::IdleLimit;
use crate::respond::{self, Answer};
use crate::tunnel::{Handover, Tunnel};

impl Route<'_> {
    /// A gRPC call: over HTTP/2 to the origin, streaming both ways at once, as long as something moves
    /// within the origin's read time-out. What the edge itself has to say it says as an HTTP status.
    pub(super) async fn answer_call(&self, body: Body) -> Answer {
        if let Some(limit) = self.head.extensions.get::<IdleLimit>() {
            limit.lift();
        }
        let mut origination = self.origination(self.exchange.asks().clone(), true);
        origination.primary.version = Version::HTTP_2;
        match origination.pass(body).await.result {
            Ok(response) => respond::relayed(self.behavior, response).carrying("grpcs"),
            Err(error) => self.failed(error.status(), error.detailed_result()).carrying("grpcs"),
        }
    }

    /// A request to leave HTTP: never cached, never shared. The origin decides; without its 101 the
    /// answer is an ordinary one, and the connection goes on with HTTP.
    pub(super) async fn answer_by_tunnel(&self, protocol: Protocol, viewer: Handover) -> Answer {
        let mut origination = self.origination(self.exchange.asks().clone(), false);
        for asking in origination.askings_mut() {
            if !asking.origin.may_leave_http() {
                continue;
            }
            if let Some(why) = upgrade::missing(&asking.headers, &self.head.headers) {
                let message = format!("the viewer asked for a WebSocket, and {why}");
                self.exchange.shared().observer.note(self.exchange.id().as_str(), &message);
            }
            upgrade::announce(&mut asking.headers, protocol);
        }
        let answered = origination.pass(Body::empty()).await;
        let mut response = match answered.result {
            Ok(response) => response,
            Err(error) => return self.failed(error.status(), error.detailed_result()),
        };
        if response.head.status != StatusCode::SWITCHING_PROTOCOLS {
            return respond::relayed(self.behavior, response);
        }
        match Handover::take_from(&mut response.head.extensions) {
            Some(origin) => {
                let origin_id = answered.by.origin.id.clone();
                let tunnel = Tunnel { viewer, origin, origin_id };
                respond::switched(self.behavior, response, protocol, tunnel)
            }
            // Only a connector of an application can do that.
            None => self.failed(502, "OriginInvalidResponseError"),
        }
    }
}
