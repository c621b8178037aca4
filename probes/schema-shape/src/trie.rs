//! The paths of a collection so far, with the number of values of each type.
//!
//! It is a trie of field names. Documents of one collection are similar, so each node remembers which node followed it in the
//! previous document: nearly every field is found by comparing eight bytes, without hashing and without measuring its name.
//!
//! A node with too many children is a map, whose keys are data (`visits.2026-11-23`). Its children are folded into one, `*`, at
//! once, so memory is limited. The result does not depend on the order of documents: whether a node is folded depends only on the
//! set of names below it, and folding adds the counts.

use std::collections::HashMap;

use taster_probe::{Failure, Kind, Malformed};

use crate::settings::Settings;

/// The limit of paths at a time. Only nested maps reach it; they should be ignored.
const MAX_NODES: usize = 100_000;
/// Deeper subdocuments are counted but not entered. The server stores 180 levels at most.
const MAX_DEPTH: usize = 200;

pub(crate) const ROOT: u32 = 0;
const NONE: u32 = u32::MAX;
/// Slots of a node's counts: the types 0x01 to 0x13 by number, then these.
const MIN_KEY: usize = 0;
const MAX_KEY: usize = 20;
const UNKNOWN: usize = 21;
const SLOTS: usize = 22;

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// The whole document.
    Root,
    /// A field with its name.
    Field,
    /// The elements of an array.
    Items,
    /// All fields of a map.
    Wild,
    /// Free, to be used again.
    Free,
}

#[derive(Debug)]
struct Node {
    parent: u32,
    role: Role,
    /// The first eight bytes of the name and its NUL, and a mask of those that count.
    key: u64,
    mask: u64,
    name: Box<[u8]>,
    /// The node that followed this one, and the first child of this one, in the previous document.
    next: u32,
    first: u32,
    counts: [u64; SLOTS],
    children: Vec<u32>,
    items: u32,
    wild: u32,
    /// Ignored, with everything below.
    ignored: bool,
    /// Ignored paths that lead through here: their index, and how many of their segments are matched.
    trails: Vec<(u32, u32)>,
}

pub(crate) struct Trie {
    nodes: Vec<Node>,
    free: Vec<u32>,
    /// Parent and name, as one key.
    index: HashMap<Vec<u8>, u32>,
    ignored: Vec<Vec<Vec<u8>>>,
    settings: Settings,
    scratch: Vec<u8>,
}

/// Which slot counts a type.
fn slot(kind: Kind) -> usize {
    match kind {
        Kind(0x01..=0x13) => usize::from(kind.0),
        Kind::MIN_KEY => MIN_KEY,
        Kind::MAX_KEY => MAX_KEY,
        _ => UNKNOWN,
    }
}

fn slot_name(slot: usize) -> &'static str {
    let kind = match slot {
        MIN_KEY => Kind::MIN_KEY,
        MAX_KEY => Kind::MAX_KEY,
        slot => Kind(slot as u8),
    };
    kind.name().unwrap_or("unknown")
}

impl Trie {
    pub(crate) fn new(settings: &Settings) -> Self {
        let ignored = settings.ignored();
        let trails = (0..ignored.len()).map(|path| (path as u32, 0)).collect();
        let mut trie = Self {
            nodes: Vec::new(),
            free: Vec::new(),
            index: HashMap::new(),
            ignored,
            settings: settings.clone(),
            scratch: Vec::new(),
        };
        trie.nodes.push(Node::new(NONE, Role::Root, &[], trails));
        trie
    }

    /// Counts the first document in `buffer`, which may contain more bytes.
    pub(crate) fn add_document(&mut self, buffer: &[u8], length: usize) -> Result<(), Failure> {
        self.nodes[ROOT as usize].counts[slot(Kind::DOCUMENT)] += 1;
        self.walk(buffer, 4, length - 1, ROOT, MAX_DEPTH)
    }

