//! Pages for people: they lead to each other, nothing that a database holds becomes markup, and many runs are no burden.
//! `.ci/web.sh` looks at the same stores with a browser: with `TASTER_PAGES_DIR` they are left there.

mod contents;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use mongodb::bson::doc;
use serde_json::{Value, json};
use taster_model::{
    AppName, AttemptId, Capture, ChangedValue, DifferingDocuments, DocumentDetail, FindingOutcome, RunId, Verdict,
    VerdictDocument,
};
use taster_report::html::{self, Links, ReportContext};
use taster_store::Store;

use crate::{
    serve::{Reply, Served, done, three_runs},
    support::{SHOP, ShopDatabase, Workspace},
};

/// An element that no page contains, after characters that close any text or attribute.
const HOSTILE: &str = r#"</code></style></script>'"><x-evil onload=alert(1) style=color:red>{{7*7}}&lt;x-evil&gt;<!--"#;
/// Documents of the difference that a browser has to show.
const CHANGED: usize = 1000;

/// Runs of the app that has many: three pages, more for a browser, a thousand in `make nightly`.
fn many() -> usize {
    match std::env::var("TASTER_TEST_RUNS") {
        Ok(count) => count.parse().expect("a number of runs"),
        Err(_) if lasting().is_some() => 300,
        Err(_) => 120,
    }
}

/// Every address that a page leads to.
fn links(page: &str) -> BTreeSet<String> {
    let links = page.split(" href=\"").skip(1).filter_map(|rest| rest.split_once('"'));
    links.map(|(href, _)| href.replace("&amp;", "&")).collect()
}

/// What must hold for every page, whatever it shows.
fn is_page(reply: &Reply, url: &str) {
    assert_eq!(reply.header("content-type"), "text/html; charset=utf-8", "{url}");
    let policy = reply.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{url}: {policy}");
    assert!(policy.ends_with("frame-ancestors 'none'") && !policy.contains("unsafe"), "{url}: {policy}");
    assert_eq!(reply.header("x-content-type-options"), "nosniff", "{url}");
    is_inert(&reply.body, url);
}

