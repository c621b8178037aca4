//! The functions that are stored in a database, in its collection `system.js`. No probe may read them: they are code that the
//! server runs. The host reads them to see that none is lost.

use std::collections::BTreeMap;

use bson::{Bson, RawDocument, RawDocumentBuf};
use futures_util::TryStreamExt;
use sha2::{Digest, Sha256};
use taster_census::extended_json;
use taster_model::STORED_FUNCTIONS;

use crate::{command, connection::Inner, driver_error, error::QueryError, server_codes::UNAUTHORIZED};

/// More functions than this are not read: somebody keeps data there.
const MAX_FUNCTIONS: usize = 10_000;

/// SHA-256 of each function, by its name. `None`: the user may not read them, or there are too many.
pub(crate) async fn read(inner: &Inner) -> Result<Option<BTreeMap<String, String>>, QueryError> {
    let operation = format!("read the functions in `{STORED_FUNCTIONS}`");
    let reading = async {
        let command = command::find_all(STORED_FUNCTIONS, inner.command_options());
        let mut documents = inner.database.run_raw_cursor_command(command).await?.with_type::<RawDocumentBuf>();
        let mut functions = BTreeMap::new();
        while let Some(document) = documents.try_next().await? {
            if functions.len() == MAX_FUNCTIONS {
                tracing::warn!(
                    collection = STORED_FUNCTIONS,
                    limit = MAX_FUNCTIONS,
                    "stored functions are too many: they are not compared"
                );
                return Ok(None);
            }
            functions.insert(name(&document), hex::encode(Sha256::digest(document.as_bytes())));
        }
        Ok(Some(functions))
    };
    let reading = async {
        match reading.await {
            Err(error) if driver_error::has_code(&error, UNAUTHORIZED) => {
                tracing::warn!(
                    collection = STORED_FUNCTIONS,
                    "the user may not read stored functions: they are not compared"
                );
                Ok(None)
            }
            other => other,
        }
    };
    inner.caller().run(&operation, reading).await
}

/// The name of a function is its id, which may have any type.
fn name(document: &RawDocument) -> String {
    match document.get("_id") {
        Ok(Some(id)) => match Bson::try_from(id) {
            Ok(Bson::String(name)) => name,
            Ok(other) => extended_json(other).to_string(),
            Err(_) => hex::encode(Sha256::digest(document.as_bytes())),
        },
        _ => String::new(),
    }
}
