//! Counts and logs requests.

use std::{sync::Arc, time::Instant};

use axum::{
    extract::{MatchedPath, Request, State},
    http::Method,
    middleware::Next,
    response::Response,
};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

/// Bounds of the latency buckets, in seconds: from a cached answer to the default of --request-timeout.
const BUCKETS: [f64; 10] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0];

/// A route by its pattern: the requested path would be a label with unbounded values.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    route: String,
    method: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResponseLabels {
    route: String,
    method: &'static str,
    status: u16,
}

/// Counts of requests.
pub(super) struct Requests {
    answered: Family<ResponseLabels, Counter>,
    seconds: Family<RouteLabels, Histogram, fn() -> Histogram>,
    in_flight: Gauge,
}

impl Default for Requests {
    fn default() -> Self {
        Self {
            answered: Family::default(),
            seconds: Family::new_with_constructor(|| Histogram::new(BUCKETS)),
            in_flight: Gauge::default(),
        }
    }
}

impl Requests {
    /// Adds the metrics to a registry.
    pub(super) fn register(&self, registry: &mut Registry) {
        let help = "Requests by route, method and status";
        registry.register("http_requests", help, self.answered.clone());
        let help = "Duration of requests by route and method";
        registry.register_with_unit(
            "http_request_duration",
            help,
            prometheus_client::registry::Unit::Seconds,
            self.seconds.clone(),
        );
        registry.register("http_requests_in_flight", "Requests in progress", self.in_flight.clone());
    }
}

/// A request in progress, until it is dropped; also when its client disconnects.
struct InFlight<'a>(&'a Gauge);

impl<'a> InFlight<'a> {
    fn begin(gauge: &'a Gauge) -> Self {
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Counts and logs a request. Queries and headers are not logged, because they may contain a token.
pub(super) async fn record_request(State(requests): State<Arc<Requests>>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let _one_more = InFlight::begin(&requests.in_flight);
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    let method = method_label(request.method());
    let response = next.run(request).await;
    let (status, seconds) = (response.status().as_u16(), started.elapsed().as_secs_f64());
    tracing::debug!(method, route, status, seconds, "request");
    requests.seconds.get_or_create(&RouteLabels { route: route.clone(), method }).observe(seconds);
    requests.answered.get_or_create(&ResponseLabels { route, method, status }).inc();
    response
}

/// The known methods; a client can invent any number of others.
fn method_label(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}
