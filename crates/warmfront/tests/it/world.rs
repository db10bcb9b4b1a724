//! A small world for engine tests: a clock that stands still, an origin that follows a script, one distribution.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, Method, Response, StatusCode};
use http_body_util::BodyExt;
use warmfront::edge::EdgeOptions;
use warmfront::observe::Silent;
use warmfront::origin::BoxFuture;
use warmfront::{
    Body, Connector, Edge, Observer, OriginError, OriginRequest, OriginResponse, Viewer,
    ViewerRequest, VirtualClock,
};
use warmfront_core::PathPattern;
use warmfront_core::behavior::{AllowedMethods, Behavior, ViewerProtocolPolicy};
use warmfront_core::distribution::{Distribution, HttpVersion, Stack};
use warmfront_core::origin::{Failover, Origin, OriginKind, OriginProtocolPolicy, Scheme, Target};
use warmfront_core::policy::{
    CachePolicy, HeaderSelection, OriginRequestPolicy, Selection, TtlBounds,
};

/// What the scripted origin does with a request.
pub(crate) type Script =
    dyn Fn(OriginRequest) -> BoxFuture<'static, Result<OriginResponse, OriginError>> + Send + Sync;

/// An origin without sockets.
pub(crate) struct ScriptedOrigin(pub(crate) Box<Script>);

impl fmt::Debug for ScriptedOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ScriptedOrigin")
    }
}

impl Connector for ScriptedOrigin {
    fn send<'a>(
        &'a self,
        _: &'a Origin,
        _: Scheme,
        request: OriginRequest,
    ) -> BoxFuture<'a, Result<OriginResponse, OriginError>> {
        (self.0)(request)
    }
}

pub(crate) fn epoch() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

/// One distribution with one behavior, TTLs as given, query strings in the key.
pub(crate) fn stack(ttl: (u64, u64, u64)) -> Arc<Stack> {
    let origin = Origin {
        id: "app".into(),
        domain_name: "app.example.test".into(),
        path: String::new(),
        custom_headers: Vec::new(),
        kind: OriginKind::Custom {
            http_port: 80,
            https_port: 443,
            protocol_policy: OriginProtocolPolicy::HttpOnly,
        },
        connection_attempts: 3,
        connection_timeout: Duration::from_secs(10),
        read_timeout: Duration::from_secs(30),
        keepalive_timeout: Duration::from_secs(5),
        response_completion_timeout: None,
        target: Target::Dns,
        access_control: None,
        hides_missing: false,
    };
    let behavior = Behavior {
        path_pattern: PathPattern::any(),
        origin: 0,
        failover: None,
        viewer_protocol_policy: ViewerProtocolPolicy::AllowAll,
        allowed_methods: AllowedMethods::All,
        caches_options: false,
        cache_policy: CachePolicy {
            name: "test".into(),
            ttl: TtlBounds::new(ttl.0, ttl.1, ttl.2).unwrap(),
            headers: Vec::new(),
            cookies: Selection::None,
            query_strings: Selection::All,
            gzip: false,
            brotli: false,
            legacy: false,
        },
        origin_request_policy: OriginRequestPolicy {
            name: String::new(),
            headers: HeaderSelection::None,
            cookies: Selection::None,
            query_strings: Selection::None,
        },
        compress: false,
        response_headers_policy: None,
        trusted_keys: None,
        grpc: false,
        real_time_log: None,
        rules: Default::default(),
    };
    let distribution = Distribution {
        id: "E1234567890ABC".into(),
        logical_id: "Site".into(),
        domain_name: "d1234567890abc.cloudfront.net".into(),
        aliases: Vec::new(),
        enabled: true,
        default_root_object: None,
        origins: vec![Arc::new(origin)],
        behaviors: vec![Arc::new(behavior)],
        error_responses: Vec::new(),
        http_version: HttpVersion::Http2,
        geo_restriction: Default::default(),
        logging: None,
        role: Default::default(),
        continuous_deployment: None,
        cache_tag_header: None,
        cache_epoch: 0,
    };
    Arc::new(Stack { distributions: vec![Arc::new(distribution)], ..Stack::default() })
}

