//! Censuses of a capture: what probes take them with, which of them count, and where they are kept.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};
use taster_census::{Key, Recorded, Redaction, Scratch};
use taster_config::{Config, DEFAULT_CENSUS, Period, Probe, Redact, Secret};
use taster_diagnostics::CliError;
use taster_model::{
    AppName, AttemptId, Capture, CensusFacts, Failure, FieldPath, Metric, ObjectRef, Outcome, Refusal, RunId, Side,
    Value, failure,
};
use taster_query::CensusSetup;
use taster_store::{RunStore, fault};

/// Which capture censuses are taken for.
pub struct Occasion<'a> {
    /// The app.
    pub app: &'a AppName,
    /// The run.
    pub run: &'a RunId,
    /// Which side of it.
    pub side: Side,
    /// Which attempt.
    pub attempt: &'a AttemptId,
    /// The baseline, on `post`.
    pub before: Option<&'a Capture>,
}

/// What all censuses of one capture are taken with.
pub struct Taking(CensusSetup);

impl Taking {
    /// `post` takes over the baseline's key: without it nothing could be compared. Where the baseline took no census it
    /// has none, and a new one does no harm.
    pub fn new(config: &Config, occasion: &Occasion<'_>) -> Result<Self, CliError> {
        let baseline = occasion.before;
        let key = match baseline.and_then(|before| before.census_key.as_deref()) {
            Some(key) => Key::from_hex(key)?,
            None => Key::random()?,
        };
        let secret = config.redact.secret.as_ref().map(Secret::expose);
        let censuses = baseline.map(|before| before.censuses.clone()).unwrap_or_default();
        Ok(Self(CensusSetup {
            key,
            app: occasion.app.clone(),
            run: occasion.run.clone(),
            side: occasion.side,
            attempt: occasion.attempt.clone(),
            changes: config.changes.clone(),
            baseline: censuses.into_iter().map(|facts| with_secret_of_today(facts, secret)).collect(),
            redaction: redaction(&config.redact),
            secret: secret.map(|secret| secret.as_bytes().to_vec()),
            scratch: Scratch::default(),
            cursors: config.scan.cursors,
            deadline: DEFAULT_CENSUS.get(),
        }))
    }

    /// What one probe is given.
    #[must_use]
    pub fn setup(&self, probe: &Probe) -> CensusSetup {
        let deadline = probe.limits.census.map_or(self.0.deadline, Period::get);
        CensusSetup { deadline, ..self.0.clone() }
    }

    pub(super) fn key(&self) -> &Key {
        &self.0.key
    }
}

fn redaction(redact: &Redact) -> Option<Redaction> {
    let mut fields: Vec<FieldPath> = redact.fields.iter().map(|field| field.path().clone()).collect();
    fields.sort();
    fields.dedup();
    let secret = redact.secret.as_ref().map(|secret| name_of(secret.expose()));
    let redaction = Redaction { ids: redact.ids, fields, secret };
    (redaction != Redaction::default()).then_some(redaction)
}

/// Tells secrets apart without giving them away: nobody finds one of 16 characters or more by its digest.
fn name_of(secret: &str) -> String {
    hex::encode(&Sha256::digest(format!("taster redact.secret {secret}"))[..8])
}

/// The facts of a baseline's census, under the name of the secret that its ids are hashed with today. Under another
/// secret every document has another id: the options differ then, and say that nothing can be compared, where the ids
/// would say that every document is missing.
fn with_secret_of_today(mut facts: CensusFacts, secret: Option<&str>) -> CensusFacts {
    if let Some(redaction) = facts.options.get_mut("redaction").and_then(serde_json::Value::as_object_mut) {
        redaction.remove("secret");
        if let Some(secret) = secret {
            redaction.insert("secret".to_owned(), name_of(secret).into());
        }
    }
    facts
}

/// Of the censuses that a probe took, those that its metrics name. The others are nobody's, and their scratch files end
/// with them.
pub(super) fn named(outcome: &Outcome, censuses: Vec<Recorded>) -> Vec<Recorded> {
    let Outcome::Metrics(metrics) = outcome else { return Vec::new() };
    let names: BTreeSet<&str> = metrics.iter().filter_map(id).collect();
    censuses.into_iter().filter(|census| names.contains(census.place.id.as_str())).collect()
}

fn id(metric: &Metric) -> Option<&str> {
    match &metric.value {
        Value::Census(id) => Some(id),
        _ => None,
    }
}

/// Whether two tastings of the same data found the same documents.
///
/// Not whether the bytes are the same: they hold when the census was taken, for what expires.
pub fn censuses_agree(first: &[Recorded], second: &[Recorded]) -> Result<(), Failure> {
    for census in first {
        let again = second.iter().find(|again| again.place.id == census.place.id);
        let what = |census: &Recorded| (census.documents, census.bytes, census.sum.clone(), census.options.clone());
        if again.is_some_and(|again| what(again) == what(census)) {
            continue;
        }
        let counted = again.map_or(0, |again| again.documents);
        let message = format!(
            "the probe gave two answers about the same data: a census of `{}` holds {} documents, then {counted} or others",
            census.place.collection, census.documents
        );
        let help = "a census is of the same options each time, and of a collection that nobody writes to";
        return Err(Failure::refused(Refusal::Invalid, failure::NOT_DETERMINISTIC, message).allowed(help));
    }
    Ok(())
}

