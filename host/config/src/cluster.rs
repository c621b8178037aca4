//! `cluster`: the workloads that are scaled for a capture, their order, and the time limits.

use std::{collections::BTreeSet, fmt, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use taster_cluster::{WhenLocked, Workload, WorkloadRef};

use super::{
    error::{ConfigError, inconsistent},
    names::{OBJECT_NAME, is_object_name},
    units::{Delay, Period},
};

/// The kinds whose `apiVersion` may be left out.
const APPS: [&str; 2] = ["Deployment", "StatefulSet"];

/// Workloads of a Kubernetes cluster that are scaled up for `pre` and `post`, and restored.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ClusterSection {
    /// Namespace of the workloads. Default: the pod's own, else that of the kubeconfig's context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The database: scaled up in this order before anything is read, and restored last.
    #[serde(default)]
    pub data: Vec<WorkloadScale>,
    /// The applications: `pre` scales them up after its capture, `post` before its capture.
    #[serde(default)]
    pub apps: Vec<WorkloadScale>,
    /// How long `post` waits after the last application is ready, before it reads. Default `0s`.
    #[serde(default)]
    pub settle: Delay,
    /// What to do when another process of this app holds the lock.
    #[serde(default)]
    pub lock: LockSection,
    /// Workloads that are up for longer than this are abandoned: `taster restore --abandoned` restores them. Default `4h`.
    #[serde(default = "default_abandoned_after")]
    pub abandoned_after: Period,
}

/// One workload.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct WorkloadScale {
    /// `Deployment`, `StatefulSet`, or any kind that has a scale subresource.
    pub kind: String,
    /// `apps/v1`. Only other kinds than `Deployment` and `StatefulSet` need one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// Its name.
    pub name: String,
    /// Replicas that `pre` and `post` need. A workload with more is not changed. Default 1.
    #[serde(default = "default_replicas")]
    pub replicas: i32,
    /// How long it may take to become ready. Default `5m`.
    #[serde(default = "default_ready_timeout")]
    pub ready_timeout: Period,
    /// Scale it even if an autoscaler scales it too. Default: refuse it.
    #[serde(default, rename = "allowHPA")]
    pub allow_hpa: bool,
}

/// What to do when another process of this app holds the lock.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct LockSection {
    /// `wait` for it, or `fail` at once. Default `wait`.
    #[serde(default)]
    pub busy: OnLocked,
    /// How long to wait. Default `10m`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait: Option<Period>,
}

/// What to do when the lock is held.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnLocked {
    /// Wait until the lock is free.
    #[default]
    Wait,
    /// Fail at once.
    Fail,
}

fn default_replicas() -> i32 {
    1
}

fn default_ready_timeout() -> Period {
    Period::from_secs(5 * 60)
}

fn default_abandoned_after() -> Period {
    Period::from_secs(4 * 60 * 60)
}

impl ClusterSection {
    /// The database's workloads, in their order.
    #[must_use]
    pub fn data(&self) -> Vec<Workload> {
        self.data.iter().map(|scaling| scaling.workload("data")).collect()
    }

    /// The applications' workloads, in their order.
    #[must_use]
    pub fn apps(&self) -> Vec<Workload> {
        self.apps.iter().map(|scaling| scaling.workload("apps")).collect()
    }

    /// All of them, in the order in which they are scaled up.
    #[must_use]
    pub fn workloads(&self) -> Vec<Workload> {
        let mut all = self.data();
        all.extend(self.apps());
        all
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if let Some(namespace) = &self.namespace
            && !is_object_name(namespace)
        {
            return Err(inconsistent("cluster.namespace", format!("`{namespace}` is no namespace"), OBJECT_NAME));
        }
        let listed = self.data.iter().map(|w| ("data", w)).chain(self.apps.iter().map(|w| ("apps", w)));
        let mut names = BTreeSet::new();
        for (list, scaling) in listed {
            scaling.check(list)?;
            if !names.insert((scaling.kind.as_str(), scaling.name.as_str())) {
                let message = format!("{} {} is named twice", scaling.kind, scaling.name);
                let help = "list each workload once, under `data` or under `apps`";
                return Err(inconsistent(scaling.setting(list), message, help));
            }
        }
        if names.is_empty() {
            let help = "name them under `data` and `apps`, or leave `cluster` out: then no cluster is touched";
            return Err(inconsistent("cluster", "neither `data` nor `apps` names a workload", help));
        }
        if self.lock.busy == OnLocked::Fail && self.lock.wait.is_some() {
            let help = "keep one of them";
            return Err(inconsistent("cluster.lock.wait", "`wait` has no effect with `busy: fail`", help));
        }
        Ok(())
    }
}

impl WorkloadScale {
    fn setting(&self, list: &str) -> String {
        format!("cluster.{list}[{}]", self.name)
    }

    fn workload(&self, list: &str) -> Workload {
        Workload {
            reference: WorkloadRef {
                api_version: self.api_version.clone().unwrap_or_else(|| "apps/v1".to_owned()),
                kind: self.kind.clone(),
                name: self.name.clone(),
            },
            replicas: self.replicas,
            ready_timeout: self.ready_timeout.get(),
            allow_hpa: self.allow_hpa,
            setting: self.setting(list),
        }
    }

    fn check(&self, list: &str) -> Result<(), ConfigError> {
        let at = |key: &str| format!("{}{key}", self.setting(list));
        if !is_object_name(&self.name) {
            return Err(inconsistent(at(".name"), format!("`{}` is no name of a workload", self.name), OBJECT_NAME));
        }
        if !self.kind.starts_with(|c: char| c.is_ascii_uppercase())
            || !self.kind.bytes().all(|b| b.is_ascii_alphanumeric())
        {
            let help = match APPS.iter().find(|known| known.eq_ignore_ascii_case(self.kind.trim_end_matches('s'))) {
                Some(known) => format!("did you mean `{known}`?"),
                None => "write it as the manifest does, such as `StatefulSet`".to_owned(),
            };
            return Err(inconsistent(at(".kind"), format!("`{}` is no kind", self.kind), help));
        }
        if self.api_version.is_none() && !APPS.contains(&self.kind.as_str()) {
            let help = "write it as the manifest does, such as `apiVersion: psmdb.percona.com/v1`";
            return Err(inconsistent(at(""), format!("a {} needs its `apiVersion`", self.kind), help));
        }
        if self.replicas < 1 {
            let message = format!("{} replicas are too few", self.replicas);
            return Err(inconsistent(at(".replicas"), message, "at least 1: the replicas while Taster reads"));
        }
        Ok(())
    }
}

impl LockSection {
    /// The same setting in the type of the lock.
    #[must_use]
    pub fn when_locked(&self) -> WhenLocked {
        match self.busy {
            OnLocked::Wait => WhenLocked::Wait(self.wait_timeout()),
            OnLocked::Fail => WhenLocked::Fail,
        }
    }

    /// How long to wait for another process.
    #[must_use]
    pub fn wait_timeout(&self) -> Duration {
        self.wait.map_or(Duration::from_mins(10), Period::get)
    }
}

impl fmt::Display for WorkloadScale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} to {}", self.kind, self.name, self.replicas)
    }
}
