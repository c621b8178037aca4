//! The page "Command line": rendered from the tree of commands that clap parses.

use std::fmt::Write as _;

use clap::{Arg, Command};

const HEAD: &str = "\
<!-- Generated from the command tree by a test (host/taster/tests/it/docs): UPDATE_DOCS=1 writes it again. -->

# Command line

`taster --help` lists the commands, and each command has a `--help` of its own. Results go to standard output, log lines and errors to standard error.
[Exit codes](exit-codes.md) says how a command ends.

## Environment variables

An option that can be given as a variable names it in its row below. These have no option:

| variable | meaning |
| --- | --- |
| `TASTER_LOG` | Filter of the log lines, in the syntax of [tracing](https://docs.rs/tracing-subscriber/latest/tracing_subscriber/filter/struct.EnvFilter.html#directives): `taster_query=debug,warn`. Overrides `-v` and `--quiet`. |
| `TASTER_CACHE` | Folder of the cache of compiled code. Default: `taster/code` in `XDG_CACHE_HOME`, else `.cache/taster/code` in `HOME`; without either there is no cache. |
| `TASTER_CODE` | Folder of code that `taster probe precompile` wrote, read before the cache. The image sets it. |
| `TASTER_MONGOD` | The mongod that `taster demo` starts. Default: `mongod` on `PATH`, else the one that `make mongod` installs. |
| `TASTER_TERMINATION_LOG` | File for the termination message of `pre`, `post` and `restore`. Default: in a pod, `/dev/termination-log`; elsewhere none. |
| `TASTER_JOB`, `TASTER_POD`, `TASTER_POD_UID`, `TASTER_NAMESPACE` | The hook Job and the pod that the process runs in ([the hooks](../guides/hooks.md)). |
";

#[test]
fn the_command_line_reference_is_generated_from_clap() {
    let mut tree = taster::cli::command_tree();
    tree.build();
    let mut page = HEAD.to_owned();
    let global: Vec<&Arg> = tree.get_arguments().filter(|argument| argument.is_global_set()).collect();
    if !global.is_empty() {
        page.push_str("\n## Options of every command\n");
        options(&mut page, &global);
    }
    for command in tree.get_subcommands() {
        render(&mut page, "taster", command);
    }
    super::assert_page("command-line.md", &page);
}

fn render(page: &mut String, parent: &str, command: &Command) {
    if command.is_hide_set() || command.get_name() == "help" {
        return;
    }
    let name = format!("{parent} {}", command.get_name());
    let _ = write!(page, "\n## {name}\n");
    if let Some(about) = command.get_long_about().or(command.get_about()) {
        let _ = write!(page, "\n{}\n", sentence(&about.to_string()));
    }
    let usage = command.clone().render_usage().to_string();
    let _ = write!(page, "\n```usage\n{}\n```\n", usage.trim_start_matches("Usage: ").trim());
    let own: Vec<&Arg> = command
        .get_arguments()
        .filter(|argument| !argument.is_global_set() && !argument.is_hide_set())
        .filter(|argument| !matches!(argument.get_id().as_str(), "help" | "version"))
        .collect();
    if !own.is_empty() {
        options(page, &own);
    }
    if let Some(after) = command.get_after_long_help().or(command.get_after_help()) {
        let _ = write!(page, "\n```text\n{}\n```\n", after.to_string().trim());
    }
    for nested in command.get_subcommands() {
        render(page, &name, nested);
    }
}

fn options(page: &mut String, arguments: &[&Arg]) {
    page.push_str("\n| option | meaning |\n| --- | --- |\n");
    for argument in arguments {
        let _ = writeln!(page, "| {} | {} |", spelling(argument), super::cell(&meaning(argument)));
    }
}

/// `-c`, `--config FILE`.
fn spelling(argument: &Arg) -> String {
    let values: Vec<String> = match argument.get_value_names() {
        Some(names) if argument.get_action().takes_values() => names.iter().map(|name| format!(" {name}")).collect(),
        _ => Vec::new(),
    };
    let values = values.concat().replace('|', "\\|");
    let names: Vec<String> =
        [argument.get_short().map(|short| format!("-{short}")), argument.get_long().map(|long| format!("--{long}"))]
            .into_iter()
            .flatten()
            .collect();
    match names.split_last() {
        None => format!("`{}`", values.trim()),
        Some((last, others)) => {
            let others: Vec<String> = others.iter().map(|name| format!("`{name}`, ")).collect();
            format!("{}`{last}{values}`", others.concat())
        }
    }
}

/// Help with a full stop, which clap leaves out.
fn sentence(help: &str) -> String {
    let text = help.trim();
    let end = if text.is_empty() || text.ends_with(['.', ':']) { "" } else { "." };
    format!("{text}{end}")
}

/// The help, then default, values and environment.
fn meaning(argument: &Arg) -> String {
    let help = argument.get_long_help().or(argument.get_help()).map(ToString::to_string).unwrap_or_default();
    let mut text = sentence(&help);
    let flag = !argument.get_action().takes_values();
    let defaults: Vec<String> =
        argument.get_default_values().iter().map(|value| format!("`{}`", value.to_string_lossy())).collect();
    if !flag && !defaults.is_empty() {
        let _ = write!(text, " Default: {}.", defaults.join(", "));
    }
    let values: Vec<String> = argument
        .get_possible_values()
        .iter()
        .filter(|value| !value.is_hide_set())
        .map(|value| format!("`{}`", value.get_name()))
        .collect();
    if !flag && !values.is_empty() {
        let _ = write!(text, " One of {}.", values.join(", "));
    }
    if let Some(variable) = argument.get_env() {
        let _ = write!(text, " Environment: `{}`.", variable.to_string_lossy());
    }
    text
}
