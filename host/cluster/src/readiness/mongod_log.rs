//! The reason in a mongod's log why it ended.
//!
//! A mongod that fails logs the reason, and then its orderly shutdown in twenty lines. The two kilobytes of the log that the
//! kubelet keeps may hold that shutdown only; then the exit code gives the reason.

use serde_json::Value;

/// The reason in the last lines of a mongod's log. `None` where this is the log of another program.
pub(super) fn failure_reason(log: &str, exit_code: i32) -> Option<String> {
    // the first line may be cut
    let lines: Vec<Value> =
        log.lines().filter_map(|line| serde_json::from_str(line).ok()).filter(is_log_line).collect();
    let last = lines.last()?;
    let error = lines.iter().rfind(|line| matches!(line["s"].as_str(), Some("E" | "F")));
    let mut reason = describe(error.unwrap_or(last));
    if let Some(meaning) = exit_code_meaning(exit_code) {
        reason = format!("{reason} (mongod: {meaning})");
    }
    Some(reason)
}

fn is_log_line(line: &Value) -> bool {
    line["s"].is_string() && line["c"].is_string() && line["msg"].is_string()
}

fn describe(line: &Value) -> String {
    let message = line["msg"].as_str().unwrap_or_default();
    let error = ["error", "reason", "msg"].iter().find_map(|key| line["attr"][key].as_str());
    error.map_or_else(|| message.to_owned(), |error| format!("{message}: {error}"))
}

/// From "Exit Codes and Statuses" of MongoDB's manual.
fn exit_code_meaning(exit_code: i32) -> Option<&'static str> {
    Some(match exit_code {
        2 => "invalid or conflicting options",
        14 => "unrecoverable error",
        48 => "it could not listen on its port",
        62 => "its data files are of an incompatible version",
        100 => "uncaught exception, often because the data directory is missing, locked or not writable",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    // written by mongod 6.0.5 with a --dbpath that does not exist
    const ERROR: &str = r#"{"t":{"$date":"2026-11-25T03:38:12.441+00:00"},"s":"E",  "c":"CONTROL",  "id":20557,   "ctx":"initandlisten","msg":"DBException in initAndListen, terminating","attr":{"error":"NonExistentPath: Data directory /nowhere not found."}}"#;
    const SHUTDOWN: &str = r#"wControlTicketholder"}
{"t":{"$date":"2026-11-25T03:38:12.441+00:00"},"s":"I",  "c":"CONTROL",  "id":20565,   "ctx":"initandlisten","msg":"Now exiting"}
{"t":{"$date":"2026-11-25T03:38:12.442+00:00"},"s":"I",  "c":"CONTROL",  "id":23138,   "ctx":"initandlisten","msg":"Shutting down","attr":{"exitCode":100}}
"#;

    #[test]
    fn the_error_is_preferred_to_the_shutdown() {
        let reason = failure_reason(&format!("{ERROR}\n{SHUTDOWN}"), 1).expect("a mongod");
        insta::assert_snapshot!(reason, @"DBException in initAndListen, terminating: NonExistentPath: Data directory /nowhere not found.");
        let reason = failure_reason(SHUTDOWN, 100).expect("a mongod");
        insta::assert_snapshot!(reason, @"Shutting down (mongod: uncaught exception, often because the data directory is missing, locked or not writable)");
        assert!(
            failure_reason(SHUTDOWN, 62)
                .expect("a mongod")
                .ends_with("(mongod: its data files are of an incompatible version)")
        );
    }

    #[test]
    fn the_log_of_another_program_gives_no_reason() {
        assert_eq!(failure_reason("panic: no MONGO_URI\ngoroutine 1", 2), None);
        assert_eq!(failure_reason(r#"{"level": "fatal", "msg": "no MONGO_URI"}"#, 1), None);
        assert_eq!(failure_reason("", 62), None);
    }
}
