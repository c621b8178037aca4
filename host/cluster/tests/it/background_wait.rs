//! A wait for readiness in the background, whose messages a test can wait for.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use taster_cluster::{Cluster, ClusterError, Workload};
use tokio::task::JoinHandle;

use crate::shop::until;

pub(crate) struct BackgroundWait {
    messages: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<Result<(), ClusterError>>,
}

impl BackgroundWait {
    /// Starts to wait until the workload is ready, at most this long.
    pub(crate) fn start(cluster: &Cluster, workload: &Workload, timeout: Duration) -> Self {
        let messages: Arc<Mutex<Vec<String>>> = Arc::default();
        let task = tokio::spawn({
            let (cluster, workload, messages) = (cluster.clone(), workload.clone(), Arc::clone(&messages));
            async move {
                let on_change = |text: &str| messages.lock().expect("a list").push(text.to_owned());
                cluster.wait_until_ready(&workload, Instant::now() + timeout, &on_change).await
            }
        });
        Self { messages, task }
    }

    /// Waits until a message contains this text.
    pub(crate) async fn reported(&self, text: &str) {
        until(&format!("the message `{text}`"), || async { self.has_reported(text).then_some(()) }).await;
    }

    pub(crate) fn has_reported(&self, text: &str) -> bool {
        self.messages.lock().expect("a list").iter().any(|message| message.contains(text))
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.task.is_finished()
    }

    /// The result of the wait.
    pub(crate) async fn result(self) -> Result<(), ClusterError> {
        self.task.await.expect("no panic")
    }

    /// The text of the error that the wait ends with.
    pub(crate) async fn error(self) -> String {
        self.result().await.expect_err("an error").to_string()
    }
}
