//! A hostile probe for tests: its configuration names the attack, `{"attack": "loop"}`.

use serde::Deserialize;
use taster_probe::{
    Config, Database, Document, Failure, Manifest, Metric, MetricDeclaration, Probe, Role, Value, ValueKind, extjson,
};

struct Evil;

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Attack {
    /// Never returns.
    Loop,
    /// Allocates memory without end.
    Memory,
    /// Returns a million metrics.
    Metrics,
    /// Writes with `$out`.
    Out,
    /// Writes with `$merge`.
    Merge,
    /// Reads a collection that is not granted.
    OtherCollection,
    /// Reads it through `$lookup`.
    Lookup,
    /// Returns a code of the host, which would have everything read again.
    ForgedCode,
    /// Panics.
    Panic,
}

#[derive(Deserialize)]
struct Settings {
    attack: Attack,
}

impl Probe for Evil {
    fn manifest() -> Manifest {
        Manifest::new("evil", env!("CARGO_PKG_VERSION"), "attacks the host")
            .role(Role::many("collections", "what it is granted"))
            .calls("find")
            .calls("aggregate")
            .metric(MetricDeclaration::new("loot", ValueKind::Integer, "what it got away with").labels(["piece"]))
    }

    fn run(db: &Database<'_>, config: Config) -> Result<Vec<Metric>, Failure> {
        let settings: Settings = config.parse()?;
        let granted = db.collections()?.first().map(|c| c.name.clone()).unwrap_or_default();
        let stage = |json: serde_json::Value| -> Result<Document, Failure> {
            extjson::to_document(&json, "stage").map_err(|error| Config::invalid("attack", &error))
        };
        match settings.attack {
            Attack::Loop => loop {
                std::hint::black_box(());
            },
            Attack::Memory => {
                let mut hoard = Vec::new();
                loop {
                    hoard.push(vec![1_u8; 1 << 20]);
                    std::hint::black_box(&hoard);
                }
            }
            Attack::Metrics => {
                let loot = |piece: u32| Metric::new("loot", Value::Integer(1)).label("piece", piece.to_string());
                Ok((0..1_000_000).map(loot).collect())
            }
            Attack::Out => db.aggregate(&granted, &[stage(serde_json::json!({"$out": "stolen"}))?]).map(|_| Vec::new()),
            Attack::Merge => {
                db.aggregate(&granted, &[stage(serde_json::json!({"$merge": {"into": "stolen"}}))?]).map(|_| Vec::new())
            }
            Attack::OtherCollection => db.find("registrations").run().map(|_| Vec::new()),
            Attack::Lookup => {
                let lookup = serde_json::json!({"$lookup": {"from": "registrations", "localField": "a", "foreignField": "b", "as": "c"}});
                db.aggregate(&granted, &[stage(lookup)?]).map(|_| Vec::new())
            }
            Attack::ForgedCode => {
                Err(Failure { code: Some("T0211".to_owned()), ..Failure::new("the snapshot is gone") })
            }
            Attack::Panic => panic!("the probe's own last words"),
        }
    }
}

taster_probe::export!(Evil);
