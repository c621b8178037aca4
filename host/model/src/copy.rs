//! Which copy of the data a server holds, and whether two captures read the same copy.
//!
//! A volume that is copied block by block keeps every UUID, so the data cannot tell copies apart. The list of starts that
//! a server records about itself (`local.startup_log`) can.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ReplicaMember, ServerFacts};

/// Whether captures read a copy of the data or the live data. It decides which captures may be compared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DataKind {
    /// A copy of other data that is replaced as a whole from time to time. Only captures of the same copy are compared.
    #[default]
    Copy,
    /// The live data, which are never replaced. Documents that are newer than the baseline are allowed; changed and missing
    /// documents are not.
    Live,
}

/// What identifies a copy of the data: facts that a later server must still show if it holds the same copy.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CopyWitness {
    /// Address of the member that was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Number of members of the replica set.
    #[serde(default)]
    pub members: usize,
    /// Its process id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process_id: Option<String>,
    /// The newest start that its data files listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub startup: Option<String>,
    /// Volumes that held the data, `claim=volume`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<String>,
    /// The last copy of each configured replication system.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub copied: Vec<String>,
}

/// Whether a later server holds the same copy of the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CopyRelation {
    /// The same copy, whether its documents changed or not.
    Same,
    /// A different copy: the data were replaced as a whole.
    Different,
    /// The facts do not decide it.
    Unknown,
}

impl ServerFacts {
    /// What identifies the copy that this server holds.
    #[must_use]
    pub fn copy_witness(&self) -> CopyWitness {
        let read = self.members.iter().find(|member| member.process_id == self.process_id);
        CopyWitness {
            host: read.and_then(|member| member.host.clone()),
            members: self.members.len(),
            process_id: self.process_id.clone(),
            startup: read.and_then(|member| member.startups.last().cloned()),
            volumes: self.volumes.clone(),
            copied: self.copied.clone(),
        }
    }

    /// Whether this server holds the copy that `earlier` identifies.
    ///
    /// The same process holds the same files. A restarted process still lists the start of the earlier one; files that
    /// were copied from elsewhere do not. After an election another member is read, so every member is considered. Files
    /// that list the start are the same copy on whatever volume they are. If the files decide nothing, a server that
    /// shares no volume with the earlier one holds a different copy; else the replication systems decide.
    #[must_use]
    pub fn copy_relation(&self, earlier: &CopyWitness) -> CopyRelation {
        let same_process =
            |member: &ReplicaMember| member.process_id.is_some() && member.process_id == earlier.process_id;
        if self.members.iter().any(same_process) {
            return CopyRelation::Same;
        }
        match self.startup_relation(earlier) {
            CopyRelation::Unknown if self.shares_no_volume_with(earlier) => CopyRelation::Different,
            CopyRelation::Unknown if self.copied.is_empty() || earlier.copied.is_empty() => CopyRelation::Unknown,
            CopyRelation::Unknown if self.copied == earlier.copied => CopyRelation::Same,
            CopyRelation::Unknown => CopyRelation::Different,
            known => known,
        }
    }

    /// Whether this server is the one, or a member of the set, that was read before: for live data. A copy of its files lists
    /// the same starts, so that a server that was started again must also be found under the same hosts.
    #[must_use]
    pub fn is_same_deployment_as(&self, earlier: &Self) -> bool {
        let is_running = self.members.iter().any(|member| {
            member.process_id.is_some() && earlier.members.iter().any(|other| other.process_id == member.process_id)
        });
        let same_hosts = self.hosts == earlier.hosts && self.replica_set == earlier.replica_set;
        is_running || same_hosts && self.startup_relation(&earlier.copy_witness()) == CopyRelation::Same
    }

    /// Whether the data are on none of the earlier volumes. Volumes are compared without their claims, which may be
    /// renamed.
    #[must_use]
    pub fn shares_no_volume_with(&self, earlier: &CopyWitness) -> bool {
        let volume = |claimed: &str| claimed.rsplit_once('=').map_or(claimed, |(_, volume)| volume).to_owned();
        let known = !self.volumes.is_empty() && !earlier.volumes.is_empty();
        let before: Vec<String> = earlier.volumes.iter().map(|claimed| volume(claimed)).collect();
        known && !self.volumes.iter().any(|claimed| before.contains(&volume(claimed)))
    }

