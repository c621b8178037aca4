//! What can go wrong with the cluster.

use taster_model::{Diagnostic, RunId};

use crate::{FreshError, ReadyError, WorkloadRef};

/// What can go wrong with the cluster.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// The API server cannot be reached, or has no time.
    #[error("the Kubernetes API server does not answer: {detail}")]
    Unreachable {
        /// What the client said.
        detail: String,
    },
    /// A right is missing. Spelled as a Role spells it.
    #[error("the ServiceAccount may not {verb} {resource} in namespace {namespace}")]
    Forbidden {
        /// `patch`.
        verb: String,
        /// `statefulsets/scale mongo`.
        resource: String,
        /// `apps`; empty for the core group.
        group: String,
        /// Where.
        namespace: String,
    },
    /// Something that must be there is not.
    #[error("there is no {what} in namespace {namespace}")]
    NotFound {
        /// `StatefulSet mongo`.
        what: String,
        /// Where.
        namespace: String,
    },
    /// Others change an object faster than it can be read.
    #[error("{what} was changed by others {tries} times while it was to be changed here")]
    Contended {
        /// `StatefulSet mongo`.
        what: String,
        /// How often it was tried.
        tries: u32,
    },
    /// The API server said no: validation, admission, authentication.
    #[error("the Kubernetes API server refused to {verb} {resource}: {message}")]
    Refused {
        /// `patch`.
        verb: String,
        /// `statefulsets/scale mongo`.
        resource: String,
        /// Its words.
        message: String,
    },
    /// Neither in a pod, nor a kubeconfig.
    #[error("cannot tell which Kubernetes cluster is meant: {detail}")]
    NoConfig {
        /// What the client said.
        detail: String,
    },
    /// No such kind, or none with replicas.
    #[error("{setting}: {kind} of {api_version} {message}")]
    NotScalable {
        /// The setting that names it.
        setting: String,
        /// Its kind.
        kind: String,
        /// Its group and version.
        api_version: String,
        /// What is wrong with it.
        message: String,
    },
    /// An autoscaler looks after it.
    #[error("{workload} belongs to {by}, which would scale it again")]
    Autoscaled {
        /// Which.
        workload: WorkloadRef,
        /// `HorizontalPodAutoscaler mongo`.
        by: String,
        /// The setting that names it.
        setting: String,
    },
    /// Another object decides what it is.
    #[error("{workload} is controlled by {owner}, which would put its replicas back")]
    Owned {
        /// Which.
        workload: WorkloadRef,
        /// `MongoDBCommunity shop`.
        owner: String,
        /// The setting that names it.
        setting: String,
    },
    /// Another app has scaled it and has not put it back.
    #[error("{workload} was scaled up by app `{app}`, run `{run}`, which has not put it back")]
    OtherApp {
        /// Which.
        workload: WorkloadRef,
        /// The app.
        app: String,
        /// Its run.
        run: RunId,
    },
    /// What is recorded on a workload cannot be read.
    #[error("{workload}: the annotation {annotation} cannot be read: {message}")]
    BadRecord {
        /// Which.
        workload: WorkloadRef,
        /// The annotation.
        annotation: &'static str,
        /// Why not.
        message: String,
    },
    /// Somebody else is at work.
    #[error("{holder} holds the lock (Lease {lease}){waited}")]
    Locked {
        /// Name of the Lease.
        lease: String,
        /// `pod pre-taste-x7k2p (pre of run 1764000000)`.
        holder: String,
        /// `, for 10m already`; empty where nobody waited.
        waited: String,
    },
    /// Somebody else took the lock.
    #[error("the lock (Lease {lease}) was taken by {holder}")]
    LockLost {
        /// Name of the Lease.
        lease: String,
        /// Who has it.
        holder: String,
    },
    /// A workload does not get ready.
    #[error(transparent)]
    Ready(#[from] ReadyError),
    /// Nobody can say that the data are fresh.
    #[error(transparent)]
    Fresh(#[from] FreshError),
}

impl ClusterError {
    /// Whether the same request may work in a moment: the API server is away, overloaded or starting.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }
}

impl Diagnostic for ClusterError {
    fn code(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "T0701",
            Self::Forbidden { .. } => "T0702",
            Self::NotFound { .. } => "T0703",
            Self::Contended { .. } => "T0704",
            Self::Refused { .. } => "T0705",
            Self::NoConfig { .. } => "T0706",
            Self::NotScalable { .. } => "T0707",
            Self::Autoscaled { .. } => "T0708",
            Self::Owned { .. } => "T0709",
            Self::OtherApp { .. } => "T0710",
            Self::BadRecord { .. } => "T0711",
            Self::Locked { .. } => "T0712",
            Self::LockLost { .. } => "T0713",
            Self::Ready(error) => error.code(),
            Self::Fresh(error) => error.code(),
        }
    }

    fn help(&self) -> Option<String> {
        Some(match self {
            Self::Ready(error) => return error.help(),
            Self::Fresh(error) => return error.help(),
            Self::Unreachable { .. } => "is the API server up, and may the pod reach it (NetworkPolicy)?".to_owned(),
            Self::Forbidden { verb, resource, group, .. } => {
                let resource = resource.split(' ').next().unwrap_or_default();
                format!(
                    "add to the Role of the ServiceAccount: {{apiGroups: [\"{group}\"], resources: [\"{resource}\"], verbs: \
                     [\"{verb}\"]}}"
                )
            }
            Self::NotFound { .. } => "check names and `cluster.namespace`".to_owned(),
            Self::Contended { what, .. } => format!("find out who keeps writing {what}: its managedFields name them"),
            Self::Refused { .. } => "the message names the rule, the quota or the webhook that refused it".to_owned(),
            Self::NoConfig { .. } => {
                "outside a pod, KUBECONFIG or ~/.kube/config names the cluster; in one, mount the ServiceAccount's token"
                    .to_owned()
            }
            Self::NotScalable { .. } => {
                "name a Deployment, a StatefulSet, or with `apiVersion` a kind that has a scale subresource".to_owned()
            }
            Self::Autoscaled { setting, .. } => format!(
                "leave the workload to the autoscaler and take it out of the configuration, or set {setting}.allowHPA: true"
            ),
            Self::Owned { owner, setting, .. } => format!("name {owner} in {setting}, if it can be scaled, instead"),
            Self::OtherApp { .. } => "`taster restore` with that app's configuration puts it back".to_owned(),
            Self::BadRecord { workload, annotation, .. } => format!(
                "scale it by hand to what it should have, then take the annotation off: kubectl annotate {} {} {annotation}-",
                workload.kind.to_lowercase(),
                workload.name
            ),
            Self::Locked { lease, .. } => format!(
                "wait for it, or set `cluster.lock.wait`; if nothing of it runs any more: kubectl delete lease {lease}"
            ),
            Self::LockLost { .. } => "nothing was put back, for the other one is at work now; run this again later".to_owned(),
        })
    }
}

