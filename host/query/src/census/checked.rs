//! A census whose request and declared changes passed the guard.

use taster_census::CensusSpec;
use taster_model::{CollectionKind, Failure, Side};

use super::{
    env::CensusEnv,
    options,
    partition::{self, DeclaredFilter},
    refusal::CensusRefusal,
    request::CensusRequest,
};
use crate::{
    collection::Collection,
    database::Database,
    guard::checked::{CheckedFilter, CheckedTarget},
};

/// An empty document: the filter that matches everything.
const EVERYTHING: &[u8] = &[5, 0, 0, 0, 0];

/// A census whose request and declared changes passed the guard.
pub(super) struct CheckedCensus<'a> {
    pub(super) target: CheckedTarget,
    /// `None`: the collection is absent.
    pub(super) collection: Option<&'a Collection>,
    pub(super) filter: Option<CheckedFilter>,
    /// Filters of declared changes whose documents are recorded separately, in the order of their marks.
    pub(super) declared: Vec<DeclaredFilter>,
    /// Filters of partial TTL indexes, in the order of their bits. None after the sync.
    pub(super) expiry_filters: Vec<CheckedFilter>,
    pub(super) recording: CensusSpec,
}

/// Checks what the probe requests and what the operator declares.
pub(super) async fn check<'a>(
    database: &'a Database,
    env: &CensusEnv,
    name: &str,
    request: CensusRequest,
) -> Result<CheckedCensus<'a>, Failure> {
    let mut guard = database.request().await?;
    let target = guard.target(name)?;
    let filter = request.filter.as_deref().filter(|filter| *filter != EVERYTHING);
    let filter = filter.map(|bytes| guard.filter(bytes)).transpose()?;
    let collection = database.collection(name).await?;
    if collection.is_some_and(|collection| collection.kind == CollectionKind::View) {
        let sources = sources_of_view(database, &target).await?;
        return Err(CensusRefusal::View { name: name.to_owned(), sources }.failure());
    }
    let declared =
        partition::declared_filters(env, name, database.request().await?).map_err(|refusal| refusal.failure())?;
    let changes = env.changes_of(name);
    let baseline = env.baseline_of(&database.grant().probe, name);
    let requested = options::requested(request, filter.as_ref()).map_err(|refusal| refusal.failure())?;
    let redaction = env.redaction.clone();
    let mut options = match baseline {
        Some(baseline) => {
            options::as_in_baseline(requested, baseline, redaction).map_err(|refusal| refusal.failure())?
        }
        None => options::from_changes(requested, &changes, collection, redaction),
    };
    let expiry_filters = match env.side {
        Side::Pre => partition::expiry_filters(&mut options, name, database.request().await?),
        Side::Post => Vec::new(),
    };
    let recording = CensusSpec {
        key: env.key.clone(),
        options,
        side: env.side,
        changes,
        secret: env.secret.clone(),
        scratch: env.scratch.clone(),
    };
    Ok(CheckedCensus { target, collection, filter, declared, expiry_filters, recording })
}

/// The collections that a view reads.
async fn sources_of_view(database: &Database, view: &CheckedTarget) -> Result<String, Failure> {
    let inventory = database.snapshot().inventory().await?;
    let is_view = |name: &&str| inventory.collection(name).is_some_and(|c| c.kind == CollectionKind::View);
    let names: Vec<&str> = view.reads().names().filter(|name| !is_view(name)).collect();
    Ok(names.join(", "))
}
