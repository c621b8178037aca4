//! GitHub: the status of a commit, and one comment on each open pull request that contains it.

use reqwest::{Method, RequestBuilder, header::ACCEPT};
use serde_json::{Value, json};
use taster_config::GitHub;
use taster_model::{Verdict, VerdictDocument};
use taster_text::counted;

use super::{
    NotifyError,
    client::{self, Client, RequestFailure},
};

/// The most characters of a status.
const DESCRIPTION_CHARS: usize = 140;
/// The most bytes of a comment: GitHub's limit is 65 536 characters.
const COMMENT_BYTES: usize = 60_000;
/// Comments and pull requests of a page, and the most pages that are read.
const PAGE_SIZE: usize = 100;
const MAX_PAGES: usize = 30;

/// A commit in a repository.
pub(super) struct Repository<'a> {
    client: &'a Client,
    github: &'a GitHub,
    revision: &'a str,
}

impl<'a> Repository<'a> {
    pub(super) fn new(client: &'a Client, github: &'a GitHub, revision: &'a str) -> Self {
        Self { client, github, revision }
    }

    /// Sets the status, then writes the comments.
    pub(super) async fn publish(&self, verdict: &VerdictDocument, page: Option<&str>) -> Result<String, NotifyError> {
        client::with_retries("setting the commit's status", async || self.status(verdict, page).await).await?;
        let commit = &self.revision[..12];
        if !self.github.comment {
            return Ok(format!("status of commit {commit} set"));
        }
        let pulls = client::with_retries("looking for the commit's pull requests", async || self.pulls().await).await?;
        let marker = format!("<!-- taster:{} -->", verdict.app);
        let body = format!("{marker}\n{}", comment_text(verdict, page));
        for pull in &pulls {
            // the next attempt finds a comment whose answer was lost
            client::with_retries("commenting on the pull request", async || self.comment(*pull, &marker, &body).await)
                .await?;
        }
        Ok(format!("status of commit {commit} set, {} commented on", counted(pulls.len() as u64, "pull request")))
    }

    async fn status(&self, verdict: &VerdictDocument, page: Option<&str>) -> Result<(), RequestFailure> {
        let state = match verdict.verdict {
            Verdict::Same => "success",
            Verdict::Different => "failure",
            Verdict::Unknown => "error",
        };
        let context = self.github.context.clone().unwrap_or_else(|| format!("taster/{}", verdict.app));
        let mut status = json!({"state": state, "context": context, "description": taster_report::line::verdict(verdict, DESCRIPTION_CHARS)});
        if let Some(page) = page {
            status["target_url"] = page.into();
        }
        let path = format!("statuses/{}", self.revision);
        self.client.send(self.request(Method::POST, &path).json(&status)).await.map(drop)
    }

    /// The numbers of the open pull requests that contain the commit.
    async fn pulls(&self) -> Result<Vec<u64>, RequestFailure> {
        let pulls = self.list_all(&format!("commits/{}/pulls", self.revision)).await?;
        let open = pulls.iter().filter(|pull| pull["state"] == "open");
        Ok(open.filter_map(|pull| pull["number"].as_u64()).collect())
    }

    /// Updates the comment of this app, or creates it.
    async fn comment(&self, pull: u64, marker: &str, body: &str) -> Result<(), RequestFailure> {
        let comments = self.list_all(&format!("issues/{pull}/comments")).await?;
        let ours = |comment: &&Value| comment["body"].as_str().is_some_and(|body| body.starts_with(marker));
        let text = json!({ "body": body });
        for id in comments.iter().filter(ours).filter_map(|comment| comment["id"].as_u64()) {
            match self.client.send(self.request(Method::PATCH, &format!("issues/comments/{id}")).json(&text)).await {
                Ok(_) => return Ok(()),
                // another user's comment that quotes our marker
                Err(failed) if failed.is_denied() => {}
                Err(failed) => return Err(failed),
            }
        }
        self.client.send(self.request(Method::POST, &format!("issues/{pull}/comments")).json(&text)).await.map(drop)
    }

    /// Every item of a list, page by page.
    async fn list_all(&self, path: &str) -> Result<Vec<Value>, RequestFailure> {
        let mut all = Vec::new();
        for page in 1..=MAX_PAGES {
            let request = self.request(Method::GET, &format!("{path}?per_page={PAGE_SIZE}&page={page}"));
            let Value::Array(items) = client::json(self.client.send(request).await?).await? else { break };
            let last = items.len() < PAGE_SIZE;
            all.extend(items);
            if last {
                break;
            }
        }
        Ok(all)
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let GitHub { api, repository, token, .. } = self.github;
        let url = format!("{}/repos/{repository}/{path}", api.trim_end_matches('/'));
        self.client
            .request(method, &url)
            .header(ACCEPT, "application/vnd.github+json")
            .header("X-GitHub-Api-Version", "2022-11-28")
            .bearer_auth(token.expose())
    }
}

/// The report without mentions: GitHub links `@name` and `#1` even where the sign is escaped.
fn without_mentions(report: &str) -> String {
    report.replace("\\@", "@&#8203;").replace("\\#", "#&#8203;")
}

/// The report, shortened to the limit of a comment.
fn comment_text(verdict: &VerdictDocument, page: Option<&str>) -> String {
    let mut text = without_mentions(&taster_report::markdown::verdict(verdict));
    if text.len() > COMMENT_BYTES {
        let end = text.floor_char_boundary(COMMENT_BYTES);
        text.truncate(text[..end].rfind('\n').unwrap_or(end));
        let open = text.matches("<details>").count().saturating_sub(text.matches("</details>").count());
        text.push_str(&"\n\n</details>\n".repeat(open));
        text.push_str("\n\n… the comment ends here; see the report for the rest.\n");
    }
    if let Some(page) = page {
        text.push_str("\n[The whole report](");
        text.push_str(page);
        text.push_str(")\n");
    }
    text
}
