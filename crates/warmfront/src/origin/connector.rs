//! The real connector: HTTP origins, directories and local APIs, chosen by [`Target`].

use std::fmt;
use std::sync::Arc;

use futures_util::future::{Either, select};
use warmfront_core::Origin;
use warmfront_core::api::Api;
use warmfront_core::origin::{Scheme, Target};

use super::attempts::{Http, Turns};
use super::calls;
use super::connect::Dialer;
use super::outgoing::sooner;
use super::pool::{Pool, PoolLimits};
use super::shared::SharedConnections;
use super::signer::OriginSigner;
#[cfg(feature = "tls")]
use super::tls::Trust;
use super::{BoxFuture, Connector, OriginError, OriginRequest, OriginResponse, Timing, directory};
use crate::clock::Clock;

/// Answers requests for the local APIs that origins lead to.
pub trait LocalApis: fmt::Debug + Send + Sync {
    /// Calls the function behind the API. Dropping the future or the body gives the call up.
    fn call<'a>(
        &'a self,
        api: &'a Arc<Api>,
        request: OriginRequest,
    ) -> BoxFuture<'a, Result<OriginResponse, OriginError>>;
}

/// How [`Origins`] are put together.
#[derive(Debug)]
pub struct OriginsOptions {
    /// Where time-outs come from.
    pub clock: Arc<dyn Clock>,
    /// Who answers [`Target::Api`]; without it such origins are unavailable.
    pub local_apis: Option<Arc<dyn LocalApis>>,
    /// Who signs requests to origins behind an access control; without it they go unsigned.
    pub signer: Option<Arc<dyn OriginSigner>>,
    /// How many idle connections are kept.
    pub limits: PoolLimits,
    /// Whose certificates are accepted; give every worker a clone.
    #[cfg(feature = "tls")]
    pub trust: Trust,
}

impl OriginsOptions {
    /// The default limits, no local APIs, no signatures, the system's trusted roots.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            local_apis: None,
            signer: None,
            limits: PoolLimits::default(),
            #[cfg(feature = "tls")]
            trust: Trust::system(),
        }
    }
}

/// Reaches every kind of origin, with a connection pool of its own.
///
/// It may be shared between threads; one per worker saves the contention. Connections are driven by
/// tasks on the runtime that opened them, so a pool must not outlive that runtime's use of it.
#[derive(Debug)]
pub struct Origins {
    pub(super) http: Http,
    local_apis: Option<Arc<dyn LocalApis>>,
}

impl Origins {
    /// Origins without any connection yet.
    pub fn new(options: OriginsOptions) -> Self {
        let dialer = Dialer {
            clock: options.clock.clone(),
            #[cfg(feature = "tls")]
            trust: options.trust,
        };
        let pool = Pool::new(options.clock, options.limits);
        let (turns, shared) = (Turns::default(), SharedConnections::default());
        let http = Http { dialer, pool, shared, turns, signer: options.signer };
        Self { http, local_apis: options.local_apis }
    }

    /// What answers on this machine has no connection, but takes its time too.
    async fn timed(
        &self,
        answering: impl Future<Output = Result<OriginResponse, OriginError>>,
    ) -> Result<OriginResponse, OriginError> {
        let clock = &self.http.dialer.clock;
        let began = clock.monotonic();
        let mut response = answering.await?;
        let first_byte = clock.monotonic().saturating_sub(began);
        response.head.extensions.insert(Timing { first_byte, ..Timing::default() });
        Ok(response)
    }

    /// A local API under the origin's time limits: one call, never repeated, because a function that
    /// is slow is not made faster by running it three times. CloudFront would try a GET again.
    async fn call_local(
        &self,
        origin: &Origin,
        api: &Arc<Api>,
        request: OriginRequest,
    ) -> Result<OriginResponse, OriginError> {
        let Some(local_apis) = &self.local_apis else {
            return Err(OriginError::Unavailable {
                origin: origin.id.clone(),
                reason: "it is a local API, and this program runs no local functions".to_owned(),
            });
        };
        let completion = origin.response_completion_timeout;
        let limit = sooner(Some(origin.read_timeout), completion).unwrap_or(origin.read_timeout);
        match select(local_apis.call(api, request), self.http.dialer.clock.sleep(limit)).await {
            Either::Left((answer, _)) => answer,
            Either::Right(_) if completion.is_some_and(|completion| completion <= limit) => {
                let (origin, seconds) = (origin.id.clone(), limit.as_secs());
                Err(OriginError::CompletionTimeout { origin, seconds })
            }
            Either::Right(_) => {
                let (origin, seconds) = (origin.id.clone(), limit.as_secs());
                Err(OriginError::ReadTimeout { origin, seconds })
            }
        }
    }
}

impl Connector for Origins {
    fn send<'a>(
        &'a self,
        origin: &'a Origin,
        scheme: Scheme,
        request: OriginRequest,
    ) -> BoxFuture<'a, Result<OriginResponse, OriginError>> {
        match &origin.target {
            Target::Dns | Target::Nodes(_) if request.head.version == http::Version::HTTP_2 => {
                Box::pin(calls::send(&self.http, origin, scheme, request))
            }
            Target::Dns | Target::Nodes(_) => Box::pin(self.http.send(origin, scheme, request)),
            Target::Directory(root) => {
                let now = self.http.dialer.clock.wall();
                let bucket = directory::Bucket {
                    origin: origin.id.clone(),
                    root: root.clone(),
                    hides_missing: origin.hides_missing,
                };
                Box::pin(self.timed(directory::serve(bucket, request.head, now)))
            }
            Target::Api(api) => Box::pin(self.timed(self.call_local(origin, api, request))),
        }
    }
}
