//! Changes of the interface are compatible with the published version.

use wit_parser::{Resolve, WorldId};

const PUBLISHED: &str = include_str!("../../../../wit/published/taster-probe-1.0.0.wit");
const CURRENT: &str = include_str!("../../../../wit/v1/probe.wit");

/// Checks that components built for `published` run on a host that implements `current`.
fn check(published: &str, current: &str) -> Result<(), String> {
    let mut resolve = Resolve::default();
    let published = world(&mut resolve, "published.wit", published);
    // one `Resolve` holds a package once a version: the check itself ignores versions
    let current = world(&mut resolve, "current.wit", &current.replace("@1.0.0;", "@1.999.0;"));
    wit_component::semver_check(resolve, published, current).map_err(|error| format!("{error:?}"))
}

fn world(resolve: &mut Resolve, path: &str, text: &str) -> WorldId {
    let package = resolve.push_source(path, text).unwrap();
    resolve.select_world(&[package], Some("probe")).unwrap()
}

#[test]
fn components_of_the_published_version_run_on_this_host() {
    check(PUBLISHED, CURRENT).unwrap();
}

#[test]
fn an_added_function_is_compatible() {
    let grown = CURRENT.replace(
        "log: func(level: level, message: string);",
        "log: func(level: level, message: string);\n  shout: func(message: string);",
    );
    assert_ne!(grown, CURRENT);
    check(PUBLISHED, &grown).unwrap();
}

#[test]
fn an_altered_type_is_caught() {
    let cases = [
        ("record", "setting: option<string>,", "setting: option<string>,\n    more: option<string>,"),
        ("enum", "unavailable,", "unavailable,\n    tired,"),
        ("variant", "census(string),", "census(string),\n    nothing,"),
        ("function", "count: func(collection: string, filter: bson)", "count: func(collection: string)"),
        ("export", "export run: func(db: borrow<database>, config: string)", "export run: func(db: borrow<database>)"),
    ];
    for (what, from, to) in cases {
        let altered = CURRENT.replace(from, to);
        assert_ne!(altered, CURRENT, "{what}");
        assert!(check(PUBLISHED, &altered).is_err(), "{what}");
    }
}
