//! Which copy of the data is this? A volume that is copied block by block keeps every UUID, so nothing in the data says
//! so; what a server writes down about its own starts does.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ServerFacts;

/// What the data are, for the question whether two captures may be compared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DataKind {
    /// A copy of other data, replaced as a whole from time to time. Only captures of the same copy are compared.
    #[default]
    Copy,
    /// The data themselves: always the same ones. Documents that are newer than the baseline are allowed, changed and
    /// missing ones are not.
    Live,
}

/// One server process that holds the data, and every start that its data files know of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Member {
    /// Its address as the replica set calls it. Absent on a server by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// `hello.topologyVersion.processId`: another one means that mongod was started again. Absent where it did not answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process_id: Option<String>,
    /// Ids of `local.startup_log`, oldest first. Empty where the user may not read it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub startups: Vec<String>,
}

/// What a later server must still know to hold the same copy.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CopyWitness {
    /// Address of the member that was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// How many members the set had.
    #[serde(default)]
    pub members: usize,
    /// Its process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process_id: Option<String>,
    /// The newest start that its data files knew of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub startup: Option<String>,
    /// The volumes that the data lay on, `claim=volume`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<String>,
    /// What the systems that copy the data had copied last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub copied: Vec<String>,
}

/// How the copy of one moment is related to that of a later one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CopyRelation {
    /// The same copy, changed or not.
    Same,
    /// Another one: what was there was replaced as a whole.
    Another,
    /// Nobody can tell.
    Untold,
}

impl ServerFacts {
    /// What a later server must still know to hold the same copy.
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

    /// Whether this server holds the copy that `earlier` is the witness of.
    ///
    /// The same process holds the same files. Another process of the same files still lists the start that the earlier
    /// one wrote down; files that were copied from elsewhere do not carry it. After an election another member is read,
    /// so every member is asked. Files that list the start were moved with it, on whatever volume they are: what the
    /// upgrade did to them came along. Where the files tell nothing, volumes of which none is left are another copy, and
    /// whoever copied them may know.
    #[must_use]
    pub fn holds(&self, earlier: &CopyWitness) -> CopyRelation {
        let same_process = |member: &Member| member.process_id.is_some() && member.process_id == earlier.process_id;
        if self.members.iter().any(same_process) {
            return CopyRelation::Same;
        }
        match self.holds_start(earlier) {
            CopyRelation::Untold if self.moved_from(earlier) => CopyRelation::Another,
            CopyRelation::Untold if self.copied.is_empty() || earlier.copied.is_empty() => CopyRelation::Untold,
            CopyRelation::Untold if self.copied == earlier.copied => CopyRelation::Same,
            CopyRelation::Untold => CopyRelation::Another,
            told => told,
        }
    }

    /// Whether the data lie on none of the volumes on which they lay. A claim may be given another name.
    #[must_use]
    pub fn moved_from(&self, earlier: &CopyWitness) -> bool {
        let volume = |claimed: &str| claimed.rsplit_once('=').map_or(claimed, |(_, volume)| volume).to_owned();
        let known = !self.volumes.is_empty() && !earlier.volumes.is_empty();
        let before: Vec<String> = earlier.volumes.iter().map(|claimed| volume(claimed)).collect();
        known && !self.volumes.iter().any(|claimed| before.contains(&volume(claimed)))
    }

    /// What the files say of their own starts.
    fn holds_start(&self, earlier: &CopyWitness) -> CopyRelation {
        let Some(startup) = &earlier.startup else { return CopyRelation::Untold };
        if self.members.iter().any(|member| member.startups.contains(startup)) {
            return CopyRelation::Same;
        }
        // the files that held the start are those of one member: only its own log can say that it is gone
        let witness = match self.members.as_slice() {
            // a set of one may be given another name
            [only] if earlier.members <= 1 => Some(only),
            several => several.iter().find(|member| member.host.is_some() && member.host == earlier.host),
        };
        match witness {
            Some(member) if !member.startups.is_empty() => CopyRelation::Another,
            _ => CopyRelation::Untold,
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
            volumes: Vec::new(),
            copied: Vec::new(),
            members: members
                .iter()
                .map(|(host, process, startups)| Member {
                    host: text(host),
                    process_id: text(process),
                    startups: startups.iter().map(|&startup| startup.to_owned()).collect(),
                })
                .collect(),
        }
    }

