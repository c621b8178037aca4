//! A commit on GitHub: its status, and one comment on each open pull request that holds it.

use reqwest::{Method, RequestBuilder, header::ACCEPT};
use serde_json::{Value, json};
use taster_config::GitHub;
use taster_model::{Verdict, VerdictDocument};
use taster_text::counted;

use super::{
    NotifyError,
    client::{self, Client, Failed},
};

/// Characters of a status.
const DESCRIPTION: usize = 140;
/// Bytes of a comment: GitHub takes 65 536 characters.
const COMMENT: usize = 60_000;
/// Comments and pull requests of a page, and pages that are looked through.
const PAGE: usize = 100;
const PAGES: usize = 30;

/// A commit of a repository.
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
    pub(super) async fn tell(&self, verdict: &VerdictDocument, page: Option<&str>) -> Result<String, NotifyError> {
        client::patiently("setting the commit's status", async || self.status(verdict, page).await).await?;
        let commit = &self.revision[..12];
        if !self.github.comment {
            return Ok(format!("status of commit {commit} set"));
        }
        let pulls = client::patiently("looking for the commit's pull requests", async || self.pulls().await).await?;
        let marker = format!("<!-- taster:{} -->", verdict.app);
        let body = format!("{marker}\n{}", comment(verdict, page));
        for pull in &pulls {
            // what was written by a request whose answer was lost is found by the next try
            client::patiently("commenting on the pull request", async || self.comment(*pull, &marker, &body).await)
                .await?;
        }
        Ok(format!("status of commit {commit} set, {} commented on", counted(pulls.len() as u64, "pull request")))
    }

    async fn status(&self, verdict: &VerdictDocument, page: Option<&str>) -> Result<(), Failed> {
        let state = match verdict.verdict {
            Verdict::Same => "success",
            Verdict::Different => "failure",
            Verdict::Unknown => "error",
        };
        let context = self.github.context.clone().unwrap_or_else(|| format!("taster/{}", verdict.app));
        let mut status = json!({"state": state, "context": context, "description": taster_report::line::verdict(verdict, DESCRIPTION)});
        if let Some(page) = page {
            status["target_url"] = page.into();
        }
        let path = format!("statuses/{}", self.revision);
        self.client.sent(self.request(Method::POST, &path).json(&status)).await.map(drop)
    }

    /// The open pull requests that hold the commit, by number.
    async fn pulls(&self) -> Result<Vec<u64>, Failed> {
        let pulls = self.all(&format!("commits/{}/pulls", self.revision)).await?;
        let open = pulls.iter().filter(|pull| pull["state"] == "open");
        Ok(open.filter_map(|pull| pull["number"].as_u64()).collect())
    }

    /// Changes the comment that is there, or writes one.
    async fn comment(&self, pull: u64, marker: &str, body: &str) -> Result<(), Failed> {
        let comments = self.all(&format!("issues/{pull}/comments")).await?;
        let ours = |comment: &&Value| comment["body"].as_str().is_some_and(|body| body.starts_with(marker));
        let text = json!({ "body": body });
        for id in comments.iter().filter(ours).filter_map(|comment| comment["id"].as_u64()) {
            match self.client.sent(self.request(Method::PATCH, &format!("issues/comments/{id}")).json(&text)).await {
                Ok(_) => return Ok(()),
                // somebody else's, with our mark in it
                Err(failed) if failed.is_denied() => {}
                Err(failed) => return Err(failed),
            }
        }
        self.client.sent(self.request(Method::POST, &format!("issues/{pull}/comments")).json(&text)).await.map(drop)
    }

    /// Every item of a list, page by page.
    async fn all(&self, path: &str) -> Result<Vec<Value>, Failed> {
        let mut all = Vec::new();
        for page in 1..=PAGES {
            let request = self.request(Method::GET, &format!("{path}?per_page={PAGE}&page={page}"));
            let Value::Array(items) = client::json(self.client.sent(request).await?).await? else { break };
            let last = items.len() < PAGE;
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

/// Text of a database that calls nobody: GitHub takes a mention or a number for a link although its sign is escaped.
fn quiet(report: &str) -> String {
    report.replace("\\@", "@&#8203;").replace("\\#", "#&#8203;")
}

/// The report, as long as a comment may be.
fn comment(verdict: &VerdictDocument, page: Option<&str>) -> String {
    let mut text = quiet(&taster_report::markdown::verdict(verdict));
    if text.len() > COMMENT {
        let end = text.floor_char_boundary(COMMENT);
        text.truncate(text[..end].rfind('\n').unwrap_or(end));
        let open = text.matches("<details>").count().saturating_sub(text.matches("</details>").count());
        text.push_str(&"\n\n</details>\n".repeat(open));
        text.push_str("\n\n… the comment ends here; the report says the rest.\n");
    }
    if let Some(page) = page {
        text.push_str("\n[The whole report](");
        text.push_str(page);
        text.push_str(")\n");
    }
    text
}
