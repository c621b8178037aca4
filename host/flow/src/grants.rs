//! What a probe is given: the operator's collections, matched with the roles that the probe asks for.

use std::collections::{BTreeMap, BTreeSet};

use taster_config::{Collections, OneOrMany, Probe};
use taster_model::{
    CollectionFacts, CollectionGrant, CollectionKind, DeclaredChange, Diagnostic, Failure, Manifest, Refusal, Role,
    other_names,
};

/// Why the operator's collections do not fit what the probe asks for.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum GrantError {
    /// A role that the probe does not have.
    #[error("the probe has no role `{given}`")]
    UnknownRole {
        /// As configured.
        given: String,
        /// The roles it has.
        known: Vec<String>,
    },
    /// A required role has no collection.
    #[error("no collection plays the role `{role}` ({summary})")]
    Unplayed {
        /// The role.
        role: String,
        /// The probe's description of the role.
        summary: String,
    },
    /// Several collections for a role that takes one.
    #[error("the role `{role}` is for one collection, and {given} are given")]
    TooMany {
        /// The role.
        role: String,
        /// How many.
        given: usize,
    },
    /// A plain list for a probe with several roles.
    #[error("the probe has {count} roles: say which collection plays which")]
    Ambiguous {
        /// How many.
        count: usize,
        /// Their names.
        roles: Vec<String>,
    },
}

impl Diagnostic for GrantError {
    fn code(&self) -> &'static str {
        match self {
            Self::UnknownRole { .. } => "T0112",
            Self::Unplayed { .. } => "T0113",
            Self::TooMany { .. } => "T0114",
            Self::Ambiguous { .. } => "T0115",
        }
    }

    fn help(&self) -> Option<String> {
        Some(match self {
            Self::UnknownRole { known, .. } => format!("its roles: {}", known.join(", ")),
            Self::Unplayed { role, .. } => format!("collections: {{{role}: NAME}}"),
            Self::TooMany { .. } => "configure the probe once for each collection".to_owned(),
            Self::Ambiguous { roles, .. } => {
                let example: Vec<String> = roles.iter().map(|role| format!("{role}: NAME")).collect();
                format!("collections: {{{}}}", example.join(", "))
            }
        })
    }
}

impl GrantError {
    /// As the outcome of a probe that could not be started.
    #[must_use]
    pub fn into_failure(self, probe: &Probe) -> Failure {
        let failure = Failure::refused(Refusal::Invalid, self.code(), self.to_string())
            .setting(format!("probes[{}].collections", probe.name));
        match self.help() {
            Some(help) => failure.allowed(help),
            None => failure,
        }
    }
}

/// What `probe` may read, sorted by name.
///
/// A probe whose configuration names no collections gets every collection that exists, and every one that it was granted
/// before the sync (`earlier`). Otherwise a collection that the upgrade dropped would no longer be granted. A collection that
/// `changes` declare as renamed may be configured under either name; the probe gets the one that exists.
pub fn resolve(
    probe: &Probe,
    manifest: &Manifest,
    live: &[CollectionFacts],
    earlier: &[CollectionGrant],
    changes: &[DeclaredChange],
) -> Result<Vec<CollectionGrant>, GrantError> {
    let mut played: BTreeMap<&str, Vec<String>> = match &probe.collections {
        Some(Collections::Roles(roles)) => by_role(manifest, roles)?,
        Some(Collections::List(names)) => match only_role(manifest)? {
            Some(role) => BTreeMap::from([(role.name.as_str(), names.clone())]),
            None => BTreeMap::new(),
        },
        None => match only_role(manifest)? {
            Some(role) => {
                let names: BTreeSet<&str> =
                    live.iter().map(|c| c.name.as_str()).chain(earlier.iter().map(|c| c.name.as_str())).collect();
                BTreeMap::from([(role.name.as_str(), names.into_iter().map(str::to_owned).collect())])
            }
            None => BTreeMap::new(),
        },
    };
    for names in played.values_mut() {
        for name in names.iter_mut() {
            *name = existing_name(name, live, changes).to_owned();
        }
        names.sort_unstable();
        names.dedup();
    }
    for role in &manifest.roles {
        let given = played.get(role.name.as_str()).map_or(0, Vec::len);
        if given == 0 && role.required {
            return Err(GrantError::Unplayed { role: role.name.clone(), summary: role.summary.clone() });
        }
        if given > 1 && !role.many {
            return Err(GrantError::TooMany { role: role.name.clone(), given });
        }
    }
    let mut grants: Vec<CollectionGrant> = played
        .into_iter()
        .flat_map(|(role, names)| names.into_iter().map(move |name| CollectionGrant { name, role: role.to_owned() }))
        .collect();
    grants.sort_by(|a, b| (&a.name, &a.role).cmp(&(&b.name, &b.role)));
    grants.dedup();
    Ok(grants)
}

/// The name of a collection that exists, if it is declared as renamed and only the other name exists.
fn existing_name<'a>(name: &'a str, live: &[CollectionFacts], changes: &'a [DeclaredChange]) -> &'a str {
    let exists = |name: &str| live.iter().any(|facts| facts.name == name && facts.kind != CollectionKind::Absent);
    if exists(name) {
        return name;
    }
    other_names(changes, name).find(|other| exists(other)).unwrap_or(name)
}

fn only_role(manifest: &Manifest) -> Result<Option<&Role>, GrantError> {
    match manifest.roles.as_slice() {
        [] => Ok(None),
        [role] => Ok(Some(role)),
        roles => Err(GrantError::Ambiguous {
            count: roles.len(),
            roles: roles.iter().map(|role| role.name.clone()).collect(),
        }),
    }
}

fn by_role<'a>(
    manifest: &'a Manifest,
    given: &BTreeMap<String, OneOrMany>,
) -> Result<BTreeMap<&'a str, Vec<String>>, GrantError> {
    let mut played = BTreeMap::new();
    for (name, collections) in given {
        let Some(role) = manifest.roles.iter().find(|role| role.name == *name) else {
            return Err(GrantError::UnknownRole {
                given: name.clone(),
                known: manifest.roles.iter().map(|role| role.name.clone()).collect(),
            });
        };
        played.insert(role.name.as_str(), collections.names().to_vec());
    }
    Ok(played)
}
