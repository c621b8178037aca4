//! The files that a verdict is written to.

/// A file that holds a verdict in one format. `post` stores them beside each other, and the server offers them for download.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportFile {
    /// For a browser.
    Html,
    /// For a comment on a pull request.
    Markdown,
    /// For a CI system that reads test results.
    Junit,
    /// The stored document itself.
    Verdict,
}

impl ReportFile {
    /// Every file.
    pub const ALL: [Self; 4] = [Self::Html, Self::Markdown, Self::Junit, Self::Verdict];
    /// The files that are rendered from the verdict document.
    pub const RENDERED: [Self; 3] = [Self::Html, Self::Markdown, Self::Junit];

    /// The file's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Html => "report.html",
            Self::Markdown => "report.md",
            Self::Junit => "junit.xml",
            Self::Verdict => "verdict.json",
        }
    }

    /// The media type that it is served with.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Html => "text/html; charset=utf-8",
            Self::Markdown => "text/markdown; charset=utf-8",
            Self::Junit => "application/xml",
            Self::Verdict => "application/json",
        }
    }

    /// The file of this name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|file| file.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::ReportFile;

    #[test]
    fn each_file_is_found_by_its_name() {
        for file in ReportFile::ALL {
            assert_eq!(ReportFile::of_name(file.name()), Some(file));
        }
        assert_eq!(ReportFile::of_name("capture.json"), None);
    }
}