    /// Counts the elements from `at` to `end`, fields of `parent`.
    fn walk(&mut self, buffer: &[u8], mut at: usize, end: usize, parent: u32, depth: usize) -> Result<(), Failure> {
        let Some(depth) = depth.checked_sub(1) else { return Ok(()) };
        let mut before = NONE;
        let mut guess = self.nodes[parent as usize].first;
        while at < end {
            let kind = Kind(buffer[at]);
            let (node, value) = if self.is_next(guess, parent, buffer, at + 1) {
                (guess, at + 2 + self.nodes[guess as usize].name.len())
            } else {
                let rest = &buffer[at + 1..end];
                let name = &rest[..rest.iter().position(|byte| *byte == 0).ok_or(Malformed)?];
                let node = self.child(parent, name)?;
                match before {
                    NONE => self.nodes[parent as usize].first = node,
                    before => self.nodes[before as usize].next = node,
                }
                (node, at + 2 + name.len())
            };
            before = node;
            guess = self.nodes[node as usize].next;
            at = self.value(buffer, value, end, kind, node, depth)?;
        }
        Ok(())
    }

    /// Counts one value and the values in it; returns the position after it.
    #[inline]
    fn value(
        &mut self,
        buffer: &[u8],
        at: usize,
        end: usize,
        kind: Kind,
        node: u32,
        depth: usize,
    ) -> Result<usize, Failure> {
        let rest = buffer.get(at..end).ok_or(Malformed)?;
        let counted = &mut self.nodes[node as usize];
        let Ok(length) = kind.value_length(rest) else {
            if slot(kind) != UNKNOWN {
                return Err(Malformed.into());
            }
            // the length of an unknown type is unknown: the rest of this subdocument is not counted
            counted.counts[UNKNOWN] += 1;
            return Ok(end);
        };
        if length > rest.len() {
            return Err(Malformed.into());
        }
        if counted.ignored {
            return Ok(at + length);
        }
        counted.counts[slot(kind)] += 1;
        if kind == Kind::DOCUMENT || kind == Kind::ARRAY {
            if length < 5 {
                return Err(Malformed.into());
            }
            let (from, to) = (at + 4, at + length - 1);
            if kind == Kind::DOCUMENT {
                self.walk(buffer, from, to, node, depth)?;
            } else {
                self.walk_items(buffer, from, to, node, depth)?;
            }
        }
        Ok(at + length)
    }

    /// Counts the elements of an array. Their names are numbers and are skipped.
    fn walk_items(
        &mut self,
        buffer: &[u8],
        mut at: usize,
        end: usize,
        array: u32,
        depth: usize,
    ) -> Result<(), Failure> {
        let Some(depth) = depth.checked_sub(1) else { return Ok(()) };
        if at == end {
            return Ok(());
        }
        let items = self.items(array)?;
        if self.nodes[items as usize].ignored {
            return Ok(());
        }
        while at < end {
            let kind = Kind(buffer[at]);
            let name = buffer[at + 1..end].iter().position(|byte| *byte == 0).ok_or(Malformed)?;
            at = self.value(buffer, at + 2 + name, end, kind, items, depth)?;
        }
        Ok(())
    }

    /// Whether the name at `at` is that of `guess`, a field of `parent`.
    #[inline]
    fn is_next(&self, guess: u32, parent: u32, buffer: &[u8], at: usize) -> bool {
        let Some(node) = self.nodes.get(guess as usize) else { return false };
        if node.parent != parent || node.role != Role::Field {
            return false;
        }
        let Some(head) = buffer.get(at..at + 8).and_then(|head| head.first_chunk()) else {
            return buffer[at..].strip_prefix(&*node.name).is_some_and(|rest| rest.first() == Some(&0));
        };
        if u64::from_le_bytes(*head) & node.mask != node.key {
            return false;
        }
        // the end of a name of eight bytes or more follows later
        node.name.len() < 8
            || buffer[at + 8..].strip_prefix(&node.name[8..]).is_some_and(|rest| rest.first() == Some(&0))
    }