    /// Whether the data files list the earlier start.
    fn startup_relation(&self, earlier: &CopyWitness) -> CopyRelation {
        let Some(startup) = &earlier.startup else { return CopyRelation::Unknown };
        if self.members.iter().any(|member| member.startups.contains(startup)) {
            return CopyRelation::Same;
        }
        // the start was listed in the files of one member: only that member's log can show that it is gone
        let witness = match self.members.as_slice() {
            // the only member of a set may have a new address
            [only] if earlier.members <= 1 => Some(only),
            several => several.iter().find(|member| member.host.is_some() && member.host == earlier.host),
        };
        match witness {
            Some(member) if !member.startups.is_empty() => CopyRelation::Different,
            _ => CopyRelation::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Topology;

    fn server(members: &[(&str, &str, &[&str])]) -> ServerFacts {
        let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        ServerFacts {
            version: "6.0.5".to_owned(),
            topology: Topology::Standalone,
            replica_set: None,
            process_id: text(members[0].1),
            database: "shop".to_owned(),
            read_at: None,
            clock: None,
            hosts: None,
            volumes: Vec::new(),
            copied: Vec::new(),
            members: members
                .iter()
                .map(|(host, process, startups)| ReplicaMember {
                    host: text(host),
                    process_id: text(process),
                    startups: startups.iter().map(|&startup| startup.to_owned()).collect(),
                })
                .collect(),
        }
    }

    #[test]
    fn a_copy_is_identified_by_the_starts_that_its_files_list() {
        use CopyRelation::{Different, Same, Unknown};
        let first = server(&[("", "p1", &["prod-1", "stage-1"])]).copy_witness();
        assert_eq!(first.startup.as_deref(), Some("stage-1"));
        for (later, expected, why) in [
            (server(&[("", "p1", &[])]), Same, "the same process, even if the log may not be read"),
            (server(&[("", "p2", &["prod-1", "stage-1", "stage-2"])]), Same, "started again"),
            (server(&[("", "p2", &["prod-1", "stage-2"])]), Different, "a fresh copy does not list stage's own starts"),
            (server(&[("", "p2", &["prod-1"])]), Different, "nor does production itself"),
            (server(&[("", "p2", &[])]), Unknown, "the log may not be read"),
            (server(&[("", "", &["prod-1", "stage-1"])]), Same, "the process id is not needed"),
        ] {
            assert_eq!(later.copy_relation(&first), expected, "{why}");
        }
        let unread = server(&[("", "p1", &[])]).copy_witness();
        assert_eq!(server(&[("", "p2", &["prod-1"])]).copy_relation(&unread), Unknown, "nothing was known before");
        assert_eq!(
            server(&[("", "", &[])]).copy_relation(&CopyWitness::default()),
            Unknown,
            "two unknown processes are not one"
        );
    }

    #[test]
    fn volumes_and_replication_systems_are_part_of_the_witness() {
        use CopyRelation::{Different, Same, Unknown};
        let list = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
        let on = |process: &str, startups: &[&str], volumes: &[&str], copied: &[&str]| ServerFacts {
            volumes: list(volumes),
            copied: list(copied),
            ..server(&[("", process, startups)])
        };
        let first = on("p1", &["prod-1", "stage-1"], &["data-0=pv-1", "data-1=pv-2"], &["item-1"]).copy_witness();
        assert_eq!((first.volumes.len(), first.copied.len()), (2, 1));
        let mute = on("p1", &[], &["data-0=pv-1"], &["item-1"]).copy_witness();
        let nothing = on("p1", &[], &[], &[]).copy_witness();
        for (later, earlier, expected, why) in [
            (on("p1", &[], &["data-0=pv-9"], &["item-9"]), &first, Same, "the same process, whatever the rest"),
            (on("p2", &["prod-1", "stage-1"], &["data-0=pv-9"], &["item-1"]), &first, Same, "moved to another volume"),
            (on("p2", &[], &["claim=pv-1"], &["item-1"]), &mute, Same, "the same volume by another claim"),
            (on("p2", &["prod-1", "stage-1"], &["data-0=pv-1"], &["item-9"]), &first, Same, "started again"),
            (on("p2", &["prod-1", "stage-2"], &["data-0=pv-1"], &["item-1"]), &first, Different, "restored in place"),
            (on("p2", &["prod-1", "stage-1"], &["data-1=pv-2"], &[]), &first, Same, "one of the two volumes is new"),
            (on("p2", &["prod-1", "stage-1"], &[], &[]), &first, Same, "the volumes are not known any more"),
            (on("p2", &[], &["data-0=pv-1"], &["item-1"]), &mute, Same, "the replication system decides"),
            (on("p2", &[], &["data-0=pv-1"], &["item-2"]), &mute, Different, "it copied in between"),
            (on("p2", &[], &["data-0=pv-1"], &[]), &mute, Unknown, "the replication system is not configured any more"),
            (on("p2", &[], &["data-0=pv-9"], &["item-1"]), &mute, Different, "another volume"),
            (on("p2", &[], &["data-0=pv-1"], &["item-1"]), &nothing, Unknown, "nothing was known before"),
        ] {
            assert_eq!(later.copy_relation(earlier), expected, "{why}");
        }
    }

    #[test]
    fn live_data_are_read_from_one_deployment() {
        let at = |hosts: &str, members: &[(&str, &str, &[&str])]| ServerFacts {
            hosts: Some(hosts.to_owned()),
            ..server(members)
        };
        let first = at("db:27017", &[("", "p1", &["db-1"])]);
        for (later, expected, why) in [
            (at("db:27017", &[("", "p1", &["db-1"])]), true, "the same process"),
            (at("alias:27017", &[("", "p1", &[])]), true, "the same process under another name"),
            (at("db:27017", &[("", "p2", &["db-1", "db-2"])]), true, "started again"),
            (at("other:27017", &[("", "p2", &["db-1", "other-1"])]), false, "a copy of its files elsewhere"),
            (at("other:27017", &[("", "p2", &["other-1"])]), false, "another server"),
            (at("db:27017", &[("", "p2", &["other-1"])]), false, "another server under the same name"),
            (at("db:27017", &[("", "p2", &[])]), false, "started again, and nothing shows it"),
        ] {
            assert_eq!(later.is_same_deployment_as(&first), expected, "{why}");
        }
        let set = |members: &[(&str, &str, &[&str])]| ServerFacts {
            replica_set: Some("rs".to_owned()),
            ..at("a,b", members)
        };
        let first = set(&[("a:1", "pa", &["a-1"]), ("b:1", "pb", &["b-1"])]);
        let restarted = set(&[("b:1", "p2", &["b-1", "b-2"]), ("a:1", "p3", &["a-1", "a-2"])]);
        assert!(restarted.is_same_deployment_as(&first), "every member was restarted");
        assert!(!ServerFacts { replica_set: Some("rs2".to_owned()), ..restarted }.is_same_deployment_as(&first));
    }

    #[test]
    fn a_witness_that_was_stored_without_volumes_can_be_read() {
        let old = r#"{"host":"a:1","members":1,"process_id":"p1","startup":"s"}"#;
        let read: CopyWitness = serde_json::from_str(old).unwrap();
        assert!(read.volumes.is_empty() && read.copied.is_empty());
        assert_eq!(serde_json::to_string(&read).unwrap(), old, "and is written as it was");
    }

    #[test]
    fn after_an_election_the_member_that_was_read_decides() {
        use CopyRelation::{Different, Same, Unknown};
        let first = server(&[("a:1", "pa", &["a-1"]), ("b:1", "pb", &["b-1"])]).copy_witness();
        assert_eq!((first.host.as_deref(), first.members), (Some("a:1"), 2));
        let one = server(&[("a:1", "pa", &["a-1"])]).copy_witness();
        assert_eq!(
            server(&[("b:1", "pb", &["b-1"])]).copy_relation(&one),
            Different,
            "a set of one under another name"
        );
        for (later, expected, why) in [
            (
                server(&[("b:1", "pb", &["b-1"]), ("a:1", "pa", &["a-1"])]),
                Same,
                "another primary, the member still runs",
            ),
            (server(&[("b:1", "pb", &["b-1"]), ("a:1", "p2", &["a-1", "a-2"])]), Same, "it was started again"),
            (
                server(&[("b:1", "pb", &["b-1"]), ("a:1", "p2", &["prod-1", "a-2"])]),
                Different,
                "its files were replaced",
            ),
            (server(&[("b:1", "pb", &["b-1"]), ("a:1", "", &[])]), Unknown, "it does not answer"),
            (server(&[("b:1", "pb", &["b-1"])]), Unknown, "it has left the set"),
            (server(&[("b:1", "pb", &["b-1"]), ("c:1", "pc", &["c-1"])]), Unknown, "the member is not there any more"),
            (server(&[("b:1", "pb", &["b-1"]), ("a:1", "p2", &[])]), Unknown, "its log may not be read"),
        ] {
            assert_eq!(later.copy_relation(&first), expected, "{why}");
        }
    }
}