/// No script, no style but the one, nothing from elsewhere.
fn is_inert(page: &str, of: &str) {
    let page = page.to_lowercase();
    for never in ["<script", "<x-evil", "<iframe", "<img", "<link rel=\"stylesheet", "href=\"javascript:", "@import"] {
        assert!(!page.contains(never), "{of} has {never}");
    }
    assert_eq!(page.matches("<style").count(), 1, "{of}");
    let tags = page.split('<').skip(1).filter_map(|rest| rest.split_once('>')).map(|(tag, _)| tag);
    for tag in tags.filter(|tag| !tag.starts_with('!')) {
        // every attribute's value is in quotes, and may say what it likes there
        let names: String = tag.split('"').step_by(2).collect();
        let inert = |name: &str| !name.starts_with("on") && !name.starts_with("style");
        assert!(names.split_whitespace().skip(1).all(inert), "{of}: <{tag}>");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_lead_to_each_other_and_every_link_leads_somewhere() {
    let workspace = three_runs().await;
    let served = Served::start(&workspace, &[]);
    assert_eq!((served.get("/").status, served.get("/").header("location").to_owned()), (303, "/apps".to_owned()));
    let mut seen = BTreeSet::new();
    let mut next = vec!["/apps".to_owned()];
    while let Some(url) = next.pop() {
        if !seen.insert(url.clone()) {
            continue;
        }
        let reply = served.get(&url);
        assert_eq!(reply.status, 200, "{url}");
        if reply.header("content-type").starts_with("text/html") {
            is_page(&reply, &url);
            next.extend(links(&reply.body).into_iter().filter(|href| href.starts_with('/')));
        }
    }
    for url in [
        "/apps",
        "/apps/pxbbq",
        "/apps/pxbbq/runs/r1",
        "/apps/pxbbq/runs/r2",
        "/apps/pxbbq/runs/r2/report.html",
        "/apps/pxbbq/runs/r2/report.md",
        "/apps/pxbbq/runs/r2/junit.xml",
        "/apps/pxbbq/runs/r2/verdict.json",
        "/apps/pxbbq/runs/r3",
    ] {
        assert!(seen.contains(url), "no page leads to {url}: {seen:?}");
    }

    let run = served.get("/apps/pxbbq/runs/r2").body;
    for told in ["different", "30", "missing", "they were tests", "orders"] {
        assert!(run.contains(told), "{told}");
    }
    assert!(served.get("/apps/pxbbq/runs/r3").body.contains("taster post --run r3"));
    assert!(!served.get("/apps/pxbbq/runs/r1").body.contains("Accepted"));
    let verdict = served.get("/apps/pxbbq/runs/r2/verdict.json").json();
    assert_eq!(verdict, served.get("/v1/apps/pxbbq/runs/r2/verdict").json());

    // the same page lies beside the verdict, and opens from there
    let stored = workspace.taster(&["show", "r2", "--format", "json"]).json();
    let attempt = stored["attempt"].as_str().expect("an attempt");
    let folder = workspace.path().join(format!("results/v1/pxbbq/r2/post/{attempt}"));
    let page = fs::read_to_string(folder.join("report.html")).expect("a report");
    is_inert(&page, "report.html");
    assert!(page.contains("http-equiv=\"Content-Security-Policy\""));
    for href in links(&page).iter().filter(|href| !href.starts_with(['#', 'd'])) {
        assert!(folder.join(href).exists(), "report.html leads to {href}");
    }
    let written = workspace.taster(&["show", "r2", "--format", "html", "-o", "page.html"]);
    assert_eq!(written.code, 0, "{}", written.all());
    let page = fs::read_to_string(workspace.path().join("page.html")).expect("a page");
    assert!(page.contains("they were tests") && page.contains("file:///"), "accepted, and linked to what is stored");
    is_inert(&page, "page.html");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_cannot_be_shown_is_a_page_with_the_reason() {
    let workspace = three_runs().await;
    let served = Served::start(&workspace, &[]);
    for (url, status, told) in [
        ("/apps/nothing", 404, "app `nothing` has no runs"),
        ("/apps/pxbbq/runs/r9", 404, "has no run `r9`"),
        ("/apps/pxbbq?after=r9", 404, "has no run `r9`"),
        ("/apps/pxbbq/runs/r3/verdict.json", 404, "has no verdict"),
        ("/apps/pxbbq/runs/r2/passwd", 404, "no such path"),
        ("/apps/Px!", 400, "invalid app `Px!`"),
        ("/apps/pxbbq?metrik=1", 400, "unknown parameter"),
        ("/apps/pxbbq?after=%00", 400, "invalid run"),
        ("/apps/pxbbq?metric=%3Cx-evil%3E", 200, "None of the chosen metrics"),
    ] {
        let reply = served.get(url);
        assert_eq!(reply.status, status, "{url}: {reply:?}");
        assert!(reply.body.replace('`', "").contains(&told.replace('`', "")), "{url}: {}", reply.body);
        is_page(&reply, url);
    }
    // a run of which a byte is wrong is never shown as what it was
    let capture = workspace.path().join("results/v1/pxbbq/r1/pre/capture.json");
    let text = fs::read_to_string(&capture).expect("a capture").replacen("pxbbq", "pxbbx", 1);
    fs::write(&capture, text).expect("a capture");
    let run = served.get("/apps/pxbbq/runs/r1");
    is_page(&run, "r1");
    assert!(run.body.contains("damaged") && run.body.contains("This run cannot be trusted"), "{}", run.body);
    let runs = served.get("/apps/pxbbq");
    assert!(runs.body.contains("damaged"), "{}", runs.body);
}

/// Whatever is text in a document, but what the store checks.
fn poison(value: &mut Value, path: &str) {
    let kept = [
        "schema", "app", "run", "attempt", "verdict", "started", "finished", "clock", "outcome", "severity", "code",
        "muted", "basis",
    ];
    let kept = kept.iter().any(|name| path.ends_with(&format!(".{name}")));
    match value {
        Value::String(text) if !kept && !path.ends_with(".topology") && !path.ends_with(".kind") => {
            text.push_str(HOSTILE);
        }
        Value::Array(items) => items.iter_mut().for_each(|item| poison(item, path)),
        Value::Object(fields) => fields.iter_mut().for_each(|(key, value)| poison(value, &format!("{path}.{key}"))),
        _ => {}
    }
}

/// The verdict with hostile text in every field that holds text.
fn poisoned(verdict: &VerdictDocument) -> VerdictDocument {
    let mut verdict = verdict.clone();
    for finding in &mut verdict.findings {
        finding.labels.insert("status".to_owned(), HOSTILE.to_owned());
        finding.declared = Some(HOSTILE.to_owned());
        finding.unit = Some(HOSTILE.to_owned());
        if let Some(documents) = &mut finding.documents {
            let id = json!({"$oid": HOSTILE});
            let before = json!({HOSTILE: HOSTILE, "_id": id, "a": [HOSTILE]});
            let after = json!({HOSTILE: "javascript:alert(1)", "_id": id, "b": {HOSTILE: 1}});
            let detail = DocumentDetail {
                id: id.clone(),
                fields: vec![HOSTILE.to_owned()],
                values: [(HOSTILE.to_owned(), ChangedValue { before: Some(json!(HOSTILE)), after: None })].into(),
                before: Some(before),
                after: Some(after),
            };
            documents.changed.count += 1;
            documents.changed.ids.insert(0, id);
            documents.changed.fields.insert(HOSTILE.to_owned(), 1);
            documents.changed.details.push(detail);
        }
    }
    verdict.uncovered.push(HOSTILE.to_owned());
    let mut value = serde_json::to_value(&verdict).expect("JSON");
    poison(&mut value, "");
    serde_json::from_value(value).expect("it is still a verdict")
}

/// The verdict with many changed documents, each with what changed in it.
fn large(verdict: &VerdictDocument) -> VerdictDocument {
    let mut verdict = verdict.clone();
    let detail = |n: usize| {
        let id = json!({"$oid": format!("{n:024x}")});
        let document = |total: f64, status: &str| {
            json!({
                "_id": id, "number": n, "status": status, "total": total, "customer": {"name": "Ada", "city": "Austin"},
                "items": [{"dish": "brisket", "n": 2}, {"dish": "ribs", "n": n % 7}], "note": "extra sauce, please",
            })
        };
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        let (before, after) = (document(n as f64 + 0.5, "open"), document(n as f64, "shipped"));
        let fields = vec!["status".to_owned(), "total".to_owned()];
        DocumentDetail { id: id.clone(), fields, before: Some(before), after: Some(after), ..DocumentDetail::default() }
    };
    let details: Vec<DocumentDetail> = (0..CHANGED).map(detail).collect();
    let finding = verdict.findings.iter_mut().find(|finding| finding.documents.is_some()).expect("a census");
    let mut documents = DifferingDocuments::default();
    documents.changed.count = CHANGED as u64;
    documents.changed.ids = details.iter().map(|detail| detail.id.clone()).collect();
    documents.changed.fields = [("status".to_owned(), CHANGED as u64), ("total".to_owned(), CHANGED as u64)].into();
    documents.changed.details = details;
    finding.documents = Some(documents);
    finding.outcome = FindingOutcome::Different;
    verdict
}

/// Where the stores for a browser are left.
fn lasting() -> Option<PathBuf> {
    std::env::var_os("TASTER_PAGES_DIR").map(PathBuf::from)
}

/// A run of another app, made of real captures and a real verdict.
struct Filled {
    store: Store,
    pre: Capture,
    post: Capture,
    verdict: VerdictDocument,
}

impl Filled {
    async fn of(workspace: &Workspace, folder: &Path) -> Self {
        let app: AppName = "pxbbq".parse().expect("a name");
        let run: RunId = "r2".parse().expect("a run");
        let url = |path: &Path| format!("file://{}", path.display());
        let real =
            Store::open_unverified(&url(&workspace.path().join("results"))).await.expect("a store").app(&app).run(&run);
        let pre = real.pre().await.expect("a store").expect("a capture").into_inner();
        let post = real.latest_post().await.expect("a store").expect("a capture").into_inner();
        let verdict = real.verdict().await.expect("a store").expect("a verdict").into_inner();
        let store = Store::open_unverified(&url(folder)).await.expect("a store");
        Self { store, pre, post, verdict }
    }

    async fn put(&self, app: &str, run: &str, change: impl FnOnce(&mut VerdictDocument)) {
        let (app, run): (AppName, RunId) = (app.parse().expect("a name"), run.parse().expect("a run"));
        let store = self.store.app(&app).run(&run);
        let attempt = AttemptId::generate();
        let of = |capture: &Capture| Capture {
            app: app.clone(),
            run: run.clone(),
            attempt: attempt.clone(),
            objects: Vec::new(),
            censuses: Vec::new(),
            ..capture.clone()
        };
        store.commit_pre(&of(&self.pre)).await.expect("a capture");
        store.commit_post(&of(&self.post)).await.expect("a capture");
        let mut verdict = VerdictDocument { app: app.clone(), run: run.clone(), attempt, ..self.verdict.clone() };
        if let Some(before) = &mut verdict.before {
            before.run.clone_from(&run);
        }
        verdict.after.run.clone_from(&run);
        change(&mut verdict);
        let page = html::report(&verdict, &ReportContext { links: Links::to_siblings(), ..ReportContext::default() });
        store.put_report(&verdict.attempt, "report.html", page.as_bytes()).await.expect("a report");
        store.put_verdict(&verdict).await.expect("a verdict");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_database_holds_never_becomes_markup_and_many_runs_have_many_pages() {
    let shop = ShopDatabase::standalone(300).await;
    let workspace = shop.workspace();
    workspace.configure(SHOP);
    done(&workspace, 0, &["pre", "--run", "r2"]);
    assert!(shop.lose(doc! {"number": {"$mod": [10, 0]}}).await > 0);
    done(&workspace, 1, &["post", "--run", "r2"]);
    let folder = lasting().unwrap_or_else(|| workspace.path().join("pages"));
    let filled = Filled::of(&workspace, &folder).await;
    filled.put("hostile", "r1", |verdict| *verdict = poisoned(verdict)).await;
    filled.put("large", "r1", |verdict| *verdict = large(verdict)).await;
    let many = many();
    for n in 0..many {
        let vary = |verdict: &mut VerdictDocument| {
            let lossy = n % 10 == 7;
            if !lossy {
                verdict.verdict = Verdict::Same;
                verdict.remedy = None;
            }
            for finding in &mut verdict.findings {
                if !lossy {
                    finding.outcome = FindingOutcome::Same;
                    finding.documents = None;
                }
                if let Some(after) = finding.after.as_ref().and_then(Value::as_u64).filter(|after| *after > 100) {
                    finding.after = Some(json!(after + 3 * n as u64 - if lossy { 40 } else { 0 }));
                }
            }
        };
        filled.put("many", &format!("{:010}", 1_764_000_000 + n * 900), vary).await;
    }

    let served = Served::start(&workspace, &["--store", &format!("file://{}", folder.display())]);
    for url in ["/apps", "/apps/hostile", "/apps/hostile/runs/r1", "/apps/hostile/runs/r1/report.html"] {
        let reply = served.get(url);
        assert_eq!(reply.status, 200, "{url}: {reply:?}");
        is_page(&reply, url);
    }
    let page = served.get("/apps/hostile/runs/r1").body;
    assert!(page.matches("&#60;x-evil onload=alert(1)").count() > 40, "it is shown, as the text that it is");
    for href in links(&page) {
        let ours = href.starts_with(['/', '#']) || href.starts_with("data:image/svg+xml,");
        assert!(ours, "{href}");
    }

    // every run is on one page, and going back leads to where one came from
    let (mut url, mut runs, mut pages) = ("/apps/many".to_owned(), BTreeSet::new(), Vec::new());
    loop {
        let reply = served.get(&url);
        is_page(&reply, &url);
        runs.extend(links(&reply.body).into_iter().filter(|href| href.starts_with("/apps/many/runs/")));
        pages.push(url.clone());
        let Some(next) = leading(&reply.body, "next") else { break };
        url = next;
    }
    assert_eq!((runs.len(), pages.len()), (many, many.div_ceil(50)));
    for pair in pages.windows(2) {
        assert_eq!(leading(&served.get(&pair[1]).body, "prev").as_deref(), Some(&*pair[0]), "{pair:?}");
    }
    let drawn = served.get("/apps/many").body;
    assert!(drawn.matches("<polyline").count() >= 1 && drawn.contains("type=\"checkbox\""), "{drawn}");
}

/// Where the link of that relation leads to.
fn leading(page: &str, relation: &str) -> Option<String> {
    let (_, rest) = page.split_once(&format!("rel=\"{relation}\" href=\""))?;
    rest.split_once('"').map(|(href, _)| href.replace("&amp;", "&"))
}