    /// The field with that name. It is added if there is none.
    fn child(&mut self, parent: u32, name: &[u8]) -> Result<u32, Failure> {
        let wild = self.nodes[parent as usize].wild;
        if wild != NONE && !self.ends_here(parent, name) {
            return Ok(wild);
        }
        self.scratch.clear();
        self.scratch.extend_from_slice(&parent.to_le_bytes());
        self.scratch.extend_from_slice(name);
        if let Some(node) = self.index.get(&self.scratch) {
            return Ok(*node);
        }
        let key = self.scratch.clone();
        let trails = self.trails(parent, |segment| segment == name || segment == b"*");
        let node = self.add(parent, Role::Field, name, trails)?;
        self.index.insert(key, node);
        self.nodes[parent as usize].children.push(node);
        let most = if parent == ROOT { self.settings.paths } else { self.settings.children };
        if wild == NONE && self.nodes[parent as usize].children.len() > most {
            self.fold(parent)?;
            return self.child(parent, name);
        }
        Ok(node)
    }

    /// Whether an ignored path ends with that field. Such a field has a node of its own even in a map.
    fn ends_here(&self, parent: u32, name: &[u8]) -> bool {
        self.nodes[parent as usize].trails.iter().any(|(path, behind)| {
            let path = &self.ignored[*path as usize];
            path.len() == *behind as usize + 1 && path[*behind as usize] == name
        })
    }

    /// The node of an array's elements.
    fn items(&mut self, array: u32) -> Result<u32, Failure> {
        let items = self.nodes[array as usize].items;
        if items != NONE {
            return Ok(items);
        }
        let trails = self.trails(array, |segment| segment == b"[]");
        let items = self.add(array, Role::Items, &[], trails)?;
        self.nodes[array as usize].items = items;
        Ok(items)
    }

    /// The trails of `parent` that go on through a child.
    fn trails(&self, parent: u32, fits: impl Fn(&[u8]) -> bool) -> Vec<(u32, u32)> {
        let trails = self.nodes[parent as usize].trails.iter();
        trails
            .filter(|(path, behind)| {
                self.ignored[*path as usize].get(*behind as usize).is_some_and(|segment| fits(segment))
            })
            .map(|(path, behind)| (*path, behind + 1))
            .collect()
    }

    fn add(&mut self, parent: u32, role: Role, name: &[u8], trails: Vec<(u32, u32)>) -> Result<u32, Failure> {
        let mut node = Node::new(parent, role, name, trails);
        node.ignored = node.trails.iter().any(|(path, behind)| self.ignored[*path as usize].len() == *behind as usize);
        if let Some(free) = self.free.pop() {
            self.nodes[free as usize] = node;
            return Ok(free);
        }
        if self.nodes.len() == MAX_NODES {
            let asked = format!("{} and its neighbours", self.path(parent));
            let message = format!("more than {MAX_NODES} different paths: ignore the maps, whose keys are data");
            return Err(Failure::limit(message, asked, MAX_NODES, "ignore"));
        }
        self.nodes.push(node);
        Ok((self.nodes.len() - 1) as u32)
    }

    /// Makes `parent` a map: folds its fields into one.
    fn fold(&mut self, parent: u32) -> Result<(), Failure> {
        // an ignored path that names a field of a map would apply only to the previous documents
        let blocked = self.nodes[parent as usize].trails.iter().find(|(path, behind)| {
            let path = &self.ignored[*path as usize];
            path.len() > *behind as usize + 1 && !matches!(&*path[*behind as usize], b"*" | b"[]")
        });
        if let Some((path, _)) = blocked {
            let map = self.path(parent);
            let (path, most) = (&self.settings.ignore[*path as usize], self.settings.children);
            let message = format!(
                "{map} has more than {most} different fields, which are folded into {map}.*; \
                                   write `*` in the ignored path {path} or raise the number"
            );
            return Err(Failure::limit(message, format!("more than {most} fields"), most, "children"));
        }
        let trails = self.trails(parent, |segment| segment == b"*");
        let wild = self.add(parent, Role::Wild, &[], trails)?;
        self.nodes[parent as usize].wild = wild;
        for child in std::mem::take(&mut self.nodes[parent as usize].children) {
            self.merge(child, wild)?;
        }
        Ok(())
    }