/// What an error of the client means. `resource` is spelled as a Role spells it, with the object's name: `pods mongo-0`.
pub(crate) fn refused(error: kube::Error, verb: &str, resource: &str, namespace: &str) -> ClusterError {
    let (verb, resource, namespace) = (verb.to_owned(), resource.to_owned(), namespace.to_owned());
    let status = match error {
        kube::Error::Api(status) => status,
        kube::Error::HyperError(_) | kube::Error::Service(_) | kube::Error::ReadEvents(_) => {
            return ClusterError::Unreachable { detail: innermost(&error) };
        }
        other => return ClusterError::Refused { verb, resource, message: innermost(&other) },
    };
    match status.code {
        403 => match Denied::parse(&status.message) {
            Some(denied) => {
                let name = resource.split_once(' ').map_or(String::new(), |(_, name)| format!(" {name}"));
                let (verb, resource) = (denied.verb.to_owned(), format!("{}{name}", denied.resource));
                ClusterError::Forbidden { verb, resource, group: denied.group.to_owned(), namespace }
            }
            // quotas and admission answer 403 as well
            None => ClusterError::Refused { verb, resource, message: status.message.clone() },
        },
        // "Unauthorized" alone leaves people looking for a missing right
        401 => {
            let message =
                format!("it does not know who asks, the token is expired or of another cluster: {}", status.message);
            ClusterError::Refused { verb, resource, message }
        }
        404 => ClusterError::NotFound { what: resource, namespace },
        409 => ClusterError::Contended { what: resource, tries: 1 },
        408 | 429 | 500 | 502..=504 => {
            ClusterError::Unreachable { detail: format!("{}: {}", status.code, status.message) }
        }
        _ => ClusterError::Refused { verb, resource, message: status.message.clone() },
    }
}

/// What the authoriser says it denied: `… cannot patch resource "statefulsets/scale" in API group "apps" in the …`.
struct Denied<'a> {
    verb: &'a str,
    resource: &'a str,
    group: &'a str,
}

impl<'a> Denied<'a> {
    fn parse(message: &'a str) -> Option<Self> {
        let (_, rest) = message.split_once(" cannot ")?;
        let (verb, rest) = rest.split_once(" resource \"")?;
        let (resource, rest) = rest.split_once("\" in API group \"")?;
        let (group, _) = rest.split_once('"')?;
        Some(Self { verb, resource, group })
    }
}

/// The error that all others are about: `client error (Connect)` helps nobody.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    fn answer(code: u16, message: &str) -> ClusterError {
        let status = Status { code, message: message.to_owned(), ..Status::default() };
        refused(kube::Error::Api(status.boxed()), "get", "deployments web", "shop")
    }

    #[test]
    fn a_missing_right_is_spelled_as_a_role_spells_it() {
        let error = answer(
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
    fn a_refusal_of_another_kind_is_no_missing_right() {
        let quota = answer(403, "deployments.apps \"web\" is forbidden: exceeded quota: small");
        assert_eq!(quota.code(), "T0705", "{quota}");
        assert!(answer(503, "starting").is_passing() && answer(429, "slow down").is_passing());
        assert!(!answer(422, "spec.replicas: Invalid value: -1").is_passing());
        let unknown = answer(401, "Unauthorized");
        assert_eq!(
            unknown.to_string(),
            "the Kubernetes API server refused to get deployments web: it does not know who asks, the token is expired or of \
             another cluster: Unauthorized"
        );
        assert_eq!(answer(404, "not found").to_string(), "there is no deployments web in namespace shop");
    }
}
