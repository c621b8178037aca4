//! The report files that `post` stores with a verdict.

use taster_model::{ReportFile, VerdictDocument};

use crate::{
    html::{self, Links, ReportContext},
    junit::{self, JunitError},
    markdown,
};

/// Every file of [`ReportFile::RENDERED`] with its contents. The page links to the other files in the same folder.
pub fn stored_reports(document: &VerdictDocument) -> Result<[(ReportFile, String); 3], JunitError> {
    let context = ReportContext { links: Links::to_siblings(), ..ReportContext::default() };
    Ok([
        (ReportFile::Html, html::report(document, &context)),
        (ReportFile::Markdown, markdown::verdict(document)),
        (ReportFile::Junit, junit::verdict(document)?),
    ])
}
