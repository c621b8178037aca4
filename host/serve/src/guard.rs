//! What every request has to pass: limits of size, number and time, and headers that keep browsers from doing more with
//! an answer than showing it.

use std::{net::IpAddr, num::NonZeroUsize, sync::Arc, time::Duration};

use axum::{
    extract::{Request, State},
    http::{
        HeaderName, HeaderValue, Uri,
        header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS},
        uri::Authority,
    },
    middleware::Next,
    response::{IntoResponse, Response},
};
use tokio::sync::Semaphore;

use super::refusal::Refused;

/// Bytes of a request's body.
pub(super) const LARGEST_BODY: usize = 64 * 1024;
/// Bytes of a request's address.
pub(super) const LONGEST_ADDRESS: usize = 8 * 1024;
/// Bytes of its headers: room for what proxies add.
pub(super) const LONGEST_HEADERS: usize = 32 * 1024;

/// How many requests at a time, and for how long each.
pub(super) struct Limits {
    time: Duration,
    most: usize,
    places: Semaphore,
}

impl Limits {
    pub(super) fn new(time: Duration, most: NonZeroUsize) -> Self {
        let most = most.get().min(Semaphore::MAX_PERMITS);
        Self { time, most, places: Semaphore::new(most) }
    }
}

/// Answers within the limits, or says which one was reached. Nobody waits for a place: who is refused at once may ask
/// again, who waits only fills the memory.
pub(super) async fn bounded(State(limits): State<Arc<Limits>>, request: Request, next: Next) -> Response {
    let Ok(_place) = limits.places.try_acquire() else {
        return Refused::Busy { most: limits.most }.into_response();
    };
    match tokio::time::timeout(limits.time, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Refused::Slow { limit: limits.time }.into_response(),
    }
}

/// Refuses addresses and headers that are too long. Where nobody is asked for a token, refuses what was meant for another host: a page
/// of anywhere may give its own name the address of this machine, and would read everything through its visitor's browser.
pub(super) async fn addressed(State(only_here): State<bool>, request: Request, next: Next) -> Response {
    let length = length(request.uri());
    if length > LONGEST_ADDRESS {
        return Refused::TooLong { length, most: LONGEST_ADDRESS }.into_response();
    }
    let length = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if length > LONGEST_HEADERS {
        return Refused::LongHeaders { length, most: LONGEST_HEADERS }.into_response();
    }
    if only_here
        && let Some(host) = host(&request)
        && !is_here(&host)
    {
        return Refused::Misdirected(host).into_response();
    }
    next.run(request).await
}

fn length(uri: &Uri) -> usize {
    uri.path().len() + uri.query().map_or(0, |query| query.len() + 1)
}

/// The host that a request is meant for, as it was written.
fn host(request: &Request) -> Option<String> {
    if let Some(host) = request.uri().host() {
        return Some(host.to_owned());
    }
    let header = request.headers().get(HOST)?.to_str().unwrap_or("?");
    Some(header.parse::<Authority>().map_or_else(|_| header.to_owned(), |authority| authority.host().to_owned()))
}

fn is_here(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || address.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

/// Headers of every answer that has none of its own: nothing is kept, nothing is guessed, nothing is loaded or framed, and
/// no other site learns an address.
pub(super) async fn headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let all: [(HeaderName, &str); 4] = [
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (CACHE_CONTROL, "no-store"),
        (REFERRER_POLICY, "no-referrer"),
        (CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    ];
    for (name, value) in all {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    #[test]
    fn only_names_of_this_machine_are_here() {
        let asked = |uri: &str, header: &str| {
            let request = Request::builder().uri(uri).header(HOST, header).body(Body::empty()).unwrap();
            is_here(&host(&request).unwrap())
        };
        for here in ["localhost", "LocalHost:8080", "127.0.0.1:8080", "127.1.2.3", "[::1]:8080", "[::1]"] {
            assert!(asked("/compare", here), "{here}");
        }
        for other in
            ["evil.example", "localhost.evil.example:80", "10.0.0.1", "127.0.0.1.evil.example", "", "a b", "0.0.0.0"]
        {
            assert!(!asked("/compare", other), "{other}");
        }
        assert!(!asked("http://evil.example/compare", "localhost"), "the address counts more than the header");
    }
}