/// A capture whose censuses lie in scratch files yet.
pub(super) struct Draft {
    pub(super) capture: Capture,
    pub(super) censuses: Vec<Recorded>,
    pub(super) key: Key,
}

impl Draft {
    /// Stores the censuses under the attempt and lists them. Nothing of it counts before the capture is committed; a
    /// store that cannot keep one of them cannot keep what the verdict would rest on.
    pub(super) async fn keep(self, store: &RunStore) -> Result<Capture, CliError> {
        let Self { mut capture, mut censuses, key } = self;
        if !censuses.is_empty() {
            capture.census_key = Some(key.to_hex());
        }
        censuses.sort_by(|a, b| (&a.place.probe, &a.place.id).cmp(&(&b.place.probe, &b.place.id)));
        for census in censuses {
            let object = store.put_census(capture.side, &capture.attempt, &census).await?;
            fault::point("census: stored");
            capture.censuses.push(facts(&census, &object)?);
            capture.objects.push(object);
        }
        Ok(capture)
    }
}

fn facts(census: &Recorded, object: &ObjectRef) -> Result<CensusFacts, CliError> {
    let options = serde_json::to_value(&census.options)
        .map_err(|error| CliError::new("T0618", format!("the options of a census cannot be stored: {error}"), None))?;
    Ok(CensusFacts {
        probe: census.place.probe.clone(),
        id: census.place.id.clone(),
        collection: census.place.collection.clone(),
        object: object.key.clone(),
        documents: census.documents,
        bytes: census.bytes,
        options,
        sum: census.sum.clone(),
    })
}

#[cfg(test)]
mod tests {
    use taster_census::{Options, Place};
    use taster_model::{Labels, ReasonCode};

    use super::*;

    fn census(id: &str, sum: &str) -> Recorded {
        let place = Place {
            app: "pxbbq".parse().unwrap(),
            run: "one".parse().unwrap(),
            side: Side::Pre,
            attempt: AttemptId::generate(),
            probe: "documents".to_owned(),
            id: id.to_owned(),
            database: "pxbbq".to_owned(),
            collection: "orders".to_owned(),
        };
        let (options, file) = (Options::default(), tempfile::tempfile().unwrap());
        let (sha256, sum) = (AttemptId::generate().to_string(), sum.to_owned());
        Recorded { place, options, file, length: 0, sha256, documents: 3, bytes: 30, sum }
    }

    #[test]
    fn what_no_metric_names_is_dropped() {
        let metric = |id: &str| Metric {
            name: "census".to_owned(),
            labels: Labels::from([("collection".to_owned(), id.to_owned())]),
            value: Value::Census(id.to_owned()),
            unit: "1".to_owned(),
        };
        let taken = || vec![census("a", "1"), census("b", "2")];
        let kept = named(&Outcome::Metrics(vec![metric("b"), metric("b")]), taken());
        assert_eq!(kept.iter().map(|census| census.place.id.as_str()).collect::<Vec<_>>(), ["b"]);
        assert!(named(&Outcome::Failed(Failure::own("no")), taken()).is_empty());
    }

    #[test]
    fn under_another_secret_the_options_are_others() {
        let of = |secret: Option<&str>| {
            let yaml = secret.map(|secret| format!("redact: {{ids: true, fields: [b, a], secret: {secret}}}"));
            let yaml = yaml.unwrap_or_else(|| "redact: {ids: true, fields: [a, b]}".to_owned());
            let yaml = format!("app: shop\nmongodb: {{uri: \"mongodb://h/shop\"}}\n{yaml}\n");
            redaction(&taster_config::parse("taster.yaml", &yaml, [].into()).unwrap().redact).unwrap()
        };
        let (one, two) = ("0123456789abcdef", "fedcba9876543210");
        let facts = |secret| CensusFacts {
            options: serde_json::to_value(Options { redaction: Some(of(secret)), ..Options::default() }).unwrap(),
            ..facts(&census("a", "1"), &ObjectRef { key: String::new(), length: 0, sha256: String::new() }).unwrap()
        };
        for before in [None, Some(one), Some(two)] {
            for today in [None, Some(one), Some(two)] {
                let seen = with_secret_of_today(facts(before), today);
                assert_eq!(seen == facts(before), before == today);
                assert_eq!(seen, facts(today), "nothing but the secret's name");
                assert!(!seen.options.to_string().contains(one));
            }
        }
    }

    #[test]
    fn two_tastings_agree_about_documents_whatever_the_bytes() {
        assert_eq!(censuses_agree(&[census("a", "1")], &[census("a", "1"), census("b", "1")]), Ok(()));
        for second in [census("a", "2"), census("b", "1")] {
            let failure = censuses_agree(&[census("a", "1")], &[second]).unwrap_err();
            assert_eq!(failure.reason(), Some(ReasonCode::NotDeterministic));
        }
    }
}