/// The same, with a spare origin at `spare.example.test` that is asked after a 503.
pub(crate) fn group(ttl: (u64, u64, u64)) -> Arc<Stack> {
    let mut stack = Arc::unwrap_or_clone(stack(ttl));
    let mut distribution = Distribution::clone(&stack.distributions[0]);
    let spare = Origin {
        id: "spare".into(),
        domain_name: "spare.example.test".into(),
        ..Origin::clone(&distribution.origins[0])
    };
    distribution.origins.push(Arc::new(spare));
    let failover = Failover { group: "both".into(), origin: 1, statuses: vec![503] };
    Arc::make_mut(&mut distribution.behaviors[0]).failover = Some(failover);
    stack.distributions = vec![Arc::new(distribution)];
    Arc::new(stack)
}

/// An edge on a clock that stands still.
pub(crate) fn edge(
    ttl: (u64, u64, u64),
    memory: u64,
    origin: ScriptedOrigin,
) -> (Edge, VirtualClock) {
    edge_of(stack(ttl), memory, origin)
}

/// The same for any stack.
pub(crate) fn edge_of(
    stack: Arc<Stack>,
    memory: u64,
    origin: ScriptedOrigin,
) -> (Edge, VirtualClock) {
    edge_watched(stack, memory, origin, Arc::new(Silent))
}

/// The same, and `observer` hears what happens.
pub(crate) fn edge_watched(
    stack: Arc<Stack>,
    memory: u64,
    origin: ScriptedOrigin,
    observer: Arc<dyn Observer>,
) -> (Edge, VirtualClock) {
    let clock = VirtualClock::starting_at(epoch());
    let mut options = EdgeOptions::new(stack, Arc::new(origin));
    options.clock = Arc::new(clock.clone());
    options.cache.memory = memory;
    options.observer = observer;
    // So that small worlds have long bodies.
    options.cache.fragment = 4 << 10;
    (Edge::new(options), clock)
}

pub(crate) fn request(method: Method, path: &str) -> ViewerRequest {
    let (head, ()) = http::Request::builder()
        .method(method)
        .uri(path)
        .header("host", "d1234567890abc.cloudfront.net")
        .body(())
        .unwrap()
        .into_parts();
    ViewerRequest {
        head,
        body: Body::empty(),
        viewer: Viewer {
            address: SocketAddr::from(([127, 0, 0, 1], 40_000)),
            scheme: Scheme::Http,
            local_ip: None,
            local_port: 8080,
            tls: None,
            interim: None,
        },
    }
}

pub(crate) fn get(path: &str) -> ViewerRequest {
    request(Method::GET, path)
}

/// A reply that was read to its end, or to where it broke.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    pub(crate) whole: bool,
}

impl Read {
    pub(crate) fn x_cache(&self) -> &str {
        self.headers["x-cache"].to_str().unwrap().trim_end_matches(" from cloudfront")
    }
}

pub(crate) async fn read(reply: Response<Body>) -> Read {
    let (head, mut body) = reply.into_parts();
    let mut bytes = Vec::new();
    let whole = loop {
        match body.frame().await {
            None => break true,
            Some(Err(_)) => break false,
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    bytes.extend_from_slice(&data);
                }
            }
        }
    };
    Read { status: head.status, headers: head.headers, body: bytes, whole }
}

/// An origin's answer with a body in the given pieces.
pub(crate) fn answer(
    status: u16,
    headers: &[(&'static str, String)],
    body: Body,
) -> Result<OriginResponse, OriginError> {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, value);
    }
    let (head, body) = response.body(body).unwrap().into_parts();
    Ok(OriginResponse { head, body })
}

/// A body that comes in pieces, lets others run in between, and may break.
pub(crate) struct Pieces {
    pub(crate) pieces: Vec<Bytes>,
    pub(crate) length: Option<u64>,
    pub(crate) breaks: bool,
    pub(crate) rested: bool,
}

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = warmfront::BodyError;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
        use std::task::Poll;
        self.rested = !self.rested;
        if self.rested {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if self.pieces.is_empty() {
            let broken =
                self.breaks.then(|| Err(warmfront::BodyError::Cut("cut by the script".into())));
            return Poll::Ready(broken);
        }
        Poll::Ready(Some(Ok(http_body::Frame::data(self.pieces.remove(0)))))
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.length.map_or_else(Default::default, http_body::SizeHint::with_exact)
    }
}
