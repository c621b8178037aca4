//! The name of the person who accepts a verdict or drops a baseline.

use taster_diagnostics::{CliError, Exit};

/// Who started the job, as the CI systems say it: GitHub, GitLab, Jenkins (its plugin, then the author of the change), Azure,
/// `CircleCI`, Bitbucket.
const CI_USERS: [&str; 7] = [
    "GITHUB_ACTOR",
    "GITLAB_USER_LOGIN",
    "BUILD_USER",
    "CHANGE_AUTHOR",
    "BUILD_REQUESTEDFOR",
    "CIRCLE_USERNAME",
    "BITBUCKET_STEP_TRIGGERER_UUID",
];

/// The person: `given`, else the user of the CI system, else the user of this machine. In CI, the latter is the runner's own
/// account, which names nobody.
pub(super) fn acting_user(given: Option<&str>) -> String {
    choose(given, |name| std::env::var(name).ok())
}

fn choose(given: Option<&str>, variable: impl Fn(&str) -> Option<String>) -> String {
    let from_environment = CI_USERS.iter().chain(&["USER"]).filter_map(|name| variable(name));
    let mut named = given.map(ToOwned::to_owned).into_iter().chain(from_environment);
    named.find(|name| !name.trim().is_empty()).unwrap_or_else(|| "unknown".to_owned())
}

/// A reason must not be empty: readers of the report see it.
pub(super) fn check_reason(reason: &str) -> Result<(), CliError> {
    if reason.trim().is_empty() {
        let help = "give the reason that readers of the report will see".to_owned();
        return Err(CliError::new("T0619", "--reason is empty", help).with_exit(Exit::Usage));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flag_wins_then_the_ci_system_then_the_account() {
        let set = |pairs: &'static [(&str, &str)]| {
            move |name: &str| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        };
        let github: &[_] = &[("GITHUB_ACTOR", "ann"), ("USER", "runner")];
        assert_eq!(choose(Some("bob"), set(github)), "bob");
        assert_eq!(choose(None, set(github)), "ann");
        assert_eq!(choose(Some(" "), set(github)), "ann", "an empty TASTER_USER names nobody");
        for name in CI_USERS {
            let of = |variable: &str| (variable == name).then(|| "ann".to_owned());
            assert_eq!(choose(None, of), "ann", "{name}");
        }
        assert_eq!(choose(None, set(&[("GITHUB_ACTOR", ""), ("USER", "joe")])), "joe");
        let jenkins = set(&[("BUILD_USER", "ann"), ("CHANGE_AUTHOR", "bob"), ("USER", "jenkins")]);
        assert_eq!(choose(None, jenkins), "ann", "who started the build, not who wrote the change");
        assert_eq!(choose(None, |_| None), "unknown");
    }
}
