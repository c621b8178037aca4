//! Parameters of a request, parsed strictly: a misspelt name must not count as absent, because the response would then be
//! about another run.

use axum::{
    Form, Json,
    body::{Body, Bytes},
    extract::{FromRequest, FromRequestParts, Path, Query, Request, rejection::BytesRejection},
    http::{StatusCode, header::CONTENT_TYPE, request::Parts},
};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use taster_model::{AppName, RunId};

use crate::{error::RequestError, guard::MAX_BODY};

/// Parameters of the path.
pub(super) struct PathParams<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for PathParams<T> {
    type Rejection = RequestError;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, RequestError> {
        let Path(names) =
            Path::from_request_parts(parts, state).await.map_err(|error| RequestError::Bad(error.body_text()))?;
        Ok(Self(names))
    }
}

/// Parameters of the query.
pub(super) struct QueryParams<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for QueryParams<T> {
    type Rejection = RequestError;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, RequestError> {
        let Query(asked) =
            Query::from_request_parts(parts, state).await.map_err(|error| RequestError::Bad(error.body_text()))?;
        Ok(Self(asked))
    }
}

/// The run that a request of the webhook is about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RunSelector {
    /// The app. Default: the only one of the store.
    #[serde(default, deserialize_with = "deserialize_present")]
    #[schemars(with = "AppName")]
    pub(super) app: Option<AppName>,
    /// The run. Default: the newest one of the app.
    #[serde(default, deserialize_with = "deserialize_present")]
    #[schemars(with = "RunId")]
    pub(super) run: Option<RunId>,
}

/// A key that is present must have a value: `null` is an error.
fn deserialize_present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// The run that the query and the body name together.
pub(super) struct PostedSelector(pub(super) RunSelector);

impl<S: Send + Sync> FromRequest<S> for PostedSelector {
    type Rejection = RequestError;
    async fn from_request(request: Request, state: &S) -> Result<Self, RequestError> {
        let (mut parts, body) = request.into_parts();
        let QueryParams(query) = QueryParams::<RunSelector>::from_request_parts(&mut parts, state).await?;
        let bytes = Bytes::from_request(Request::from_parts(parts.clone(), body), state).await.map_err(body_error)?;
        let body = if bytes.is_empty() { RunSelector::default() } else { parse_body(&parts, bytes, state).await? };
        Ok(Self(RunSelector {
            app: exactly_one("app", query.app, body.app)?,
            run: exactly_one("run", query.run, body.run)?,
        }))
    }
}

#[expect(clippy::needless_pass_by_value, reason = "so that it fits `map_err`")]
fn body_error(error: BytesRejection) -> RequestError {
    if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
        RequestError::TooLarge { most: MAX_BODY }
    } else {
        RequestError::Bad(error.body_text())
    }
}

fn exactly_one<T>(name: &str, query: Option<T>, body: Option<T>) -> Result<Option<T>, RequestError> {
    match (query, body) {
        (Some(_), Some(_)) => Err(RequestError::Bad(format!("`{name}` is given in the query and in the body"))),
        (query, body) => Ok(query.or(body)),
    }
}

async fn parse_body<S: Send + Sync>(parts: &Parts, bytes: Bytes, state: &S) -> Result<RunSelector, RequestError> {
    let given = parts.headers.get(CONTENT_TYPE).map_or("", |value| value.to_str().unwrap_or("?"));
    let kind = given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    // the deserializer would also accept a list of the values, which is not documented
    let is_object = bytes.trim_ascii_start().starts_with(b"{");
    let request = Request::from_parts(parts.clone(), Body::from(bytes));
    match kind.as_str() {
        "application/json" if !is_object => Err(RequestError::Bad("the body is not a JSON object".to_owned())),
        "application/json" => {
            let body = Json::from_request(request, state).await;
            body.map(|Json(wanted)| wanted).map_err(|error| RequestError::Bad(error.body_text()))
        }
        "application/x-www-form-urlencoded" => {
            let body = Form::from_request(request, state).await;
            body.map(|Form(wanted)| wanted).map_err(|error| RequestError::Bad(error.body_text()))
        }
        _ => Err(RequestError::WrongType(given.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Method;
    use insta::assert_snapshot;
    use taster_model::Diagnostic;

    use super::*;

    async fn posted(query: &str, kind: &str, body: impl Into<Body>) -> Result<RunSelector, RequestError> {
        let request = Request::builder().method(Method::POST).uri(format!("/compare{query}"));
        let request = request.header(CONTENT_TYPE, kind).body(body.into()).unwrap();
        PostedSelector::from_request(request, &()).await.map(|PostedSelector(wanted)| wanted)
    }

    const FORM: &str = "application/x-www-form-urlencoded";

    #[tokio::test]
    async fn a_run_is_named_in_the_query_a_form_or_json() {
        let shop = RunSelector { app: Some("shop".parse().unwrap()), run: Some("r1".parse().unwrap()) };
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
        assert_eq!(posted("", "", "").await.unwrap(), RunSelector::default());
        assert_eq!(posted("", "application/json", "{}").await.unwrap(), RunSelector::default());
    }

    #[tokio::test]
    async fn parameters_that_are_not_understood_are_errors() {
        let long = format!("?run={}", "9".repeat(5000));
        let bad = [
            ("?rnu=r1", "", "", "unknown field `rnu`"),
            ("?app=shop&app=shop", "", "", "duplicate field `app`"),
            ("?app=", "", "", "invalid app ``"),
            ("?app=..%2f..%2fetc", "", "", "invalid app `../../etc`"),
            ("?run=%ff%fe", "", "", "invalid run"),
            (&long, "", "", "run `9999"),
            ("?app=shop", FORM, "app=shop", "in the query and in the body"),
            ("", FORM, "app=shop&app=tools", "duplicate field `app`"),
            ("", FORM, "ap=shop", "unknown field `ap`"),
            ("", "application/json", r#"{"app": null}"#, "expected a string"),
            ("", "application/json", r#"{"app": "a", "app": "b"}"#, "duplicate field"),
            ("", "application/json", r#"["shop", "r1"]"#, "not a JSON object"),
            ("", "application/json", "null", "not a JSON object"),
            ("", "application/json", "{\"app\": \"\u{fffd}\"}", "invalid app"),
            ("", "application/json", "{", "EOF"),
        ];
        for (query, kind, body, expected) in bad {
            let error = posted(query, kind, body).await.unwrap_err();
            assert_eq!((error.status().as_u16(), error.code()), (400, "T0643"), "{query} {body}: {error}");
            let message = error.message();
            assert!(message.contains(expected) && message.len() < 1000, "{query} {body}: {message}");
        }
        let invalid = posted("", "application/json", vec![b'{', 0xff, b'}']).await.unwrap_err();
        assert_eq!(invalid.status(), 400, "{invalid}");
        let wrong = posted("", "text/plain", "app=shop").await.unwrap_err();
        assert_eq!(wrong.status(), 415);
        assert_snapshot!(wrong.message(), @"unsupported content type `text/plain`");
    }
}
