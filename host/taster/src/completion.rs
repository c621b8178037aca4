//! What a shell offers on Tab: the commands and flags that clap knows, and what only Taster knows: stored runs, standard probes,
//! codes.

use std::{ffi::OsStr, time::Duration};

use clap::Command;
use clap_complete::{
    CompleteEnv, Shell,
    engine::{ArgValueCandidates, ArgValueCompleter, CompletionCandidate, PathCompleter, ValueCompleter},
    env::Shells,
};
use taster_diagnostics::CliError;

use crate::{
    args::{ConfigArgs, StoreArgs},
    command::{self, inputs::open_app},
};

/// Shown by `--help`.
pub(crate) const EXAMPLES: &str = "\
Examples:
  # In this shell
  source <(taster completions bash)

  # In every zsh
  taster completions zsh > ~/.zfunc/_taster

  # In every fish
  taster completions fish > ~/.config/fish/completions/taster.fish";

/// The variable by which a shell asks for candidates.
const VARIABLE: &str = "TASTER_COMPLETE";
/// How long a store may take to name its runs: somebody is waiting at a prompt.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Answers a shell that asks for candidates, and ends the process then.
pub(crate) fn answer(tree: fn() -> Command) {
    CompleteEnv::with_factory(|| with_candidates(tree())).var(VARIABLE).complete();
}

/// Adds what only Taster knows to the arguments of all commands, by their ids.
fn with_candidates(command: Command) -> Command {
    let command = command.mut_args(|argument| match argument.get_id().as_str() {
        "run" | "shown_run" => argument.add(ArgValueCandidates::new(runs)),
        "codes" => argument.add(ArgValueCandidates::new(codes)),
        "name" if argument.get_value_names().is_some_and(|names| names == ["COMPONENT"]) => {
            argument.add(ArgValueCompleter::new(components))
        }
        _ => argument,
    });
    command.mut_subcommands(with_candidates)
}

/// The lines that make a shell ask.
pub(crate) fn registration(shell: Shell, mut tree: Command) -> Result<Vec<u8>, CliError> {
    let mut text = Vec::new();
    match Shells::builtins().completer(&shell.to_string()) {
        Some(completer) => completer
            .write_registration(VARIABLE, "taster", "taster", "taster", &mut text)
            .map_err(|error| CliError::new("T0602", format!("cannot write the completions: {error}"), None))?,
        // a shell that can complete the command line alone
        None => clap_complete::generate(shell, &mut tree, "taster", &mut text),
    }
    Ok(text)
}

/// The app's runs, newest first, of the store that the command line so far names. None if they cannot be read: a prompt is no
/// place for errors.
fn runs() -> Vec<CompletionCandidate> {
    let words: Vec<String> = std::env::args().collect();
    let config = ConfigArgs { config: given(&words, &["--config", "-c"], "TASTER_CONFIG").map(Into::into) };
    let store = StoreArgs { store: given(&words, &["--store"], "TASTER_STORE") };
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return Vec::new() };
    let listed = runtime.block_on(async {
        let listing = async { open_app(&config, &store).await.ok()?.store.runs().await.ok() };
        tokio::time::timeout(TIMEOUT, listing).await.ok().flatten()
    });
    // not waited for either
    runtime.shutdown_background();
    let listed = listed.unwrap_or_default().into_iter().enumerate().map(|(place, run)| {
        let at = run.pre.or(run.post).map(|at| at.strftime("%Y-%m-%d %H:%M UTC").to_string()).unwrap_or_default();
        let verdict = run.verdict.map_or_else(|| "no verdict".to_owned(), |verdict| verdict.to_string());
        CompletionCandidate::new(run.run.to_string())
            .help(Some(format!("{verdict} {at}").into()))
            .display_order(Some(place))
    });
    listed.collect()
}

/// A flag's value in the words so far, else the variable's.
fn given(words: &[String], flags: &[&str], variable: &str) -> Option<String> {
    let value_of = |place: usize| {
        let word = &words[place];
        if flags.contains(&word.as_str()) {
            return words.get(place + 1).cloned();
        }
        flags.iter().find_map(|flag| word.strip_prefix(flag)?.strip_prefix('=')).map(str::to_owned)
    };
    (0..words.len()).rev().find_map(value_of).or_else(|| std::env::var(variable).ok()).filter(|value| !value.is_empty())
}

/// The standard probes, and files that may be components.
fn components(start: &OsStr) -> Vec<CompletionCandidate> {
    let text = start.to_string_lossy();
    let standard = taster_standard_probes::names().iter().filter(|name| name.starts_with(&*text));
    let files = PathCompleter::any().filter(|path| path.is_dir() || path.extension().is_some_and(|end| end == "wasm"));
    standard.map(CompletionCandidate::new).chain(files.complete(start)).collect()
}

/// Codes and reasons, with what they mean.
fn codes() -> Vec<CompletionCandidate> {
    let meanings = command::explain::meanings();
    meanings.map(|(code, meaning)| CompletionCandidate::new(code).help(Some(meaning.into()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_flag_counts() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let store = |text: &str| given(&words(text), &["--store", "-s"], "TASTER_NO_SUCH_VARIABLE");
        assert_eq!(store("taster show --store a").as_deref(), Some("a"));
        assert_eq!(store("taster show --store=a --run").as_deref(), Some("a"));
        assert_eq!(store("taster show -s a --store b x").as_deref(), Some("b"));
        assert_eq!(store("taster show --store"), None);
        assert_eq!(store("taster show --stores=a"), None);
    }
}
