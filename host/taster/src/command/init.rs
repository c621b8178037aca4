//! `taster init`: writes the shortest configuration that covers a database.

use std::{fmt::Write, fs::OpenOptions, io::Write as _};

use clap::Args;
use taster_config::Config;
use taster_diagnostics::{CliError, Exit};
use taster_model::{CollectionGrant, Failure};
use taster_query::{FindOptions, Grant, Limits, Snapshot};

use taster_report::layout::{wrap, wrap_labeled};

use crate::{
    args::{ConfigArgs, StoreArgs},
    output,
};

/// Shown by `--help`.
pub const EXAMPLES: &str = "\
Examples:
  # Write ./taster.yaml for the database of the connection string
  export MONGODB_URI=mongodb://reader:secret@db.stage:27017/shop
  taster init

  # Write another file, with results in S3
  taster init -c stage/taster.yaml --store s3://taster-results/stage

The file refers to the connection string as ${MONGODB_URI} and never contains it.";

/// Arguments of `init`.
#[derive(Debug, Clone, Args)]
pub struct InitArgs {
    /// The database; the file refers to it as `${MONGODB_URI}`
    #[arg(long, value_name = "URI", env = "MONGODB_URI", hide_env_values = true)]
    mongodb: String,
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    store: StoreArgs,
    /// Replace the file if it exists
    #[arg(long)]
    force: bool,
}

/// Lists the collections, writes the file, and prints the next steps.
pub async fn run(args: &InitArgs) -> Result<Exit, CliError> {
    let config = Config::for_uri(&args.mongodb)?;
    let session = taster_flow::connect(&config, "taster/init").await?;
    let snapshot = session.initial_snapshot();
    let collections = snapshot.collections().await?;
    let empty = empty_collections(&snapshot).await;
    // `taster pre` would refuse it
    let nothing = if collections.is_empty() { Some(taster_flow::no_collections(&session).await) } else { None };
    session.close().await;
    let store = args.store.store.clone().unwrap_or_else(|| config.store.clone());
    let text = yaml(&config, &store, &empty?)?;
    // the file must parse
    let environment = [("MONGODB_URI".to_owned(), args.mongodb.clone())].into();
    taster_config::parse("the new configuration", &text, environment)?;
    let path = args.config.path();
    let mut options = OpenOptions::new();
    options.write(true).create(args.force).truncate(args.force).create_new(!args.force);
    options.open(path).and_then(|mut file| file.write_all(text.as_bytes())).map_err(|error| {
        let help = match error.kind() {
            std::io::ErrorKind::AlreadyExists => "--force replaces it, -c names another file",
            _ => "-c names another file",
        };
        CliError::new("T0614", format!("cannot write {}: {error}", path.display()), help.to_owned())
    })?;
    let next = format!(
        "{} covers {} of {}. Next: export MONGODB_URI, then `taster config check --live`, `taster pre`, the upgrade, \
         `taster post`.",
        path.display(),
        taster_text::counted(collections.len() as u64, "collection"),
        config.database()?,
    );
    let warning = nothing.map(|nothing| wrap_labeled("Warning: ", &format!("{nothing}. `taster pre` needs one")));
    output::write_text(None, &format!("{}{}", warning.unwrap_or_default(), wrap(&next)))?;
    Ok(Exit::Done)
}

/// Collections without a document: comparing zero with zero is `unknown` unless it is declared as expected.
async fn empty_collections(snapshot: &Snapshot) -> Result<Vec<String>, CliError> {
    let collections = snapshot.readable_collections().await?;
    let grants = collections.iter().map(|c| CollectionGrant::any(&c.name));
    let database = snapshot.database(Grant {
        probe: "init".to_owned(),
        collections: grants.collect(),
        limits: Limits::default(),
        setting: "limits".to_owned(),
    });
    let mut empty = Vec::new();
    for collection in &collections {
        let failed = |failure: Failure| {
            CliError::new("T0615", format!("cannot read collection `{}`: {failure}", collection.name), None)
        };
        let options = FindOptions { limit: Some(1), ..FindOptions::default() };
        // five bytes: the empty document
        let mut cursor = database.find(&collection.name, &[5, 0, 0, 0, 0], options).await.map_err(failed)?;
        if cursor.next().await.map_err(failed)?.is_none() {
            empty.push(collection.name.clone());
        }
    }
    Ok(empty)
}

fn yaml(config: &Config, store: &str, empty: &[String]) -> Result<String, CliError> {
    let mut out = String::new();
    let _ =
        writeln!(out, "# `taster config schema` describes every key; `taster config check --live` tests this file.");
    let _ = writeln!(out, "app: {}", config.app);
    let _ = writeln!(out, "store: {}", quoted(store));
    let _ = writeln!(out, "mongodb:\n  uri: ${{MONGODB_URI}}\n  database: {}", quoted(&config.database()?));
    out.push_str(
        "# No `probes`: the standard set counts documents, types and indexes of every collection, and its census names\n\
         # the documents that are missing, extra or changed. `group-report` says what that means: sums by group.\n",
    );
    if !empty.is_empty() {
        out.push_str("expect:\n");
        for name in empty {
            let labels = format!("{{collection: {}}}", quoted(name));
            for metric in ["documents", "shape"] {
                let _ = writeln!(
                    out,
                    "  - {{metric: {metric}, labels: {labels}, rule: equal, reason: \"empty when this file was written\"}}"
                );
            }
        }
    }
    Ok(out)
}

/// A YAML scalar that reads back as this text whatever is in it: a JSON string is one.
fn quoted(text: &str) -> String {
    let plain = !text.is_empty()
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._/:-".contains(&b))
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && !text.ends_with(':')
        && !["true", "false", "null", "yes", "no", "on", "off", "y", "n"].contains(&text.to_lowercase().as_str());
    if plain { text.to_owned() } else { serde_json::Value::from(text).to_string() }
}
