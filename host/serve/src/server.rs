//! The server: its options, its router, and how it runs.

use std::{net::SocketAddr, num::NonZeroUsize, path::PathBuf, sync::Arc, time::Duration};

use axum::{Router, extract::DefaultBodyLimit, middleware};
use taster_store::Store;
use tokio::net::TcpListener;
use tower_http::catch_panic::CatchPanicLayer;

use crate::{
    auth::{self, Tokens},
    error,
    guard::{self, AllowedHosts, RequestLimits},
    listen, openapi, pages,
    readiness::Readiness,
    request_log::{self, Requests},
    routes,
    start_error::ServeError,
    state::AppState,
    store_metrics::StoreMetrics,
};

/// Options of a server.
#[derive(Debug, Clone)]
pub struct Options {
    /// Address to listen on; port 0 picks a free one.
    pub listen: SocketAddr,
    /// Token files. Empty: no token is required.
    pub token_files: Vec<PathBuf>,
    /// Require no token, also on an address that other machines can reach.
    pub allow_anonymous: bool,
    /// How long a request may take.
    pub request_timeout: Duration,
    /// How many requests are answered at the same time.
    pub max_requests: NonZeroUsize,
}

/// A server that has bound its address and handles signals, but does not accept connections yet.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    router: Router,
    stop: listen::StopSignals,
}

impl Server {
    /// Reads the tokens and binds the address. From here on the process handles SIGTERM and SIGINT.
    pub async fn bind(store: Store, options: Options) -> Result<Self, ServeError> {
        if !options.listen.ip().is_loopback() && options.token_files.is_empty() && !options.allow_anonymous {
            return Err(ServeError::Open { address: options.listen });
        }
        let tokens = if options.token_files.is_empty() { None } else { Some(Tokens::read(options.token_files)?) };
        let cannot_listen = |source| ServeError::Listen { address: options.listen, source };
        let stop = listen::StopSignals::register().map_err(cannot_listen)?;
        let listener = TcpListener::bind(options.listen).await.map_err(cannot_listen)?;
        let address = listener.local_addr().map_err(cannot_listen)?;
        let state = AppState {
            store,
            readiness: Arc::new(Readiness::default()),
            store_metrics: Arc::new(StoreMetrics::default()),
            requests: Arc::new(Requests::default()),
            openapi: openapi::document().to_string().into(),
        };
        let limits = RequestLimits::new(options.request_timeout, options.max_requests);
        // with --allow-anonymous a proxy may call this machine by another name
        let hosts =
            if tokens.is_none() && !options.allow_anonymous { AllowedHosts::Loopback } else { AllowedHosts::Any };
        Ok(Self { listener, address, router: router(state, limits, tokens, hosts), stop })
    }

    /// The address it listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until the process is asked to stop, then finishes the requests in progress.
    pub async fn run(self) {
        listen::serve(self.listener, self.router, self.stop).await;
    }
}

/// The whole router. A request passes the layers of each list from the bottom to the top.
fn router(state: AppState, limits: RequestLimits, tokens: Option<Arc<Tokens>>, hosts: AllowedHosts) -> Router {
    let public = Router::from(routes::public_routes()).with_state(state.clone());
    let protected = Router::from(routes::protected_routes())
        .merge(pages::routes())
        .with_state(state.clone())
        .fallback(error::no_such_path)
        .layer(DefaultBodyLimit::max(guard::MAX_BODY))
        .layer(middleware::from_fn_with_state(Arc::new(limits), guard::limit_load))
        .layer(middleware::from_fn_with_state(tokens, auth::require_token));
    public
        .merge(protected)
        .method_not_allowed_fallback(error::wrong_method)
        .layer(middleware::from_fn_with_state(hosts, guard::check_address))
        .layer(CatchPanicLayer::custom(error::panicked))
        .layer(middleware::from_fn_with_state(state.requests, request_log::record_request))
        .layer(middleware::from_fn(guard::security_headers))
}