    /// Adds the counts of `from` and everything below to `to`, and frees `from`.
    fn merge(&mut self, from: u32, to: u32) -> Result<(), Failure> {
        let counts = self.nodes[from as usize].counts;
        for (slot, count) in self.nodes[to as usize].counts.iter_mut().zip(counts) {
            *slot += count;
        }
        let Node { items, wild, .. } = self.nodes[from as usize];
        if items != NONE {
            let into = self.items(to)?;
            self.merge(items, into)?;
        }
        if wild != NONE {
            if self.nodes[to as usize].wild == NONE {
                self.fold(to)?;
            }
            self.merge(wild, self.nodes[to as usize].wild)?;
        }
        for child in std::mem::take(&mut self.nodes[from as usize].children) {
            let name = self.nodes[child as usize].name.clone();
            let into = self.child(to, &name)?;
            self.merge(child, into)?;
        }
        self.forget(from);
        Ok(())
    }

    fn forget(&mut self, node: u32) {
        let Node { parent, role, name, .. } =
            std::mem::replace(&mut self.nodes[node as usize], Node::new(NONE, Role::Free, &[], Vec::new()));
        if role == Role::Field {
            let mut key = parent.to_le_bytes().to_vec();
            key.extend_from_slice(&name);
            self.index.remove(&key);
        }
        self.free.push(node);
    }

    /// Folds the nodes with the most children until the limit of paths is met. The result does not depend on the order of documents.
    pub(crate) fn shrink(&mut self) -> Result<(), Failure> {
        while self.nodes_with_values().count() > self.settings.paths {
            // the document itself comes last: its fields are the collection's own
            let width = |node: &Node| match node.role {
                _ if node.wild != NONE => 0,
                Role::Root => 1,
                _ => node.children.len() * 2,
            };
            let widest = self.nodes.iter().map(width).max().unwrap_or_default();
            if widest == 0 {
                break;
            }
            // from the top: folding a node also folds the nodes below it
            let mut nodes: Vec<(String, u32)> = (0..self.nodes.len() as u32)
                .filter(|node| width(&self.nodes[*node as usize]) == widest)
                .map(|node| (self.path(node), node))
                .collect();
            nodes.sort_by(|(a, _), (b, _)| a.len().cmp(&b.len()).then_with(|| a.cmp(b)));
            for (_, node) in nodes {
                if width(&self.nodes[node as usize]) == widest {
                    self.fold(node)?;
                }
            }
        }
        Ok(())
    }

    /// The nodes with values.
    fn nodes_with_values(&self) -> impl Iterator<Item = u32> {
        let shown = |(_, node): &(usize, &Node)| {
            !matches!(node.role, Role::Root | Role::Free) && !node.ignored && node.counts.iter().any(|count| *count > 0)
        };
        self.nodes.iter().enumerate().filter(shown).map(|(at, _)| at as u32)
    }

