//! The edge: a stack of distributions, a cache, and a way to the origins.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use arc_swap::ArcSwap;
use warmfront_core::Stack;

use crate::access::Access;
use crate::cache::{Cache, CacheOptions, MemoryStorage, Purges, Storage, Usage};
use crate::clock::{Clock, SystemClock};
use crate::compressing::Compressors;
use crate::identity::Identity;
use crate::observe::{Observer, Silent};
use crate::origin::Connector;
use crate::request::{Reply, ViewerRequest};

/// A running edge. Clones share the configuration and the cache; each may have a connector of its own,
/// as the workers of the program do.
#[derive(Debug, Clone)]
pub struct Edge {
    pub(crate) shared: Arc<Shared>,
    pub(crate) connector: Arc<dyn Connector>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) stack: ArcSwap<Stack>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) cache: Cache,
    pub(crate) compressors: Compressors,
    pub(crate) identity: Identity,
    pub(crate) https_port: u16,
    pub(crate) access: Access,
    pub(crate) explain: bool,
    /// What the observer said when it was asked.
    pub(crate) wants_detail: bool,
}

/// How an edge is put together.
#[derive(Debug)]
pub struct EdgeOptions {
    /// What to serve.
    pub stack: Arc<Stack>,
    /// How to reach origins.
    pub connector: Arc<dyn Connector>,
    /// Limits of the cache.
    pub cache: CacheOptions,
    /// What was purged. An edge that shall remember it takes [`Purges::in_file`].
    pub purges: Arc<Purges>,
    /// Where responses are kept; without it: in memory, under the limits of `cache`.
    pub storage: Option<Arc<dyn Storage>>,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// Who hears what happened.
    pub observer: Arc<dyn Observer>,
    /// The port of https in redirects; left out when it is 443.
    pub https_port: u16,
    /// How signatures are checked and where viewers are.
    pub access: Access,
    /// Whether `X-Warmfront-Explain: 1` on a request is answered with what was decided about it.
    pub explain: bool,
}

impl EdgeOptions {
    /// The system's clock, a silent observer, 256 MiB of cache.
    pub fn new(stack: Arc<Stack>, connector: Arc<dyn Connector>) -> Self {
        Self {
            stack,
            connector,
            cache: CacheOptions::default(),
            purges: Arc::new(Purges::in_memory(std::time::SystemTime::now())),
            storage: None,
            clock: Arc::new(SystemClock::new()),
            observer: Arc::new(Silent),
            https_port: 443,
            access: Access::default(),
            explain: false,
        }
    }
}

impl Edge {
    /// An edge with an empty cache.
    pub fn new(options: EdgeOptions) -> Self {
        let EdgeOptions {
            stack,
            connector,
            cache,
            purges,
            storage,
            clock,
            observer,
            https_port,
            access,
            explain,
        } = options;
        let storage = storage.unwrap_or_else(|| Arc::new(MemoryStorage::new(cache)));
        let shared = Shared {
            stack: ArcSwap::new(stack),
            clock,
            wants_detail: observer.wants_detail(),
            observer,
            cache: Cache::new(storage, purges, cache.memory / 4),
            compressors: Compressors::default(),
            identity: Identity::random(),
            https_port,
            access,
            explain,
        };
        Self { shared: Arc::new(shared), connector }
    }

    /// The same edge, reaching its origins through `connector`.
    pub fn with_connector(&self, connector: Arc<dyn Connector>) -> Self {
        Self { shared: self.shared.clone(), connector }
    }

    /// Serves `stack` from now on; requests in flight finish on the one they started with.
    pub fn swap(&self, stack: Arc<Stack>) {
        self.shared.stack.store(stack);
    }

    /// What the cache holds.
    pub fn cache_usage(&self) -> Usage {
        self.shared.cache.storage.usage()
    }

    /// Answers one request.
    ///
    /// Always gives a reply. Dropping the future abandons the request; an origin fetch goes on only
    /// when others wait for it or the object is worth keeping.
    pub fn call(&self, request: ViewerRequest) -> impl Future<Output = Reply> + Send + '_ {
        crate::flow::serve(self, request)
    }
}

/// An edge is a tower service, so layers wrap it like any other.
impl tower_service::Service<ViewerRequest> for Edge {
    type Response = Reply;
    type Error = std::convert::Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Reply, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: ViewerRequest) -> Self::Future {
        let edge = self.clone();
        Box::pin(async move { Ok(Edge::call(&edge, request).await) })
    }
}