    #[test]
    fn a_copy_is_known_by_the_starts_that_its_files_list() {
        use CopyRelation::{Another, Same, Untold};
        let first = server(&[("", "p1", &["prod-1", "stage-1"])]).copy_witness();
        assert_eq!(first.startup.as_deref(), Some("stage-1"));
        for (later, expected, why) in [
            (server(&[("", "p1", &[])]), Same, "the same process, whatever may be read"),
            (server(&[("", "p2", &["prod-1", "stage-1", "stage-2"])]), Same, "started again"),
            (server(&[("", "p2", &["prod-1", "stage-2"])]), Another, "a fresh copy does not carry stage's own starts"),
            (server(&[("", "p2", &["prod-1"])]), Another, "nor does production itself"),
            (server(&[("", "p2", &[])]), Untold, "the log may not be read"),
            (server(&[("", "", &["prod-1", "stage-1"])]), Same, "nobody needs to know the process"),
        ] {
            assert_eq!(later.holds(&first), expected, "{why}");
        }
        let unread = server(&[("", "p1", &[])]).copy_witness();
        assert_eq!(server(&[("", "p2", &["prod-1"])]).holds(&unread), Untold, "nothing was known before");
        assert_eq!(
            server(&[("", "", &[])]).holds(&CopyWitness::default()),
            Untold,
            "two unknown processes are not one"
        );
    }

    #[test]
    fn volumes_and_whoever_copied_them_join_the_witness() {
        use CopyRelation::{Another, Same, Untold};
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
            (on("p1", &[], &["data-0=pv-9"], &["item-9"]), &first, Same, "the same process, whatever else is said"),
            (on("p2", &["prod-1", "stage-1"], &["data-0=pv-9"], &["item-1"]), &first, Same, "moved, damage and all"),
            (on("p2", &[], &["claim=pv-1"], &["item-1"]), &mute, Same, "the same volume by another claim"),
            (on("p2", &["prod-1", "stage-1"], &["data-0=pv-1"], &["item-9"]), &first, Same, "started again"),
            (on("p2", &["prod-1", "stage-2"], &["data-0=pv-1"], &["item-1"]), &first, Another, "restored in place"),
            (on("p2", &["prod-1", "stage-1"], &["data-1=pv-2"], &[]), &first, Same, "one of the two was made anew"),
            (on("p2", &["prod-1", "stage-1"], &[], &[]), &first, Same, "the volumes are not known any more"),
            (on("p2", &[], &["data-0=pv-1"], &["item-1"]), &mute, Same, "the files are mute, the copier is not"),
            (on("p2", &[], &["data-0=pv-1"], &["item-2"]), &mute, Another, "it copied in between"),
            (on("p2", &[], &["data-0=pv-1"], &[]), &mute, Untold, "it is not asked any more"),
            (on("p2", &[], &["data-0=pv-9"], &["item-1"]), &mute, Another, "another volume"),
            (on("p2", &[], &["data-0=pv-1"], &["item-1"]), &nothing, Untold, "nothing was known before"),
        ] {
            assert_eq!(later.holds(earlier), expected, "{why}");
        }
    }

    #[test]
    fn a_witness_that_was_stored_before_there_were_volumes_reads() {
        let old = r#"{"host":"a:1","members":1,"process_id":"p1","startup":"s"}"#;
        let read: CopyWitness = serde_json::from_str(old).unwrap();
        assert!(read.volumes.is_empty() && read.copied.is_empty());
        assert_eq!(serde_json::to_string(&read).unwrap(), old, "and is written as it was");
    }

    #[test]
    fn after_an_election_the_member_that_was_read_is_asked() {
        use CopyRelation::{Another, Same, Untold};
        let first = server(&[("a:1", "pa", &["a-1"]), ("b:1", "pb", &["b-1"])]).copy_witness();
        assert_eq!((first.host.as_deref(), first.members), (Some("a:1"), 2));
        let one = server(&[("a:1", "pa", &["a-1"])]).copy_witness();
        assert_eq!(server(&[("b:1", "pb", &["b-1"])]).holds(&one), Another, "a set of one under another name");
        for (later, expected, why) in [
            (
                server(&[("b:1", "pb", &["b-1"]), ("a:1", "pa", &["a-1"])]),
                Same,
                "another primary, the member still runs",
            ),
            (server(&[("b:1", "pb", &["b-1"]), ("a:1", "p2", &["a-1", "a-2"])]), Same, "it was started again"),
            (server(&[("b:1", "pb", &["b-1"]), ("a:1", "p2", &["prod-1", "a-2"])]), Another, "its files were replaced"),
            (server(&[("b:1", "pb", &["b-1"]), ("a:1", "", &[])]), Untold, "it does not answer"),
            (server(&[("b:1", "pb", &["b-1"])]), Untold, "it has left the set"),
            (server(&[("b:1", "pb", &["b-1"]), ("c:1", "pc", &["c-1"])]), Untold, "the member is not there any more"),
            (server(&[("b:1", "pb", &["b-1"]), ("a:1", "p2", &[])]), Untold, "its log may not be read"),
        ] {
            assert_eq!(later.holds(&first), expected, "{why}");
        }
    }
}
