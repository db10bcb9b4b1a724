//! The edge under a case: the source compiled, the engine on a virtual clock, no sockets toward viewers.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use clap::Parser;
use http::header::{CONTENT_LENGTH, HeaderValue, TRANSFER_ENCODING, UPGRADE};
use http_body::{Frame, SizeHint};
use warmfront::cache::Purges;
use warmfront::{
    Access, Body, BodyError, Clock as _, Edge, Handover, Handshake, TlsInfo, Viewer, ViewerRequest,
    VirtualClock,
};
use warmfront_case::{
    BoxError, BoxFuture, CaseBody, OpenError, Opener, Purge, Reply, ReplyBody, Scheme, SendError,
    Source, Target, Via,
};
use warmfront_core::Stack;
use warmfront_core::origin;

use crate::cli::SourceArgs;
use crate::credentials::Credentials;
use crate::engine::{Engine, Setup, beginning};
use crate::functions::LocalFunctions;
use crate::geography;
use crate::purge::Order;
use crate::source::options;

/// Memory for stored responses while a case runs.
const CACHE: u64 = 64 << 20;

/// Opens sources in this process.
#[derive(Debug)]
pub(crate) struct InProcess<'a> {
    args: &'a SourceArgs,
}

impl<'a> InProcess<'a> {
    /// With what the command line says beside the cases' own options.
    pub(crate) fn new(args: &'a SourceArgs) -> Self {
        Self { args }
    }

    fn load(
        &self,
        source: &Source,
        words: &[String],
        origins: &[(String, SocketAddr)],
        scratch: &Path,
    ) -> Result<(Stack, Access, bool), OpenError> {
        let mut all = options(self.args);
        // A case signs with the example's key, never with one of whoever runs it.
        all.can_sign = true;
        let own = Words::try_parse_from(words).map_err(|error| {
            OpenError(format!("its options are not understood: {}", error.to_string().trim_end()))
        })?;
        let explain = own.explain;
        let geo = if geography::knows_countries(&own.from) { &own.from } else { self.args };
        let mut access = geography::access(geo).map_err(|error| OpenError(error.to_string()))?;
        access.believes_country_header = own.from.geo_header || self.args.geo_header;
        // What a case says of its profile is part of what it expects.
        all.rules = own.from.profile.or(self.args.profile).unwrap_or_default().rules();
        all.rules.honors_viewer =
            own.from.honor_viewer_cache_control || self.args.honor_viewer_cache_control;
        let own = options(&own.from);
        all.knows_countries |= own.knows_countries;
        all.parameters.extend(own.parameters);
        all.attributes.extend(own.attributes);
        all.opts.extend(own.opts);
        all.function_env.extend(own.function_env);
        all.function_concurrency.extend(own.function_concurrency);
        all.allow_unprotected.extend(own.allow_unprotected);
        all.with.extend(own.with);
        all.stage = own.stage.or(all.stage);
        all.strict |= own.strict;
        all.origins.extend(own.origins);
        all.origins.extend(
            origins.iter().map(|(name, address)| (name.clone(), format!("http://{address}"))),
        );
        let path = match source {
            Source::File(path) => path.clone(),
            Source::Inline { text, .. } => {
                let path = scratch.join("distribution.yml");
                std::fs::write(&path, text)
                    .map_err(|error| OpenError(format!("{}: {error}", path.display())))?;
                path
            }
        };
        let mut loaded =
            warmfront_config::load(&path, &all).map_err(|error| OpenError(error.to_string()))?;
        match loaded.stack.take() {
            Some(stack) if !loaded.has_errors() => Ok((stack, access, explain)),
            _ => Err(OpenError(format!(
                "it has errors\n{}",
                warmfront_config::render_human(&loaded)
            ))),
        }
    }
}

/// A case's `option` lines: the flags of a source, and what a viewer may ask of the edge.
#[derive(Debug, Parser)]
#[command(no_binary_name = true)]
struct Words {
    #[command(flatten)]
    from: SourceArgs,
    /// Answer X-Warmfront-Explain, as `run --explain` does
    #[arg(long)]
    explain: bool,
}

impl Opener for InProcess<'_> {
    fn open<'a>(
        &'a self,
        source: &'a Source,
        options: &'a [String],
        origins: &'a [(String, SocketAddr)],
    ) -> BoxFuture<'a, Result<Arc<dyn Target>, OpenError>> {
        Box::pin(async move {
            let scratch = Scratch::new().map_err(|error| OpenError(error.to_string()))?;
            let (stack, access, explain) = self.load(source, options, origins, &scratch.0)?;
            let stack = Arc::new(stack);
            let clock = VirtualClock::starting_at(beginning());
            let shared: Arc<dyn warmfront::Clock> = Arc::new(clock.clone());
            let functions = LocalFunctions::start(
                stack.clone(),
                scratch.0.join("functions"),
                shared.clone(),
                Arc::new(|_| {}),
            );
            let silent = Arc::new(warmfront::observe::Silent);
            let apis = Some(functions.apis());
            let engine = Engine::new(Setup {
                stack,
                tiers: None,
                memory: CACHE,
                purges: Arc::new(Purges::in_memory(beginning())),
                https_port: 443,
                explain,
                clock: shared,
                observer: silent,
                local_apis: apis,
                keys: Arc::new(Credentials::example()),
                access,
            });
            let edge = engine.for_worker();
            let target = EdgeTarget { engine, edge, clock, functions, _scratch: scratch };
            Ok(Arc::new(target) as Arc<dyn Target>)
        })
    }
}

