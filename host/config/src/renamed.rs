//! Keys that were renamed before 1.0: the old key is an error that names the new one.

/// Old and new name of each renamed key, with the section that holds it.
pub const RENAMED_KEYS: [(&str, &str, &str); 9] = [
    ("", "fresh", "freshness"),
    ("mongodb", "connect", "connectTimeout"),
    ("mongodb", "quiet", "quietPeriod"),
    ("mongodb", "reach", "majorityTimeout"),
    ("mongodb", "rescans", "maxRescans"),
    ("s3", "patience", "retryTimeout"),
    ("changes[]", "most", "maxDocuments"),
    ("cluster", "maxUp", "abandonedAfter"),
    ("cluster.data[], cluster.apps[]", "ready", "readyTimeout"),
];

/// The new name of a key, if the section with the old key accepts the new one.
pub(super) fn new_name(key: &str, known: &[&str]) -> Option<&'static str> {
    RENAMED_KEYS.iter().find(|(_, old, new)| *old == key && known.contains(new)).map(|(_, _, new)| *new)
}
