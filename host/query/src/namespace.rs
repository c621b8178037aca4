//! Names of databases and collections that hold application data.

use crate::{error::QueryError, text::escaped};

/// Bytes of a database name. The server's own limit.
const DATABASE_NAME: usize = 63;
/// Bytes of a collection name. The server's own limit.
const COLLECTION_NAME: usize = 255;

/// Refuses system databases and invalid names.
pub(crate) fn check_database(name: &str) -> Result<(), QueryError> {
    if name.is_empty() {
        return Err(QueryError::NoDatabase);
    }
    let system = ["admin", "config", "local"].contains(&name);
    if system || name.len() > DATABASE_NAME || name.contains(['/', '\\', '.', ' ', '"', '$', '\0']) {
        return Err(QueryError::BadDatabase { name: escaped(name) });
    }
    Ok(())
}

/// Whether a collection holds application data. `system.*` belongs to the server (`system.js` holds code,
/// `system.buckets.*` the internals of time series), and no ordinary name contains `$` or NUL.
pub(crate) fn is_application_collection(name: &str) -> bool {
    !name.is_empty() && name.len() <= COLLECTION_NAME && !name.starts_with("system.") && !name.contains(['$', '\0'])
}
