//! Several processes write to the same runs concurrently.

use std::collections::{BTreeMap, BTreeSet};

use crate::{child_process, shop, test_store::TestStore};

pub(crate) const ROUNDS: usize = 25;
const PROCESSES: usize = 4;

#[tokio::test(flavor = "multi_thread")]
async fn one_of_several_concurrent_processes_commits_and_no_swap_is_lost() {
    for backend in &TestStore::on_both_backends().await {
        race_on(backend).await;
    }
}

async fn race_on(backend: &TestStore) {
    let names: Vec<String> = (0..PROCESSES).map(|n| format!("racer{n}")).collect();
    let racers: Vec<_> = names.iter().map(|name| child_process::spawn("race", backend, name)).collect();
    for name in &names {
        child_process::wait_for(&backend.note(&format!("{name}.ready")));
    }
    std::fs::write(backend.note("go"), "").unwrap();
    for mut racer in racers {
        assert!(racer.wait().unwrap().success());
    }

    let mut owners: BTreeMap<String, usize> = BTreeMap::new();
    let mut committed: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for name in &names {
        let noted = std::fs::read_to_string(backend.note(&format!("{name}.noted"))).unwrap();
        for line in noted.lines() {
            let [run, own, attempt] = line.split(' ').collect::<Vec<_>>().try_into().unwrap();
            *owners.entry(run.to_owned()).or_default() += usize::from(own == "true");
            committed.entry(run.to_owned()).or_default().insert(attempt.to_owned());
        }
    }
    let store = backend.app().await;
    assert_eq!(owners.len(), ROUNDS);
    for (run, seen) in committed {
        assert_eq!(owners[&run], 1, "{run}: exactly one process committed");
        let capture = store.run(&shop::run(&run)).pre().await.unwrap().unwrap();
        assert_eq!(
            seen,
            BTreeSet::from([capture.get().attempt.to_string()]),
            "{run}: all processes saw the same capture"
        );
    }
    let counted = store.current().await.unwrap().unwrap().baseline.unwrap().run;
    assert_eq!(counted.as_str(), (PROCESSES * ROUNDS).to_string());
}
