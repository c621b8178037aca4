//! Waiting until a workload is ready, and seeing early that it never will be.

mod error;
mod events;
mod judge;
mod look;
mod mongod;
mod pods;
mod reasons;
mod status;

use std::time::{Duration, Instant};

use kube::api::ApiResource;
use tokio::time::{sleep, timeout};

pub use error::ReadyError;
use judge::{Before, State};
use reasons::Hope;

use crate::{Cluster, ClusterError, Workload, words::brief};

/// How long between two looks.
const PAUSE: Duration = Duration::from_secs(1);

/// How long one look may take, the last one too. An API server that takes longer is away.
const LOOK: Duration = Duration::from_secs(10);

impl Cluster {
    /// Waits until the workload is as its specification says (observed generation) and `replicas` of it are ready.
    ///
    /// `say` is called with what is being waited for, whenever that changes.
    ///
    /// # Errors
    /// At once for what waiting cannot mend (crash loop, image name, configuration, missing claim, quota, admission), with
    /// the container's reason; at `until` for the rest, with what was still waited for.
    pub async fn wait_ready(
        &self,
        workload: &Workload,
        until: Instant,
        say: &(dyn Fn(&str) + Send + Sync),
    ) -> Result<(), ClusterError> {
        let began = Instant::now();
        let mut before = Before::default();
        let mut resource = None;
        let mut waited = String::new();
        loop {
            let left = until.saturating_duration_since(Instant::now());
            // what it hangs on is asked for once more even when the time is over
            let look = timeout(LOOK.min(left.max(PAUSE)), self.look(workload, &mut resource, &mut before)).await;
            let text = match look {
                Ok(Ok(None)) => return Ok(()),
                Ok(Ok(Some(text))) => text,
                Ok(Err(error)) if error.is_passing() => format!("{}: {error}", workload.of),
                Ok(Err(error)) => return Err(error),
                Err(_) => format!("{}: the Kubernetes API server does not answer", workload.of),
            };
            if text != waited {
                say(&text);
                waited = text;
            }
            if Instant::now() >= until {
                let limit = brief(began.elapsed());
                let setting = workload.setting.clone();
                let waited = waited.split_once(": ").map_or(waited.as_str(), |(_, rest)| rest).to_owned();
                return Err(ReadyError::Late { workload: workload.of.to_string(), limit, waited, setting }.into());
            }
            sleep(PAUSE.min(until.saturating_duration_since(Instant::now()))).await;
        }
    }

    /// One look. `None`: it is ready; else what is waited for.
    async fn look(
        &self,
        workload: &Workload,
        resource: &mut Option<ApiResource>,
        before: &mut Before,
    ) -> Result<Option<String>, ClusterError> {
        let resource = match resource {
            Some(known) => known,
            None => resource.insert(self.resource(&workload.of).await?),
        };
        let seen = self.see(&workload.of, resource).await?;
        let State::Waiting(mut waiting) = before.judge(workload, &seen)? else { return Ok(None) };
        for (name, uid, obstacle) in &mut waiting.pods {
            match &obstacle.hope {
                Hope::Claim(claim) if self.is_claim_missing(claim).await? => {
                    let reason = format!("pod {name}: {}", obstacle.text);
                    return Err(ReadyError::Hopeless { workload: workload.of.to_string(), reason }.into());
                }
                hope @ (Hope::SettingUp | Hope::Probed) => {
                    if let Some(more) = events::newest(&self.events(uid).await?, hope) {
                        obstacle.text = format!("{}: {more}", obstacle.text);
                    }
                }
                Hope::Claim(_) | Hope::Passing | Hope::None => {}
            }
        }
        if waiting.missing {
            let events = self.events(&seen.object.metadata.uid).await?;
            waiting.remarks.extend(before.hear(workload, &events)?);
        }
        Ok(Some(waiting.show(workload)))
    }
}
