//! Builds guest components for tests from WebAssembly text, like tool chains do.

use std::fmt::Write;

use wit_component::{ComponentEncoder, StringEncoding};
use wit_parser::Resolve;

const PROBE: &str = include_str!("../../../../wit/v1/probe.wit");

/// The address of a guest's data. Below it is scratch space.
pub(crate) const DATA: u32 = 8192;

/// The numbers of the cases of `value` and `value-kind`.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Integer = 0,
    Document = 6,
    Census = 7,
}

/// What a guest returns.
pub(crate) enum Answer {
    /// These metrics.
    Metrics(Vec<(&'static str, Value)>),
    /// A failure of its own.
    Failure(&'static str),
    /// A failure of its own with a code of the host, as if the database had been unavailable.
    FailureWithCode(&'static str, &'static str),
}

pub(crate) enum Value {
    Integer(i64),
    Document(Vec<u8>),
    Census(&'static str),
}

/// A guest. The default one returns `orders.count` = 3.
pub(crate) struct Guest {
    /// Methods that its manifest declares.
    pub(crate) methods: Vec<&'static str>,
    /// Metrics that its manifest declares.
    pub(crate) metrics: Vec<(&'static str, Kind)>,
    /// Initial pages of memory.
    pub(crate) pages: u32,
    /// Imports and other items of its module.
    pub(crate) items: &'static str,
    /// What its allocator does before it allocates.
    pub(crate) realloc: &'static str,
    /// What `describe` does before it returns `$manifest`.
    pub(crate) describe: &'static str,
    /// What `run` does before it returns `$answer`. The parameter `$db` is the database.
    pub(crate) run: String,
    /// What `$answer` is.
    pub(crate) answer: Answer,
    /// Additional WIT packages, and the world's imports from them.
    pub(crate) wit: (&'static [&'static str], &'static str),
}

impl Default for Guest {
    fn default() -> Self {
        Self {
            methods: vec!["find", "count"],
            metrics: vec![("*.count", Kind::Integer)],
            pages: 2,
            items: "",
            realloc: "",
            describe: "",
            run: String::new(),
            answer: Answer::Metrics(vec![("orders.count", Value::Integer(3))]),
            wit: (&[], ""),
        }
    }
}

impl Guest {
    /// The component.
    pub(crate) fn build(&self) -> Vec<u8> {
        make_component(&self.module())
    }

    /// The core module that the component is made of, with its interface in a custom section.
    pub(crate) fn module(&self) -> Vec<u8> {
        let mut image = Image::default();
        let manifest = image.manifest(self);
        let answer = image.answer(&self.answer);
        let text = format!(
            r#"(module
            (import "taster:probe/mongo@1.0.0" "[resource-drop]database" (func $drop_database (param i32)))
            {items}
            (memory (export "memory") {pages})
            (global $manifest i32 (i32.const {manifest}))
            (global $answer i32 (i32.const {answer}))
            (global $free (mut i32) (i32.const {free}))
            (data (i32.const {DATA}) "{data}")
            (func (export "cabi_realloc") (param $old i32) (param $old_size i32) (param $align i32) (param $size i32)
                (result i32) (local $at i32)
                {realloc}
                (local.set $at (i32.and
                    (i32.add (global.get $free) (i32.sub (local.get $align) (i32.const 1)))
                    (i32.sub (i32.const 0) (local.get $align))))
                (global.set $free (i32.add (local.get $at) (local.get $size)))
                (block $fits (loop $more
                    (br_if $fits (i32.le_u (global.get $free) (i32.mul (memory.size) (i32.const 65536))))
                    (if (i32.eq (memory.grow (i32.const 16)) (i32.const -1)) (then unreachable))
                    (br $more)))
                (local.get $at))
            (func (export "describe") (result i32) {describe} (global.get $manifest))
            (func $run (export "run") (param $db i32) (param $config i32) (param $config_length i32) (result i32)
                {run}
                (call $drop_database (local.get $db))
                (global.get $answer)))"#,
            items = self.items,
            pages = self.pages.max(DATA.div_ceil(65536) + image.bytes.len().div_ceil(65536) as u32),
            free = DATA as usize + image.bytes.len(),
            data = image.text(),
            realloc = self.realloc,
            describe = self.describe,
            run = self.run,
        );
        let (packages, imports) = self.wit;
        embed(&text, packages, &format!("include taster:probe/probe@1.0.0; {imports}"))
    }
}

/// A component of a module in text, for a world of its own.
pub(crate) fn encode(module: &str, packages: &[&str], world: &str) -> Vec<u8> {
    make_component(&embed(module, packages, world))
}

/// A component of a module that carries its interface.
pub(crate) fn make_component(module: &[u8]) -> Vec<u8> {
    ComponentEncoder::default().module(module).unwrap().validate(true).encode().unwrap()
}

/// A module in text, with a world of its own in a custom section.
pub(crate) fn embed(module: &str, packages: &[&str], world: &str) -> Vec<u8> {
    let mut resolve = Resolve::default();
    resolve.push_source("probe.wit", PROBE).unwrap();
    for (number, package) in packages.iter().enumerate() {
        resolve.push_source(&format!("{number}.wit"), package).unwrap();
    }
    let source = format!("package test:guest; world guest {{ {world} }}");
    let package = resolve.push_source("guest.wit", &source).unwrap();
    let world = resolve.select_world(&[package], Some("guest")).unwrap();
    let mut module = wat::parse_str(module).unwrap_or_else(|error| panic!("{error}\n{module}"));
    wit_component::embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    module
}

/// `component` with one more core module in it, which is instantiated after everything else.
pub(crate) fn with_module(mut component: Vec<u8>, module: &str) -> Vec<u8> {
    let modules = wasmparser::Parser::new(0)
        .parse_all(&component)
        .filter(|payload| matches!(payload, Ok(wasmparser::Payload::ModuleSection { .. })))
        .count();
    let module = wat::parse_str(module).unwrap();
    let mut section = |id: u8, content: &[u8]| {
        component.push(id);
        leb(&mut component, content.len());
        component.extend_from_slice(content);
    };
    section(1, &module);
    // one core instance: instantiate module number `modules` with no arguments
    let mut instance = vec![1, 0];
    leb(&mut instance, modules);
    instance.push(0);
    section(2, &instance);
    component
}

fn leb(bytes: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// Data of a guest, laid out as the component model has it for 32 bits.
#[derive(Default)]
struct Image {
    bytes: Vec<u8>,
}

impl Image {
    fn put(&mut self, bytes: &[u8]) -> u32 {
        self.bytes.resize(self.bytes.len().next_multiple_of(8), 0);
        let at = DATA + self.bytes.len() as u32;
        self.bytes.extend_from_slice(bytes);
        at
    }

    fn words(words: &[u32]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    /// Pointer and length.
    fn string(&mut self, text: &[u8]) -> [u32; 2] {
        [self.put(text), text.len() as u32]
    }

    fn list(&mut self, items: &[Vec<u8>]) -> [u32; 2] {
        [self.put(&items.concat()), items.len() as u32]
    }

    fn manifest(&mut self, guest: &Guest) -> u32 {
        let [name, version, summary] = [&b"evil"[..], b"1.0.0", b"a guest"].map(|text| self.string(text));
        let role_name = self.string(b"orders");
        let role = [Self::words(&[role_name[0], role_name[1], 0, 0]), vec![0, 1, 0, 0]].concat();
        let roles = self.list(&[role]);
        let methods: Vec<_> = guest.methods.iter().map(|method| Self::words(&self.string(method.as_bytes()))).collect();
        let methods = self.list(&methods);
        let unit = self.string(b"1");
        let star = self.string(b"*");
        let labels = self.list(&[Self::words(&star)]);
        let metrics: Vec<_> = guest
            .metrics
            .iter()
            .map(|(name, kind)| {
                let name = self.string(name.as_bytes());
                let kind = *kind as u32;
                let head = [name[0], name[1], 0, 0, kind, unit[0], unit[1], labels[0], labels[1]];
                // no expectation, merge `never`
                Self::words(&[&head[..], &[0, 0, 0, 0]].concat())
            })
            .collect();
        let metrics = self.list(&metrics);
        let all = [name, version, summary, roles, methods, metrics, [0, 0]].concat();
        self.put(&Self::words(&all))
    }

    fn answer(&mut self, answer: &Answer) -> u32 {
        match answer {
            Answer::Metrics(metrics) => {
                let unit = self.string(b"1");
                let metrics: Vec<_> = metrics
                    .iter()
                    .map(|(name, value)| {
                        let name = self.string(name.as_bytes());
                        let (kind, payload) = match value {
                            Value::Integer(number) => (Kind::Integer, number.to_le_bytes().to_vec()),
                            Value::Document(bytes) => (Kind::Document, Self::words(&self.string(bytes))),
                            Value::Census(id) => (Kind::Census, Self::words(&self.string(id.as_bytes()))),
                        };
                        let head = Self::words(&[name[0], name[1], 0, 0, kind as u32, 0]);
                        [head, payload, Self::words(&unit)].concat()
                    })
                    .collect();
                let list = self.list(&metrics);
                self.put(&Self::words(&[0, list[0], list[1]]))
            }
            Answer::Failure(message) => {
                let message = self.string(message.as_bytes());
                let words = [&[1, message[0], message[1]][..], &[0; 13]].concat();
                self.put(&Self::words(&words))
            }
            Answer::FailureWithCode(message, code) => {
                let (message, code) = (self.string(message.as_bytes()), self.string(code.as_bytes()));
                // the case and value of the optional refusal are single bytes
                let unavailable = u32::from_le_bytes([1, 4, 0, 0]);
                let words = [1, message[0], message[1], unavailable, 1, code[0], code[1]];
                self.put(&Self::words(&[&words[..], &[0; 9]].concat()))
            }
        }
    }

    fn text(&self) -> String {
        self.bytes.iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "\\{byte:02x}");
            text
        })
    }
}