struct EdgeTarget {
    engine: Engine,
    edge: Edge,
    clock: VirtualClock,
    functions: LocalFunctions,
    _scratch: Scratch,
}

impl Drop for EdgeTarget {
    fn drop(&mut self) {
        self.functions.stop();
    }
}

impl Target for EdgeTarget {
    fn send(
        &self,
        request: http::Request<CaseBody>,
        via: Via,
    ) -> BoxFuture<'static, Result<Reply, SendError>> {
        let edge = self.edge.clone();
        let is_https = via.scheme == Scheme::Https;
        let viewer = Viewer {
            // Each viewer has a port of its own, as it would over sockets.
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 40_000 + (via.viewer % 20_000) as u16)),
            scheme: if is_https { origin::Scheme::Https } else { origin::Scheme::Http },
            local_ip: Some(Ipv4Addr::LOCALHOST.into()),
            local_port: if is_https { 443 } else { 80 },
            tls: is_https.then(|| {
                let (protocol, cipher) =
                    ("TLSv1.3".to_owned(), "TLS_AES_128_GCM_SHA256".to_owned());
                Arc::new(TlsInfo { protocol, cipher, sni: None, handshake: Handshake::Full })
            }),
            interim: None,
        };
        Box::pin(async move {
            let request = as_received(request, via.version, viewer);
            let reply = edge.call(request).await;
            Ok(reply.map(|body| Box::pin(Shown(body)) as ReplyBody))
        })
    }

    fn advance(&self, by: Duration) -> BoxFuture<'_, Result<(), BoxError>> {
        self.clock.advance(by);
        Box::pin(async { Ok(()) })
    }

    fn now(&self) -> SystemTime {
        self.clock.wall()
    }

    fn purge<'a>(&'a self, purge: &'a Purge) -> BoxFuture<'a, Result<u64, BoxError>> {
        let order = Order {
            distribution: purge.distribution.clone(),
            items: purge.items.clone(),
            soft: purge.soft,
            dry_run: purge.dry_run,
        };
        let receipt = self.engine.purge(&order);
        let objects = receipt.map(|receipt| receipt.total.objects);
        Box::pin(async { objects.map_err(|refused| refused.message.into()) })
    }
}

/// The request as a listener would hand it over: with the framing header that its body needs.
fn as_received(
    request: http::Request<CaseBody>,
    version: http::Version,
    viewer: Viewer,
) -> ViewerRequest {
    let (mut head, body) = request.into_parts();
    head.version = version;
    let framed =
        head.headers.contains_key(CONTENT_LENGTH) || head.headers.contains_key(TRANSFER_ENCODING);
    let has_body = !http_body::Body::is_end_stream(&body);
    if has_body && !framed {
        match http_body::Body::size_hint(&body).exact() {
            Some(length) => {
                head.headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
            }
            None if version == http::Version::HTTP_11 => {
                head.headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
            }
            None => {}
        }
    }
    if head.headers.contains_key(UPGRADE) {
        // A handshake can be played; the viewer behind it says nothing and has ended.
        head.extensions.insert(Handover::new(std::future::ready(Ok(tokio::io::empty()))));
    }
    let body = if has_body { Body::stream(Sent(body)) } else { Body::empty() };
    ViewerRequest { head, body, viewer }
}

/// A viewer's body on its way in.
struct Sent(CaseBody);

impl http_body::Body for Sent {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        Pin::new(&mut self.0)
            .poll_frame(cx)
            .map(|frame| frame.map(|frame| frame.map_err(|never| match never {})))
    }

    fn is_end_stream(&self) -> bool {
        http_body::Body::is_end_stream(&self.0)
    }

    fn size_hint(&self) -> SizeHint {
        http_body::Body::size_hint(&self.0)
    }
}

/// A reply's body on its way out.
struct Shown(Body);

impl http_body::Body for Shown {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = ready!(Pin::new(&mut self.0).poll_frame(cx));
        Poll::Ready(frame.map(|frame| frame.map_err(BoxError::from)))
    }

    fn is_end_stream(&self) -> bool {
        http_body::Body::is_end_stream(&self.0)
    }

    fn size_hint(&self) -> SizeHint {
        http_body::Body::size_hint(&self.0)
    }
}

/// A directory that goes with its owner.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> std::io::Result<Self> {
        static COUNT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
        loop {
            let count = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let name = format!("warmfront-case-{}-{count}", std::process::id());
            let path = std::env::temp_dir().join(name);
            let mut builder = std::fs::DirBuilder::new();
            #[cfg(unix)]
            std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
            match builder.create(&path) {
                Ok(()) => return Ok(Self(path)),
                // Left over from an earlier process of this number.
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists && count < 1000 => {
                }
                Err(error) => return Err(error),
            }
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
