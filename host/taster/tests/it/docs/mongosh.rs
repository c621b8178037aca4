//! The `js` blocks, which a person runs in mongosh: each is read and run as the command that it is. mongosh itself is not needed.

use mongodb::{
    Database,
    bson::{Bson, Document, doc},
};
use taster_demo::Mongod;
use taster_testkit::{
    WAIT_TIMEOUT,
    mongod::{self, MongodOptions},
    wait_until,
};

use super::blocks::blocks;

/// The blocks of a page.
fn js(page: &str) -> Vec<String> {
    let path = super::repository().join(page);
    let (_, text) = super::pages().into_iter().find(|(other, _)| *other == path).expect("a page");
    blocks(&text).into_iter().filter(|block| block.info == "js").map(|block| block.text).collect()
}

/// A literal of JavaScript as BSON: names of fields need no quotes.
fn literal(text: &str) -> Bson {
    let (mut json, mut rest) = (String::new(), text);
    while let Some(letter) = rest.chars().next() {
        let end = match letter {
            '"' => rest[1..].find('"').map_or(rest.len(), |end| end + 2),
            letter if is_name(letter) => rest.find(|other: char| !is_name(other)).unwrap_or(rest.len()),
            letter => letter.len_utf8(),
        };
        let (word, after) = rest.split_at(end);
        let is_field = is_name(letter) && after.trim_start().starts_with(':');
        let quote = if is_field { "\"" } else { "" };
        json.extend([quote, word, quote]);
        rest = after;
    }
    let value: serde_json::Value = serde_json::from_str(&json).unwrap_or_else(|error| panic!("{error}: {text}"));
    Bson::try_from(value).expect("BSON")
}

