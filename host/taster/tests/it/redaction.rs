//! Redaction, end to end: no stored file and no output contains a redacted value or id.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use mongodb::bson::{Document, doc};

use crate::{
    false_alarms::{empty, insert},
    support::{CommandOutput, FLAVOURS, SHOP, Workspace},
};

/// Values that nothing else contains, before and after the upgrade.
const PIN: [&str; 2] = ["Quincetart4417", "Medlarjam9083"];
const PHONE: [&str; 2] = ["Vesper07824350", "Nocturne06117724"];
const LINE: [&str; 2] = ["Damsonline3319", "Greengageline8842"];
const CARD: [i64; 2] = [7_234_985_720_194_837_561, 6_118_402_957_733_095_248];
const ID: &str = "Bergamotguest5520";
/// Next to a redacted field, in the same embedded document.
const TOWN: &str = "Sloetown2206";

const REDACTION: &str = "redact: {ids: true, fields: [pin, card, who.phone, calls.line]}\n";

/// How reports show the one changed field that is not redacted.
const SHOWN: &str = "total 12.345 → 12.35";

fn guest(pin: &str, phone: &str, line: &str, card: i64) -> Document {
    let who = doc! {"phone": phone, "town": TOWN};
    doc! {"_id": ID, "pin": pin, "card": card, "who": who, "calls": [{"line": line}], "total": 12.345}
}

/// Every form in which a redacted value or the id may be stored: text, the digits of a number, and its bytes as in BSON.
fn secrets() -> Vec<Vec<u8>> {
    let digits = CARD.map(|number| number.to_string());
    let texts = [PIN, PHONE, LINE].into_iter().flatten().chain([ID]).chain(digits.iter().map(String::as_str));
    texts.map(|text| text.as_bytes().to_vec()).chain(CARD.map(|number| number.to_le_bytes().to_vec())).collect()
}

fn contains(bytes: &[u8], searched: &[u8]) -> bool {
    bytes.windows(searched.len()).any(|window| window == searched)
}

/// Every file below a folder.
pub(crate) fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            let bytes = fs::read(&path).expect("a file");
            found.insert(path, bytes);
        }
    }
    found
}

/// Whether a search for bytes finds everything that the census holds. It compresses with zstd each column that becomes shorter
/// by that, and the list of shapes always. Of one small document nothing becomes shorter, and zstd stores it as it is.
fn is_searchable(census: &[u8]) -> bool {
    const FRAME: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];
    const COMPRESSED: u8 = 2;
    let places = census.windows(FRAME.len()).enumerate().filter(|(_, window)| *window == FRAME);
    let blocks: Vec<u8> = places.map(|(place, _)| first_block(&census[place..])).collect();
    !blocks.is_empty() && blocks.iter().all(|block| *block < COMPRESSED)
}

/// The type of the first block of a zstd frame (RFC 8878, section 3.1.1).
fn first_block(frame: &[u8]) -> u8 {
    let descriptor = frame[4];
    let window = usize::from(descriptor & 0x20 == 0);
    let dictionary = [0, 1, 2, 4][usize::from(descriptor & 3)];
    let content_size = match descriptor >> 6 {
        0 => 1 - window,
        1 => 2,
        2 => 4,
        _ => 8,
    };
    (frame[5 + window + dictionary + content_size] >> 1) & 3
}

/// What each command says of the verdict in each format. Its own `post` comes with every line that can be logged.
fn verdicts(workspace: &Workspace) -> Vec<(&'static str, CommandOutput)> {
    let mut shown = Vec::new();
    for command in [&["post", "--run", "one", "-vv"][..], &["show", "one"], &["compare", "--run", "one"]] {
        for format in ["human", "json", "markdown", "junit", "html"] {
            shown.push((format, workspace.taster(&[command, &["--format", format]].concat())));
        }
    }
    shown
}

/// Whether a file whose path ends so has that text in it.
fn has(files: &BTreeMap<PathBuf, Vec<u8>>, end: &str, text: &str) -> bool {
    let mut named = files.iter().filter(|(path, _)| path.to_string_lossy().ends_with(end));
    named.any(|(_, bytes)| contains(bytes, text.as_bytes()))
}

fn assert_nothing_is_revealed(workspace: &Workspace, shown: &[(&str, CommandOutput)]) {
    let files = files(workspace.path());
    for secret in &secrets() {
        let name = String::from_utf8_lossy(secret);
        for (path, bytes) in &files {
            assert!(!contains(bytes, secret), "{name} is in {}", path.display());
        }
        for (format, output) in shown {
            let all = output.all();
            assert!(!contains(all.as_bytes(), secret), "{name} is shown as {format}: {all}");
        }
    }
    let censuses = files.iter().filter(|(path, _)| path.to_string_lossy().ends_with(".census"));
    let searchable: Vec<bool> = censuses.map(|(_, bytes)| is_searchable(bytes)).collect();
    assert!(searchable.len() > 1 && !searchable.contains(&false), "{searchable:?}");
    // the document was kept, with everything else that it holds
    assert!(has(&files, ".census", TOWN));
    for end in ["/report.md", "/comment.md", "/report.html", "/junit.xml"] {
        assert!(has(&files, end, SHOWN), "{end}");
    }
    for (format, output) in shown {
        let texts = if *format == "json" { ["\"12.345\"", "\"12.35\""] } else { [SHOWN; 2] };
        assert!(texts.iter().all(|text| output.out.contains(text)), "{format}: {}", output.all());
    }
}

/// The search finds what is not redacted, so that it would find what is.
fn assert_everything_is_revealed(workspace: &Workspace, shown: &[(&str, CommandOutput)]) {
    let files = files(workspace.path());
    for secret in &secrets() {
        assert!(files.values().any(|bytes| contains(bytes, secret)), "{}", String::from_utf8_lossy(secret));
    }
    for text in [PIN, PHONE, LINE].into_iter().flatten() {
        assert!(has(&files, ".census", text), "{text}");
    }
    for (format, output) in shown {
        for text in [PIN[0], PIN[1], ID] {
            assert!(output.out.contains(text), "{text} as {format}: {}", output.all());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_redacted_value_and_no_id_is_stored_or_shown() {
    for flavour in FLAVOURS {
        let (shop, _) = empty(flavour).await;
        insert(&shop, "guests", [guest(PIN[0], PHONE[0], LINE[0], CARD[0])]).await;
        let [(redacted, pre), (control, _)] = [REDACTION, ""].map(|redaction| {
            let workspace = shop.workspace();
            let census = "{name: census, component: census, config: {detail: fields, values: true, sample: 1}}";
            workspace.configure(&format!("{SHOP}probes: [{census}]\n{redaction}"));
            let pre = workspace.taster(&["pre", "--run", "one", "-vv"]);
            assert_eq!(pre.code, 0, "{}", pre.all());
            (workspace, pre.all())
        });
        for secret in &secrets() {
            assert!(!contains(pre.as_bytes(), secret), "{}: {pre}", String::from_utf8_lossy(secret));
        }
        let mut changed = guest(PIN[1], PHONE[1], LINE[1], CARD[1]);
        changed.insert("total", 12.35);
        let guests = shop.database.collection::<Document>("guests");
        guests.replace_one(doc! {"_id": ID}, changed).await.expect("an upgrade");
        for workspace in [&redacted, &control] {
            let post = workspace.taster(&["post", "--run", "one", "--format", "markdown", "-o", "comment.md"]);
            assert_eq!(post.code, 1, "{}", post.all());
        }
        assert_nothing_is_revealed(&redacted, &verdicts(&redacted));
        assert_everything_is_revealed(&control, &verdicts(&control));
    }
}