    /// Each path with its types and their numbers, sorted. `(missing)` counts the subdocuments without the field; elements of arrays
    /// and fields of maps have none.
    pub(crate) fn shape(&self) -> Vec<(String, Vec<(&'static str, u64)>)> {
        let mut shape: Vec<_> = self
            .nodes_with_values()
            .map(|at| {
                let node = &self.nodes[at as usize];
                let mut types: Vec<(&'static str, u64)> = Vec::new();
                for (slot, count) in node.counts.iter().enumerate().filter(|(_, count)| **count > 0) {
                    types.push((slot_name(slot), *count));
                }
                types.sort_unstable();
                if node.role == Role::Field {
                    let parents = self.nodes[node.parent as usize].counts[slot(Kind::DOCUMENT)];
                    // more than its parents if a document has a name twice
                    let missing = parents.saturating_sub(node.counts.iter().sum());
                    if missing > 0 {
                        types.insert(0, ("(missing)", missing));
                    }
                }
                (self.path(at), types)
            })
            .collect();
        shape.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        shape
    }

    /// `customer.name`, `items[].sku`, `visits.*`. Characters of names that would be ambiguous are escaped with `\`.
    fn path(&self, node: u32) -> String {
        let this = &self.nodes[node as usize];
        if matches!(this.role, Role::Root | Role::Free) {
            return String::new();
        }
        let parent = self.path(this.parent);
        let dot = if self.nodes[this.parent as usize].role == Role::Root { "" } else { "." };
        match this.role {
            Role::Items => format!("{parent}[]"),
            Role::Wild => format!("{parent}{dot}*"),
            _ => format!("{parent}{dot}{}", escaped(&this.name)),
        }
    }
}

fn escaped(name: &[u8]) -> String {
    let text = match str::from_utf8(name) {
        Ok(text) => text.replace('\\', "\\\\").replace('.', "\\."),
        // the server allows names that are not UTF-8; they are shown as bytes
        Err(_) => name.iter().map(|byte| format!("\\x{byte:02x}")).collect::<Vec<_>>().concat(),
    };
    match text.strip_suffix("[]") {
        Some(start) => format!("{start}\\[]"),
        None if text == "*" || text == "\"\"" => format!("\\{text}"),
        None if text.is_empty() => "\"\"".to_owned(),
        None => text,
    }
}

impl Node {
    fn new(parent: u32, role: Role, name: &[u8], trails: Vec<(u32, u32)>) -> Self {
        let mut head = [0; 8];
        let mut mask = [0; 8];
        let counted = name.len().min(8);
        head[..counted].copy_from_slice(&name[..counted]);
        // with the NUL after it, if that is among the eight
        mask[..(counted + 1).min(8)].fill(0xff);
        Self {
            parent,
            role,
            key: u64::from_le_bytes(head),
            mask: u64::from_le_bytes(mask),
            name: name.into(),
            next: NONE,
            first: NONE,
            counts: [0; SLOTS],
            children: Vec::new(),
            items: NONE,
            wild: NONE,
            ignored: false,
            trails,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value as Json, json};
    use taster_probe::extjson::to_document;

    use super::*;

    fn run(settings: &Settings, documents: &[Json]) -> Result<String, Failure> {
        let mut trie = Trie::new(settings);
        for json in documents {
            let document = to_document(json, "document").unwrap();
            trie.add_document(document.as_bytes(), document.as_bytes().len())?;
        }
        trie.shrink()?;
        let line = |(path, types): (String, Vec<(&str, u64)>)| {
            let types: Vec<_> = types.iter().map(|(name, count)| format!("{name} {count}")).collect();
            format!("{path}: {}\n", types.join(", "))
        };
        Ok(trie.shape().into_iter().map(line).collect::<Vec<_>>().concat())
    }

    fn settings(ignore: &[&str], paths: usize, children: usize) -> Settings {
        Settings { ignore: ignore.iter().map(|path| (*path).to_owned()).collect(), paths, children }
    }

    #[test]
    fn missing_and_null_are_different() {
        let documents = [
            json!({"status": "open", "total": {"$numberDecimal": "1"}, "items": [{"sku": "a", "qty": 1}, {"sku": "b"}]}),
            json!({"status": null, "total": 2.5, "items": []}),
            json!({"total": 3, "items": "none", "customer": {"name": "Ann"}, "a.b": 1, "": true}),
        ];
        insta::assert_snapshot!(run(&Settings::default(), &documents).unwrap(), @r#"
        "": (missing) 2, bool 1
        a\.b: (missing) 2, int 1
        customer: (missing) 2, object 1
        customer.name: string 1
        items: array 2, string 1
        items[]: object 2
        items[].qty: (missing) 1, int 1
        items[].sku: string 2
        status: (missing) 1, null 1, string 1
        total: decimal 1, double 1, int 1
        "#);
    }

    #[test]
    fn a_map_is_folded_and_the_counts_below_are_added() {
        let documents = [
            json!({"visits": {"mon": {"n": 1}, "tue": {"n": 2, "by": ["x"]}}}),
            json!({"visits": {"wed": {"n": "3"}, "thu": 4}}),
        ];
        insta::assert_snapshot!(run(&settings(&[], 100, 3), &documents).unwrap(), @r#"
        visits: object 2
        visits.*: int 1, object 3
        visits.*.by: (missing) 2, array 1
        visits.*.by[]: string 1
        visits.*.n: int 2, string 1
        "#);
        insta::assert_snapshot!(run(&settings(&["visits.*.n", "visits.thu"], 100, 2), &documents).unwrap(), @r#"
        visits: object 2
        visits.*: object 3
        visits.*.by: (missing) 2, array 1
        visits.*.by[]: string 1
        "#);
        let failure = run(&settings(&["visits.mon.n"], 100, 3), &documents).unwrap_err();
        insta::assert_snapshot!(failure.message, @r#"
        visits has more than 3 different fields, which are folded into visits.*; write `*` in the ignored path visits.mon.n or raise the number
        "#);
    }

    #[test]
    fn nodes_with_the_most_children_are_folded_first() {
        let documents = [json!({"a": {"b": 1, "c": 2, "d": 3}, "e": {"f": 1, "g": 2}, "h": 1})];
        insta::assert_snapshot!(run(&settings(&[], 6, 100), &documents).unwrap(), @r#"
        a: object 1
        a.*: int 3
        e: object 1
        e.f: int 1
        e.g: int 1
        h: int 1
        "#);
        insta::assert_snapshot!(run(&settings(&[], 5, 100), &documents).unwrap(), @r#"
        a: object 1
        a.*: int 3
        e: object 1
        e.*: int 2
        h: int 1
        "#);
    }

    #[test]
    fn names_of_any_length_are_recognized() {
        let names = ["", "a", "abcdefg", "abcdefgh", "abcdefghi", "abcdefghj", "abcdefg\u{e9}"];
        let document = Json::Object(names.iter().map(|name| ((*name).to_owned(), json!(1))).collect());
        let shape = run(&Settings::default(), &[document.clone(), document.clone(), document]).unwrap();
        assert_eq!(shape.lines().filter(|line| line.ends_with(": int 3")).count(), names.len(), "{shape}");
    }

    fn document() -> impl Strategy<Value = Json> {
        let leaf = prop_oneof![Just(json!(1)), Just(json!("x")), Just(Json::Null), Just(json!(1.5))];
        let value = leaf.prop_recursive(4, 24, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Json::Array),
                prop::collection::vec(("[a-e]{1,2}", inner), 0..6)
                    .prop_map(|fields| Json::Object(fields.into_iter().collect())),
            ]
        });
        prop::collection::vec(("[a-d]", value), 0..5).prop_map(|fields| Json::Object(fields.into_iter().collect()))
    }

    proptest! {
        #[test]
        fn the_shape_does_not_depend_on_the_order_of_documents(
            documents in prop::collection::vec(document(), 0..12), children in 1_usize..5, paths in 1_usize..20,
        ) {
            let settings = settings(&["a.*.b", "b.c"], paths, children);
            let forth = run(&settings, &documents).map_err(|failure| failure.message);
            let backwards: Vec<Json> = documents.iter().rev().cloned().collect();
            prop_assert_eq!(forth, run(&settings, &backwards).map_err(|failure| failure.message));
        }

        #[test]
        fn arbitrary_bytes_are_counted_or_an_error(mut bytes in prop::collection::vec(any::<u8>(), 5..80)) {
            let length = bytes.len();
            bytes[..4].copy_from_slice(&(length as u32).to_le_bytes());
            bytes[length - 1] = 0;
            let _ = Trie::new(&Settings::default()).add_document(&bytes, length);
        }
    }
}
