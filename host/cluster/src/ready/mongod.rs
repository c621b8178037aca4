//! The last words of a mongod: of a log of JSON lines, those that say what went wrong.
//!
//! A mongod that gives up says why and then speaks of its orderly end for twenty lines. The two kilobytes that the kubelet
//! keeps of a log may hold that end only; then its exit code says what it can.

use serde_json::Value;

/// What went wrong, of the last lines of a mongod's log. `None`: these are the words of something else.
pub(super) fn last_words(log: &str, exit_code: i32) -> Option<String> {
    // the first line may have lost its beginning
    let lines: Vec<Value> = log.lines().filter_map(|line| serde_json::from_str(line).ok()).filter(is_logged).collect();
    let last = lines.last()?;
    let grave = lines.iter().rfind(|line| matches!(line["s"].as_str(), Some("E" | "F")));
    let mut words = show(grave.unwrap_or(last));
    if let Some(meaning) = meaning(exit_code) {
        words = format!("{words} (mongod: {meaning})");
    }
    Some(words)
}

fn is_logged(line: &Value) -> bool {
    line["s"].is_string() && line["c"].is_string() && line["msg"].is_string()
}

fn show(line: &Value) -> String {
    let message = line["msg"].as_str().unwrap_or_default();
    let error = ["error", "reason", "msg"].iter().find_map(|key| line["attr"][key].as_str());
    error.map_or_else(|| message.to_owned(), |error| format!("{message}: {error}"))
}

/// As MongoDB's manual lists them, "Exit Codes and Statuses".
fn meaning(exit_code: i32) -> Option<&'static str> {
    Some(match exit_code {
        2 => "its options are wrong or do not go together",
        14 => "an error that it could not recover from",
        48 => "it could not listen on its port",
        62 => "its data files do not fit its version",
        100 => "an uncaught exception, often a data directory that is missing, locked or not writable",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    // as mongod 6.0.5 wrote them with a --dbpath that is not there
    const GRAVE: &str = r#"{"t":{"$date":"2026-11-25T03:38:12.441+00:00"},"s":"E",  "c":"CONTROL",  "id":20557,   "ctx":"initandlisten","msg":"DBException in initAndListen, terminating","attr":{"error":"NonExistentPath: Data directory /nowhere not found."}}"#;
    const END: &str = r#"wControlTicketholder"}
{"t":{"$date":"2026-11-25T03:38:12.441+00:00"},"s":"I",  "c":"CONTROL",  "id":20565,   "ctx":"initandlisten","msg":"Now exiting"}
{"t":{"$date":"2026-11-25T03:38:12.442+00:00"},"s":"I",  "c":"CONTROL",  "id":23138,   "ctx":"initandlisten","msg":"Shutting down","attr":{"exitCode":100}}
"#;

    #[test]
    fn what_went_wrong_comes_before_the_orderly_end() {
        let words = last_words(&format!("{GRAVE}\n{END}"), 1).expect("a mongod");
        insta::assert_snapshot!(words, @"DBException in initAndListen, terminating: NonExistentPath: Data directory /nowhere not found.");
        let words = last_words(END, 100).expect("a mongod");
        insta::assert_snapshot!(words, @"Shutting down (mongod: an uncaught exception, often a data directory that is missing, locked or not writable)");
        assert!(last_words(END, 62).expect("a mongod").ends_with("(mongod: its data files do not fit its version)"));
    }

    #[test]
    fn the_words_of_others_are_theirs() {
        assert_eq!(last_words("panic: no MONGO_URI\ngoroutine 1", 2), None);
        assert_eq!(last_words(r#"{"level": "fatal", "msg": "no MONGO_URI"}"#, 1), None);
        assert_eq!(last_words("", 62), None);
    }
}
