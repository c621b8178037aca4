//! What a request asks, read strictly: a name that is misspelt must not be taken for one that was left out, for then the
//! answer would be about another run.

use axum::{
    Form, Json,
    body::{Body, Bytes},
    extract::{FromRequest, FromRequestParts, Path, Query, Request, rejection::BytesRejection},
    http::{StatusCode, header::CONTENT_TYPE, request::Parts},
};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use taster_model::{AppName, RunId};

use super::{guard::LARGEST_BODY, refusal::Refused};

/// What stands in the path.
pub(super) struct Named<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Named<T> {
    type Rejection = Refused;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        let Path(names) =
            Path::from_request_parts(parts, state).await.map_err(|error| Refused::Bad(error.body_text()))?;
        Ok(Self(names))
    }
}

/// What stands in the query.
pub(super) struct Asked<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = Refused;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        let Query(asked) =
            Query::from_request_parts(parts, state).await.map_err(|error| Refused::Bad(error.body_text()))?;
        Ok(Self(asked))
    }
}

/// Which run the webhook is asked about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// The app. Default: the only one of the store.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "AppName")]
    pub(super) app: Option<AppName>,
    /// The run. Default: the newest one of the app.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "RunId")]
    pub(super) run: Option<RunId>,
}

/// What is there is a name: `null` is not the same as nothing.
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// What the query and the body ask together.
pub(super) struct Posted(pub(super) Wanted);

impl<S: Send + Sync> FromRequest<S> for Posted {
    type Rejection = Refused;
    async fn from_request(request: Request, state: &S) -> Result<Self, Refused> {
        let (mut parts, body) = request.into_parts();
        let Asked(query) = Asked::<Wanted>::from_request_parts(&mut parts, state).await?;
        let bytes = Bytes::from_request(Request::from_parts(parts.clone(), body), state).await.map_err(unread)?;
        let body = if bytes.is_empty() { Wanted::default() } else { of_body(&parts, bytes, state).await? };
        Ok(Self(Wanted { app: once("app", query.app, body.app)?, run: once("run", query.run, body.run)? }))
    }
}

#[expect(clippy::needless_pass_by_value, reason = "so that it fits `map_err`")]
fn unread(error: BytesRejection) -> Refused {
    if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
        Refused::TooLarge { most: LARGEST_BODY }
    } else {
        Refused::Bad(error.body_text())
    }
}

fn once<T>(name: &str, query: Option<T>, body: Option<T>) -> Result<Option<T>, Refused> {
    match (query, body) {
        (Some(_), Some(_)) => Err(Refused::Bad(format!("`{name}` stands in the query and in the body"))),
        (query, body) => Ok(query.or(body)),
    }
}

async fn of_body<S: Send + Sync>(parts: &Parts, bytes: Bytes, state: &S) -> Result<Wanted, Refused> {
    let given = parts.headers.get(CONTENT_TYPE).map_or("", |value| value.to_str().unwrap_or("?"));
    let kind = given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    // a list of the values would do for the deserialiser as well, and is not what is documented
    let is_object = bytes.trim_ascii_start().starts_with(b"{");
    let request = Request::from_parts(parts.clone(), Body::from(bytes));
    match kind.as_str() {
        "application/json" if !is_object => Err(Refused::Bad("the body is no JSON object".to_owned())),
        "application/json" => {
            let body = Json::from_request(request, state).await;
            body.map(|Json(wanted)| wanted).map_err(|error| Refused::Bad(error.body_text()))
        }
        "application/x-www-form-urlencoded" => {
            let body = Form::from_request(request, state).await;
            body.map(|Form(wanted)| wanted).map_err(|error| Refused::Bad(error.body_text()))
        }
        _ => Err(Refused::WrongType(given.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Method;
    use insta::assert_snapshot;
    use taster_model::Diagnostic;

    use super::*;

    async fn posted(query: &str, kind: &str, body: impl Into<Body>) -> Result<Wanted, Refused> {
        let request = Request::builder().method(Method::POST).uri(format!("/compare{query}"));
        let request = request.header(CONTENT_TYPE, kind).body(body.into()).unwrap();
        Posted::from_request(request, &()).await.map(|Posted(wanted)| wanted)
    }

    const FORM: &str = "application/x-www-form-urlencoded";

    #[tokio::test]
    async fn the_same_is_asked_in_three_ways() {
        let shop = Wanted { app: Some("shop".parse().unwrap()), run: Some("r1".parse().unwrap()) };
        let ways = [
            ("?app=shop&run=r1", "", ""),
            ("?run=r1&app=%73hop", FORM, ""),
            ("", FORM, "app=shop&run=r1"),
            ("", "application/json; charset=utf-8", r#" {"app": "shop", "run": "r1"}"#),
            ("?app=shop", "Application/JSON", r#"{"run": "r1"}"#),
            ("?run=r1", FORM, "app=shop"),
        ];
        for (query, kind, body) in ways {
            assert_eq!(posted(query, kind, body).await.unwrap(), shop, "{query} {body}");
        }
        assert_eq!(posted("", "", "").await.unwrap(), Wanted::default());
        assert_eq!(posted("", "application/json", "{}").await.unwrap(), Wanted::default());
    }

    #[tokio::test]
    async fn what_is_not_understood_is_refused_and_never_left_out() {
        let long = format!("?run={}", "9".repeat(5000));
        let bad = [
            ("?rnu=r1", "", "", "unknown field `rnu`"),
            ("?app=shop&app=shop", "", "", "duplicate field `app`"),
            ("?app=", "", "", "app `` is not allowed"),
            ("?app=..%2f..%2fetc", "", "", "app `../../etc` is not allowed"),
            ("?run=%ff%fe", "", "", "is not allowed"),
            (&long, "", "", "run `9999"),
            ("?app=shop", FORM, "app=shop", "in the query and in the body"),
            ("", FORM, "app=shop&app=tools", "duplicate field `app`"),
            ("", FORM, "ap=shop", "unknown field `ap`"),
            ("", "application/json", r#"{"app": null}"#, "expected a string"),
            ("", "application/json", r#"{"app": "a", "app": "b"}"#, "duplicate field"),
            ("", "application/json", r#"["shop", "r1"]"#, "no JSON object"),
            ("", "application/json", "null", "no JSON object"),
            ("", "application/json", "{\"app\": \"\u{fffd}\"}", "is not allowed"),
            ("", "application/json", "{", "EOF"),
        ];
        for (query, kind, body, expected) in bad {
            let refused = posted(query, kind, body).await.unwrap_err();
            assert_eq!((refused.status().as_u16(), refused.code()), (400, "T0643"), "{query} {body}: {refused}");
            let message = refused.message();
            assert!(message.contains(expected) && message.len() < 1000, "{query} {body}: {message}");
        }
        let invalid = posted("", "application/json", vec![b'{', 0xff, b'}']).await.unwrap_err();
        assert_eq!(invalid.status(), 400, "{invalid}");
        let wrong = posted("", "text/plain", "app=shop").await.unwrap_err();
        assert_eq!(wrong.status(), 415);
        assert_snapshot!(wrong.message(), @"a body of type `text/plain` is not understood");
    }
}