fn is_name(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

/// The statements of a block, each on one line, without comments. Each begins at the beginning of a line.
fn statements(block: &str) -> Vec<String> {
    let mut statements: Vec<String> = Vec::new();
    let lines = block.lines().filter(|line| !line.starts_with("//"));
    for line in lines.map(|line| line.split("  //").next().unwrap_or_default()) {
        match statements.last_mut() {
            Some(last) if line.starts_with([' ', '}', ']']) => {
                last.push(' ');
                last.push_str(line.trim());
            }
            _ => statements.push(line.trim().to_owned()),
        }
    }
    statements
}

/// The argument of a helper of mongosh on the database `admin`.
fn argument(statement: &str, helper: &str) -> Option<Document> {
    let call = statement.strip_prefix(&format!("db.getSiblingDB(\"admin\").{helper}("))?;
    let argument = call.strip_suffix(')').expect("the end of the call").replace("passwordPrompt()", "\"a password\"");
    let Bson::Document(argument) = literal(&argument) else { panic!("no document: {argument}") };
    Some(argument)
}

/// The command of a helper: it is called as the helper, and its first field is the name.
fn as_command(mut argument: Document, helper: &str, name: &str) -> Document {
    let named = argument.remove(name).unwrap_or_else(|| panic!("no `{name}` in {argument}"));
    let mut command = Document::new();
    command.insert(helper, named);
    command.extend(argument);
    command
}

/// Runs the statements that create the role and the user, and returns the privileges of the role as the server has them.
async fn create(admin: &Database, block: &str) -> Vec<Bson> {
    let mut run = Vec::new();
    for statement in statements(block) {
        let (command, helper) = if let Some(role) = argument(&statement, "createRole") {
            (as_command(role, "createRole", "role"), "createRole")
        } else if let Some(user) = argument(&statement, "createUser") {
            (as_command(user, "createUser", "user"), "createUser")
        } else {
            panic!("this test cannot run `{statement}`");
        };
        admin.run_command(command).await.unwrap_or_else(|error| panic!("{error}: {statement}"));
        run.push(helper);
    }
    assert_eq!(run, ["createRole", "createUser"], "{block}");
    let users = admin.run_command(doc! {"usersInfo": "taster"}).await.expect("users");
    let user = users.get_array("users").expect("users")[0].as_document().expect("a user").clone();
    let roles = user.get_array("roles").expect("roles");
    assert_eq!(*roles, [Bson::Document(doc! {"role": "taster", "db": "admin"})], "{user}");
    let privileges = privileges(admin).await;
    admin.run_command(doc! {"dropUser": "taster"}).await.expect("a user");
    admin.run_command(doc! {"dropRole": "taster"}).await.expect("a role");
    privileges
}

/// The privileges of the role, which has no others by another role.
async fn privileges(admin: &Database) -> Vec<Bson> {
    let roles = admin.run_command(doc! {"rolesInfo": "taster", "showPrivileges": true}).await.expect("roles");
    let role = roles.get_array("roles").expect("roles")[0].as_document().expect("a role").clone();
    assert!(role.get_array("roles").expect("roles").is_empty(), "{role}");
    role.get_array("privileges").expect("privileges").clone()
}

/// The narrower privileges of the guide, which replace the first one of the role.
async fn create_narrow(admin: &Database, lines: &str) {
    let narrow = literal(&format!("[{}]", lines.trim().trim_end_matches(',')));
    admin.run_command(doc! {"createRole": "taster", "privileges": narrow, "roles": []}).await.expect("a role");
    assert_eq!(privileges(admin).await.len(), 3, "{lines}");
    admin.run_command(doc! {"dropRole": "taster"}).await.expect("a role");
}

/// Makes the server the only member of its set. What follows from it is tested in `host/query/tests/it/server.rs`, on a copy.
async fn reconfigure(mongod: &Mongod, block: &str) {
    let client = mongod.client().await.expect("a client");
    let (admin, local) = (client.database("admin"), client.database("local"));
    let version = async || {
        let reply = admin.run_command(doc! {"replSetGetConfig": 1}).await.ok()?;
        reply.get_document("config").ok()?.get_i32("version").ok()
    };
    let before = version().await.expect("a configuration");
    let mut config = Document::new();
    let mut is_run = false;
    for statement in statements(block) {
        if statement == r#"cfg = db.getSiblingDB("local").system.replset.findOne()"# {
            let stored = local.collection::<Document>("system.replset").find_one(doc! {}).await.expect("a document");
            config = stored.expect("a configuration");
        } else if let Some(members) = statement.strip_prefix("cfg.members = ") {
            let first = config.get_array("members").expect("members")[0].as_document().expect("a member");
            let id = first.get("_id").expect("an id").to_string();
            let host = format!("127.0.0.1:{}", mongod.port());
            let members = literal(&members.replace("cfg.members[0]._id", &id).replace("HOST:27017", &host));
            config.insert("members", members);
        } else if let Some(arguments) = statement.strip_prefix("rs.reconfig(cfg, ") {
            let options = literal(arguments.strip_suffix(')').expect("its end"));
            let mut command = doc! {"replSetReconfig": config.clone()};
            command.extend(options.as_document().expect("options").clone());
            admin.run_command(command).await.unwrap_or_else(|error| panic!("{error}: {config}"));
            is_run = true;
        } else {
            panic!("this test cannot run `{statement}`");
        }
    }
    assert!(is_run, "{block}");
    let changed = async || version().await.is_some_and(|version| version > before);
    wait_until("the new configuration", WAIT_TIMEOUT, changed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_run_in_mongosh_is_accepted_by_a_server() {
    let mongod = mongod::start(MongodOptions { replica_set: true, ..mongod::options(&[]) }).await;
    let admin = mongod.client().await.expect("a client").database("admin");
    let readme = js("README.md");
    let guide = js("docs/src/operations/mongodb.md");
    let ([readme], [role, narrow, reconfig]) = (&readme[..], &guide[..]) else {
        panic!("other blocks than this test runs: {readme:?} {guide:?}")
    };
    let created = create(&admin, role).await;
    assert_eq!(created.len(), 3, "{created:?}");
    assert_eq!(create(&admin, readme).await, created, "README and the guide show different roles");
    create_narrow(&admin, narrow).await;
    reconfigure(&mongod, reconfig).await;
}

#[test]
fn no_other_page_has_a_block_for_mongosh() {
    for (path, page) in super::pages() {
        let known = path.ends_with("docs/src/operations/mongodb.md") || path == super::repository().join("README.md");
        let found = blocks(&page).iter().any(|block| block.info == "js");
        assert_eq!(found, known, "{}", path.display());
    }
}
