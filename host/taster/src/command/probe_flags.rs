//! Errors of `taster probe` in terms of its flags: the libraries name the settings of a configuration, and there is none.

use taster_diagnostics::CliError;
use taster_engine::EngineError;
use taster_flow::GrantError;
use taster_model::{Diagnostic, Failure};

/// What follows `probes[NAME].` in the name of a setting, and what to write for both. The first that fits counts.
const FLAGS: [(&str, &str); 7] = [
    ("limits.compileTime", "--compile-time"),
    ("limits.compileMemory", "--compile-memory"),
    ("limits.deadline", "--deadline"),
    ("limits.memory", "--memory"),
    // the others have no flag
    ("limits", "limits"),
    ("collections", "--collection"),
    // the path of an option within the JSON stays: `--config.groupBy`
    ("config", "--config"),
];

/// The path of the limits that errors of [`taster_flow::load_component`] name.
pub(super) const LIMITS: &str = "limits";

/// An error of loading a component whose limits are at [`LIMITS`].
pub(super) fn load_error(error: EngineError) -> EngineError {
    let named = |text: String| text.replace("limits.compileMemory", "--compile-memory");
    match error {
        EngineError::CompileTime { allowed, .. } => {
            EngineError::CompileTime { allowed, setting: "--compile-time".to_owned() }
        }
        // it may also name the limit of the container
        EngineError::CompileMemory { allowed, setting } => {
            EngineError::CompileMemory { allowed, setting: named(setting) }
        }
        EngineError::CompilerProcess { why, help } => EngineError::CompilerProcess { why, help: named(help) },
        other => other,
    }
}

/// A failure of the probe `name`.
pub(super) fn failure(failure: Failure, name: &str) -> Failure {
    let named = |text: String| with_flags(&text, name);
    Failure {
        message: named(failure.message),
        allowed: failure.allowed.map(named),
        setting: failure.setting.map(named),
        ..failure
    }
}

/// Collections that do not fit what the probe asks for.
pub(super) fn grant_error(error: &GrantError) -> CliError {
    let roles: &[String] = match error {
        GrantError::Unplayed { role, .. } => std::slice::from_ref(role),
        GrantError::Ambiguous { roles, .. } => roles,
        GrantError::TooMany { .. } => {
            return CliError::new(error.code(), error, "run the probe once for each collection".to_owned());
        }
        GrantError::UnknownRole { .. } => return CliError::new(error.code(), error, error.help()),
    };
    let flags: Vec<String> = roles.iter().map(|role| format!("--collection {role}=NAME")).collect();
    CliError::new(error.code(), error, flags.join(" "))
}

fn with_flags(text: &str, name: &str) -> String {
    // the engine and the SDK do not know the name
    let settings = [format!("probes[{name}]."), "probes[…].".to_owned()];
    settings.iter().fold(text.to_owned(), |text, probe| {
        FLAGS.iter().fold(text, |text, (setting, flag)| text.replace(&format!("{probe}{setting}"), flag))
    })
}

#[cfg(test)]
mod tests {
    use taster_model::Refusal;

    use super::*;

    #[test]
    fn settings_become_flags() {
        for (setting, flag) in [
            ("probes[sums].limits.deadline", "--deadline"),
            ("probes[…].limits.memory", "--memory"),
            ("probes[sums].limits.compileTime", "--compile-time"),
            ("probes[sums].limits.documents", "limits.documents"),
            ("probes[sums].collections", "--collection"),
            ("probes[…].config.groupBy", "--config.groupBy"),
            ("probes[others].config", "probes[others].config"),
        ] {
            assert_eq!(with_flags(setting, "sums"), flag);
        }
        let told = Failure::refused(Refusal::Invalid, "T0000", "probes[…].config.a: no")
            .allowed("lower probes[sums].limits.compileMemory")
            .setting("probes[…].config.a");
        assert_eq!(
            failure(told, "sums").to_string(),
            "T0000: --config.a: no (allowed: lower --compile-memory; setting: --config.a)"
        );
    }

    #[test]
    fn missing_collections_are_asked_for_with_the_flag() {
        let roles = || vec!["from".to_owned(), "to".to_owned()];
        let text = |error: &GrantError| grant_error(error).to_string();
        assert!(
            text(&GrantError::Ambiguous { count: 2, roles: roles() })
                .contains("help: --collection from=NAME --collection to=NAME")
        );
        let unplayed = GrantError::Unplayed { role: "to".to_owned(), summary: "the target".to_owned() };
        assert!(text(&unplayed).contains("help: --collection to=NAME"));
        let unknown = GrantError::UnknownRole { given: "of".to_owned(), known: roles() };
        assert!(text(&unknown).contains("help: its roles: from, to"));
        let too_many = GrantError::TooMany { role: "to".to_owned(), given: 2 };
        assert!(text(&too_many).contains("help: run the probe once for each collection"));
    }
}
