//! A response of the origin, passed on to one viewer without being stored; or its 101, after which the
//! two connections are one tunnel.

use warmfront_core::Behavior;
use warmfront_core::caching::vary::viewer_vary;
use warmfront_core::http::upgrade::{Protocol, announce};

use super::{Answer, Made, result, result_for};
use crate::origin::OriginResponse;
use crate::request::Reply;
use crate::tunnel::Tunnel;

/// Among a response's extensions: it is what the viewer gets in place of an error.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ErrorPageMark;

/// `response` has the headers of [`warmfront_core::http::storable_head`] taken off already.
pub(crate) fn relayed(behavior: &Behavior, response: OriginResponse) -> Answer {
    let OriginResponse { mut head, body } = response;
    viewer_vary(behavior, &mut head.headers);
    let is_page = head.extensions.remove::<ErrorPageMark>().is_some();
    let (result, detailed_result) = match is_page {
        true => (result::ERROR, result::ERROR),
        false => result_for(head.status, result::MISS),
    };
    let made = if is_page { Made::Finally } else { Made::Replaceable };
    let mut reply = Reply::new(body);
    *reply.status_mut() = head.status;
    *reply.headers_mut() = head.headers;
    Answer { reply, result, detailed_result, made }
}

/// The connection becomes `protocol`; `tunnel` begins once the reply is written.
pub(crate) fn switched(
    behavior: &Behavior,
    response: OriginResponse,
    protocol: Protocol,
    tunnel: Tunnel,
) -> Answer {
    let mut answer = relayed(behavior, response);
    announce(answer.reply.headers_mut(), protocol);
    answer.reply.extensions_mut().insert(tunnel);
    answer
}
