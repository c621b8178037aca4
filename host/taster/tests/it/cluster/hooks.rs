//! In a Job: who this process is, how much time it has, what it says on the Job.

use k8s_openapi::api::{batch::v1::Job, core::v1::Pod, events::v1::Event};
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use serde_json::json;

use super::{PROBES, Shop, ended};

/// A Job as Argo CD makes it and its pod, which this test plays itself.
struct Hook {
    job: String,
    pod: String,
    uid: String,
}

impl Hook {
    async fn of(shop: &Shop, job: &str, deadline: Option<i64>) -> Self {
        let template =
            json!({"spec": {"containers": [{"name": "taster", "image": "taster"}], "restartPolicy": "Never"}});
        let object = json!({"metadata": {"name": job}, "spec": {"suspend": true, "template": template}});
        let jobs = shop.api::<Job>();
        jobs.create(&PostParams::default(), &serde_json::from_value(object).expect("an object"))
            .await
            .expect("an answer");
        let pod = format!("{job}-x7k2p");
        let mut object = json!({"metadata": {"name": pod}, "spec": template["spec"]});
        object["spec"]["activeDeadlineSeconds"] = json!(deadline);
        object["spec"]["terminationGracePeriodSeconds"] = json!(10);
        let pods = shop.api::<Pod>();
        let made = pods
            .create(&PostParams::default(), &serde_json::from_value(object).expect("an object"))
            .await
            .expect("an answer");
        let start = k8s_openapi::jiff::Timestamp::now().to_string();
        let status = Patch::Merge(json!({"status": {"startTime": start, "phase": "Running"}}));
        pods.patch_status(&pod, &PatchParams::default(), &status).await.expect("an answer");
        Self { job: job.to_owned(), pod, uid: made.metadata.uid.expect("it is there") }
    }

    async fn taster(&self, shop: &Shop, arguments: &[&str]) -> crate::support::CommandOutput {
        let mut command = shop.command(arguments);
        command.env("TASTER_POD", &self.pod).env("TASTER_POD_UID", &self.uid).env("TASTER_JOB", &self.job);
        command.env("TASTER_NAMESPACE", &shop.namespace);
        let piped = std::process::Stdio::piped;
        ended(command.stdout(piped()).stderr(piped()).spawn().expect("the binary runs")).await
    }

    async fn annotation(&self, shop: &Shop, key: &str) -> Option<String> {
        let job = shop.api::<Job>().get(&self.job).await.expect("an answer");
        job.metadata.annotations?.get(key).cloned()
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a control plane: make test-cluster"]
async fn the_hooks_of_one_sync_agree_on_a_run_and_say_on_their_jobs_what_came_of_it() {
    let shop = Shop::open().await;
    shop.configure("", &format!("{PROBES}report: {{url: \"https://t/{{app}}/{{run}}\"}}\n"));
    let pre = Hook::of(&shop, "pre-taste-abc1234-presync-1764000000", None).await;
    let tasted = pre.taster(&shop, &["pre"]).await;
    assert_eq!(tasted.code, 0, "{}", tasted.all());
    assert_eq!(pre.annotation(&shop, "taster.dev/run").await.as_deref(), Some("1764000000"));
    let post = Hook::of(&shop, "post-taste-abc1234-postsync-1764000000", None).await;
    let judged = post.taster(&shop, &["post"]).await;
    assert_eq!(judged.code, 0, "{}", judged.all());
    shop.expect_back(0, &judged.all()).await;
    let verdict = post.annotation(&shop, "taster.dev/verdict").await.expect("an answer");
    assert!(verdict.starts_with("same: "), "{verdict}");
    let link = post.annotation(&shop, "link.argocd.argoproj.io/report").await;
    assert_eq!(link.as_deref(), Some("https://t/pxbbq/1764000000"));
    let events = shop.api::<Event>().list(&ListParams::default()).await.expect("an answer").items;
    let ours = events.iter().filter(|e| e.reporting_controller.as_deref() == Some("taster.dev/taster"));
    let mut said: Vec<String> = ours
        .map(|e| {
            let regarding = e.regarding.clone().expect("it is there");
            format!("{} {}", e.reason.clone().expect("it is there"), regarding.kind.expect("it is there"))
        })
        .collect();
    said.sort();
    said.dedup();
    let expected = [
        "Restored Deployment",
        "Restored StatefulSet",
        "Same Job",
        "ScaledUp Deployment",
        "ScaledUp StatefulSet",
        "Tasted Job",
    ];
    assert_eq!(said, expected);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a control plane: make test-cluster"]
async fn a_job_whose_time_is_nearly_over_gives_up_while_it_can_still_restore() {
    let shop = Shop::open().await;
    shop.kubelet.hold("mongo");
    // ten seconds of them are the grace period
    let hook = Hook::of(&shop, "pre-taste-presync-1764000000", Some(16)).await;
    let ended = hook.taster(&shop, &["pre"]).await;
    assert_eq!(ended.code, 4, "{}", ended.all());
    assert!(
        ended.err.contains("error[T0625]: Job pre-taste-presync-1764000000 is about to reach `activeDeadlineSeconds`"),
        "{}",
        ended.err
    );
    assert!(ended.err.contains("scaled a workload workload=StatefulSet mongo from=0 to=1"), "{}", ended.err);
    shop.expect_back(0, &ended.all()).await;
    let verdict = hook.annotation(&shop, "taster.dev/verdict").await.expect("an answer");
    assert!(verdict.starts_with("failed: error[T0625]"), "{verdict}");
}
