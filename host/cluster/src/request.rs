//! One request to the API server: its time limit, and what its failure means.

use std::time::Duration;

use crate::error::ClusterError;

/// How long one request may take. A server that takes longer counts as unreachable.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// A request, described as in the rules of a Role.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ApiRequest<'a> {
    /// `get`.
    pub(crate) verb: &'static str,
    /// `statefulsets/scale`.
    pub(crate) resource: &'a str,
    /// Name of the object. Empty for a list.
    pub(crate) name: &'a str,
    pub(crate) namespace: &'a str,
}

impl ApiRequest<'_> {
    /// Sends the request, within [`REQUEST_TIMEOUT`].
    pub(crate) async fn send<T>(
        self,
        response: impl Future<Output = Result<T, kube::Error>>,
    ) -> Result<T, ClusterError> {
        match tokio::time::timeout(REQUEST_TIMEOUT, response).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(self.error(error)),
            Err(_) => {
                let detail = format!("no response within {}", taster_text::exact_duration(REQUEST_TIMEOUT));
                Err(ClusterError::Unreachable { detail })
            }
        }
    }

    /// As [`Self::send`]; `None` where the object does not exist.
    pub(crate) async fn send_optional<T>(
        self,
        response: impl Future<Output = Result<T, kube::Error>>,
    ) -> Result<Option<T>, ClusterError> {
        match self.send(response).await {
            Ok(answer) => Ok(Some(answer)),
            Err(ClusterError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What an error of the client means for this request.
    pub(crate) fn error(self, error: kube::Error) -> ClusterError {
        let (verb, resource, namespace) = (self.verb.to_owned(), self.target(), self.namespace.to_owned());
        let status = match error {
            kube::Error::Api(status) => status,
            kube::Error::HyperError(_) | kube::Error::Service(_) | kube::Error::ReadEvents(_) => {
                return ClusterError::Unreachable { detail: root_cause(&error) };
            }
            other => return ClusterError::Rejected { verb, resource, message: root_cause(&other) },
        };
        match status.code {
            403 => match DeniedRight::parse(&status.message) {
                Some(denied) => {
                    let name = if self.name.is_empty() { String::new() } else { format!(" {}", self.name) };
                    let (verb, resource) = (denied.verb.to_owned(), format!("{}{name}", denied.resource));
                    ClusterError::Forbidden { verb, resource, group: denied.group.to_owned(), namespace }
                }
                // quotas and admission answer with 403 as well
                None => ClusterError::Rejected { verb, resource, message: status.message.clone() },
            },
            // "Unauthorized" alone makes people look for a missing right
            401 => {
                let message = format!("the token is expired or of another cluster: {}", status.message);
                ClusterError::Rejected { verb, resource, message }
            }
            404 => ClusterError::NotFound { object: resource, namespace },
            409 => ClusterError::Conflict { object: resource, tries: 1 },
            408 | 429 | 500 | 502..=504 => {
                ClusterError::Unreachable { detail: format!("{}: {}", status.code, status.message) }
            }
            _ => ClusterError::Rejected { verb, resource, message: status.message.clone() },
        }
    }

    /// `statefulsets/scale mongo`.
    fn target(&self) -> String {
        if self.name.is_empty() { self.resource.to_owned() } else { format!("{} {}", self.resource, self.name) }
    }
}

/// The right that the authorizer denied: `… cannot patch resource "statefulsets/scale" in API group "apps" in the …`.
struct DeniedRight<'a> {
    verb: &'a str,
    resource: &'a str,
    group: &'a str,
}

impl<'a> DeniedRight<'a> {
    fn parse(message: &'a str) -> Option<Self> {
        let (_, rest) = message.split_once(" cannot ")?;
        let (verb, rest) = rest.split_once(" resource \"")?;
        let (resource, rest) = rest.split_once("\" in API group \"")?;
        let (group, _) = rest.split_once('"')?;
        Some(Self { verb, resource, group })
    }
}

/// The innermost error: the outer ones say no more than `client error (Connect)`.
fn root_cause(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

#[cfg(test)]
mod tests {
    use kube::core::Status;
    use taster_model::Diagnostic;

    use super::*;

    fn error_of(code: u16, message: &str) -> ClusterError {
        let status = Status { code, message: message.to_owned(), ..Status::default() };
        let request = ApiRequest { verb: "get", resource: "deployments", name: "web", namespace: "shop" };
        request.error(kube::Error::Api(status.boxed()))
    }

    #[test]
    fn a_missing_right_is_written_as_in_a_role() {
        let error = error_of(
            403,
            "deployments.apps \"web\" is forbidden: User \"system:serviceaccount:shop:taster\" cannot patch resource \
             \"deployments/scale\" in API group \"apps\" in the namespace \"shop\"",
        );
        assert_eq!(error.to_string(), "the ServiceAccount may not patch deployments/scale web in namespace shop");
        assert_eq!(
            error.help().unwrap(),
            "add to the Role of the ServiceAccount: {apiGroups: [\"apps\"], resources: [\"deployments/scale\"], verbs: [\"patch\"]}"
        );
    }

    #[test]
    fn a_rejection_for_another_reason_is_not_reported_as_a_missing_right() {
        let quota = error_of(403, "deployments.apps \"web\" is forbidden: exceeded quota: small");
        assert_eq!(quota.code(), "T0705", "{quota}");
        assert!(error_of(503, "starting").is_transient() && error_of(429, "slow down").is_transient());
        assert!(!error_of(422, "spec.replicas: Invalid value: -1").is_transient());
        assert_eq!(
            error_of(401, "Unauthorized").to_string(),
            "the Kubernetes API server rejected `get deployments web`: the token is expired or of another cluster: Unauthorized"
        );
        assert_eq!(error_of(404, "not found").to_string(), "deployments web not found in namespace shop");
    }
}
