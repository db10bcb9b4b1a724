//! The walk of a request. This is the only file that knows the order.

use crate::edge::Edge;
use crate::request::{Reply, ViewerRequest};

pub(crate) async fn serve(edge: &Edge, request: ViewerRequest) -> Reply {
    let _ = (edge, request);
    Reply::default()
}
