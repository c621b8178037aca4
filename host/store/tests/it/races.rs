//! Processes at the same run at once.

use std::collections::{BTreeMap, BTreeSet};

use crate::{child, place::Place, shop};

pub(crate) const ROUNDS: usize = 25;
const PROCESSES: usize = 4;

#[tokio::test(flavor = "multi_thread")]
async fn of_several_processes_at_once_one_commits_and_no_swap_is_lost() {
    for place in &Place::both().await {
        race_at(place).await;
    }
}

async fn race_at(place: &Place) {
    let names: Vec<String> = (0..PROCESSES).map(|n| format!("racer{n}")).collect();
    let racers: Vec<_> = names.iter().map(|name| child::spawn("race", place, name)).collect();
    for name in &names {
        child::wait_for(&place.note(&format!("{name}.ready")));
    }
    std::fs::write(place.note("go"), "").unwrap();
    for mut racer in racers {
        assert!(racer.wait().unwrap().success());
    }

    let mut owners: BTreeMap<String, usize> = BTreeMap::new();
    let mut standing: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for name in &names {
        let noted = std::fs::read_to_string(place.note(&format!("{name}.noted"))).unwrap();
        for line in noted.lines() {
            let [run, own, stands] = line.split(' ').collect::<Vec<_>>().try_into().unwrap();
            *owners.entry(run.to_owned()).or_default() += usize::from(own == "true");
            standing.entry(run.to_owned()).or_default().insert(stands.to_owned());
        }
    }
    let store = place.app().await;
    assert_eq!(owners.len(), ROUNDS);
    for (run, seen) in standing {
        assert_eq!(owners[&run], 1, "{run}: one and only one process committed");
        let capture = store.run(&shop::run(&run)).pre().await.unwrap().unwrap();
        assert_eq!(seen, BTreeSet::from([capture.get().attempt.to_string()]), "{run}: all saw the same one");
    }
    let counted = store.current().await.unwrap().unwrap().baseline.unwrap().run;
    assert_eq!(counted.as_str(), (PROCESSES * ROUNDS).to_string());
}
