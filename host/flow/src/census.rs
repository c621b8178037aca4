//! The censuses of a capture: their settings, which of them count, and how they are stored.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};
use taster_census::{CensusFile, CensusKey, Redaction, ScratchSpace};
use taster_config::{Config, DEFAULT_CENSUS, DEFAULT_CENSUS_BYTES, Period, Probe, Redact, Secret, Size};
use taster_diagnostics::CliError;
use taster_model::{
    AppName, AttemptId, Capture, CensusFacts, Failure, FieldPath, Metric, ObjectRef, ProbeOutcome, Refusal, RunId,
    Side, Value, failure,
};
use taster_query::CensusEnv;
use taster_store::{RunStore, fault};

/// The capture that censuses belong to.
pub struct CaptureIdentity<'a> {
    /// The app.
    pub app: &'a AppName,
    /// The run.
    pub run: &'a RunId,
    /// The side.
    pub side: Side,
    /// The attempt.
    pub attempt: &'a AttemptId,
    /// The baseline, in `post`.
    pub before: Option<&'a Capture>,
    /// The capture whose census key is used again: the baseline in `post`. With another key nothing could be compared.
    pub key_of: Option<&'a Capture>,
}

/// The settings that all censuses of one capture share.
pub struct CensusSettings(CensusEnv);

impl CensusSettings {
    /// In `post`, the key is that of the baseline: with another key nothing could be compared. A baseline without a census has
    /// no key, and a new one does no harm.
    pub fn new(config: &Config, identity: &CaptureIdentity<'_>) -> Result<Self, CliError> {
        let baseline = identity.before;
        let key = match identity.key_of.and_then(|capture| capture.census_key.as_deref()) {
            Some(key) => CensusKey::from_hex(key)?,
            None => CensusKey::random()?,
        };
        let secret = config.redact.secret.as_ref().map(Secret::expose);
        let censuses = baseline.map(|before| before.censuses.clone()).unwrap_or_default();
        Ok(Self(CensusEnv {
            key,
            app: identity.app.clone(),
            run: identity.run.clone(),
            side: identity.side,
            attempt: identity.attempt.clone(),
            changes: config.changes.clone(),
            baseline: censuses.into_iter().map(|facts| with_current_secret(facts, secret)).collect(),
            redaction: redaction(&config.redact),
            secret: secret.map(|secret| secret.as_bytes().to_vec()),
            scratch: ScratchSpace::default(),
            disk_bytes: DEFAULT_CENSUS_BYTES,
            cursors: config.scan.cursors,
            deadline: DEFAULT_CENSUS.get(),
        }))
    }

    /// The settings for the censuses of one probe.
    #[must_use]
    pub fn env(&self, probe: &Probe) -> CensusEnv {
        let deadline = probe.limits.census.map_or(self.0.deadline, Period::get);
        let disk_bytes = probe.limits.census_bytes.map_or(self.0.disk_bytes, Size::bytes);
        CensusEnv { deadline, disk_bytes, ..self.0.clone() }
    }

    pub(crate) fn key(&self) -> &CensusKey {
        &self.0.key
    }
}

fn redaction(redact: &Redact) -> Option<Redaction> {
    let mut fields: Vec<FieldPath> = redact.fields.iter().map(|field| field.path().clone()).collect();
    fields.sort();
    fields.dedup();
    let secret = redact.secret.as_ref().map(|secret| secret_fingerprint(secret.expose()));
    let redaction = Redaction { ids: redact.ids, fields, secret };
    (redaction != Redaction::default()).then_some(redaction)
}

/// Tells secrets apart without revealing them: a secret has at least 16 characters, too many to be found by its digest.
fn secret_fingerprint(secret: &str) -> String {
    hex::encode(&Sha256::digest(format!("taster redact.secret {secret}"))[..8])
}

/// The facts of a baseline's census, with the fingerprint of the current secret. With another secret, every document has
/// another id. The options then differ, so that the censuses are not compared instead of reporting every document as missing.
fn with_current_secret(mut facts: CensusFacts, secret: Option<&str>) -> CensusFacts {
    if let Some(redaction) = facts.options.get_mut("redaction").and_then(serde_json::Value::as_object_mut) {
        redaction.remove("secret");
        if let Some(secret) = secret {
            redaction.insert("secret".to_owned(), secret_fingerprint(secret).into());
        }
    }
    facts
}

/// The censuses that the metrics of a probe name. The others are dropped with their scratch files.
pub(crate) fn named_by_metrics(outcome: &ProbeOutcome, censuses: Vec<CensusFile>) -> Vec<CensusFile> {
    let ProbeOutcome::Metrics(metrics) = outcome else { return Vec::new() };
    let names: BTreeSet<&str> = metrics.iter().filter_map(census_id).collect();
    censuses.into_iter().filter(|census| names.contains(census.identity.id.as_str())).collect()
}

fn census_id(metric: &Metric) -> Option<&str> {
    match &metric.value {
        Value::Census(id) => Some(id),
        _ => None,
    }
}

/// Checks that two runs of a probe on the same data found the same documents.
///
/// The bytes may differ: they hold the time of the census, for documents that expire.
pub fn check_censuses_deterministic(first: &[CensusFile], second: &[CensusFile]) -> Result<(), Failure> {
    for census in first {
        let again = second.iter().find(|again| again.identity.id == census.identity.id);
        let what = |census: &CensusFile| (census.documents, census.bytes, census.sum.clone(), census.options.clone());
        if again.is_some_and(|again| what(again) == what(census)) {
            continue;
        }
        let counted = again.map_or(0, |again| again.documents);
        let message = format!(
            "the probe returned different results for the same data: a census of `{}` holds {} documents, then {counted} or others",
            census.identity.collection, census.documents
        );
        let help = "a probe must use the same census options each time, on a collection without writes";
        return Err(Failure::refused(Refusal::Invalid, failure::NOT_DETERMINISTIC, message).allowed(help));
    }
    Ok(())
}

/// A capture whose censuses are still in scratch files.
pub(crate) struct UncommittedCapture {
    pub(crate) capture: Capture,
    pub(crate) censuses: Vec<CensusFile>,
    pub(crate) key: CensusKey,
}

impl UncommittedCapture {
    /// Stores the censuses under the attempt and lists them in the capture. Nothing of it counts before the capture is
    /// committed. An error fails the whole capture: the verdict would rest on the census that is missing.
    pub(crate) async fn store_censuses(self, store: &RunStore) -> Result<Capture, CliError> {
        let Self { mut capture, mut censuses, key } = self;
        if !censuses.is_empty() {
            capture.census_key = Some(key.to_hex());
        }
        censuses.sort_by(|a, b| (&a.identity.probe, &a.identity.id).cmp(&(&b.identity.probe, &b.identity.id)));
        for census in censuses {
            let object = store.put_census(capture.side, &capture.attempt, &census).await?;
            fault::point("census: stored");
            capture.censuses.push(census_facts(&census, &object)?);
            capture.objects.push(object);
        }
        Ok(capture)
    }
}

fn census_facts(census: &CensusFile, object: &ObjectRef) -> Result<CensusFacts, CliError> {
    let options = serde_json::to_value(&census.options)
        .map_err(|error| CliError::new("T0618", format!("the options of a census cannot be stored: {error}"), None))?;
    Ok(CensusFacts {
        probe: census.identity.probe.clone(),
        id: census.identity.id.clone(),
        collection: census.identity.collection.clone(),
        object: object.key.clone(),
        documents: census.documents,
        bytes: census.bytes,
        options,
        sum: census.sum.clone(),
    })
}

#[cfg(test)]
mod tests {
    use taster_census::{CensusIdentity, CensusOptions};
    use taster_model::{Labels, ReasonCode};

    use super::*;

    fn census(id: &str, sum: &str) -> CensusFile {
        let identity = CensusIdentity {
            app: "pxbbq".parse().unwrap(),
            run: "one".parse().unwrap(),
            side: Side::Pre,
            attempt: AttemptId::generate(),
            probe: "documents".to_owned(),
            id: id.to_owned(),
            database: "pxbbq".to_owned(),
            collection: "orders".to_owned(),
        };
        let (options, file) = (CensusOptions::default(), tempfile::tempfile().unwrap());
        let (sha256, sum) = (AttemptId::generate().to_string(), sum.to_owned());
        CensusFile { identity, options, file, length: 0, sha256, documents: 3, bytes: 30, sum }
    }

    #[test]
    fn censuses_that_no_metric_names_are_dropped() {
        let metric = |id: &str| Metric {
            name: "census".to_owned(),
            labels: Labels::from([("collection".to_owned(), id.to_owned())]),
            value: Value::Census(id.to_owned()),
            unit: "1".to_owned(),
        };
        let taken = || vec![census("a", "1"), census("b", "2")];
        let kept = named_by_metrics(&ProbeOutcome::Metrics(vec![metric("b"), metric("b")]), taken());
        assert_eq!(kept.iter().map(|census| census.identity.id.as_str()).collect::<Vec<_>>(), ["b"]);
        assert!(named_by_metrics(&ProbeOutcome::Failed(Failure::from_probe("no")), taken()).is_empty());
    }

    #[test]
    fn another_secret_changes_the_options() {
        let of = |secret: Option<&str>| {
            let yaml = secret.map(|secret| format!("redact: {{ids: true, fields: [b, a], secret: {secret}}}"));
            let yaml = yaml.unwrap_or_else(|| "redact: {ids: true, fields: [a, b]}".to_owned());
            let yaml = format!("app: shop\nmongodb: {{uri: \"mongodb://h/shop\"}}\n{yaml}\n");
            redaction(&taster_config::parse("taster.yaml", &yaml, [].into()).unwrap().redact).unwrap()
        };
        let (one, two) = ("0123456789abcdef", "fedcba9876543210");
        let facts = |secret| CensusFacts {
            options: serde_json::to_value(CensusOptions { redaction: Some(of(secret)), ..CensusOptions::default() })
                .unwrap(),
            ..census_facts(&census("a", "1"), &ObjectRef { key: String::new(), length: 0, sha256: String::new() })
                .unwrap()
        };
        for before in [None, Some(one), Some(two)] {
            for today in [None, Some(one), Some(two)] {
                let seen = with_current_secret(facts(before), today);
                assert_eq!(seen == facts(before), before == today);
                assert_eq!(seen, facts(today), "nothing but the secret's name");
                assert!(!seen.options.to_string().contains(one));
            }
        }
    }

    #[test]
    fn two_runs_are_compared_by_documents_not_by_bytes() {
        assert_eq!(check_censuses_deterministic(&[census("a", "1")], &[census("a", "1"), census("b", "1")]), Ok(()));
        for second in [census("a", "2"), census("b", "1")] {
            let failure = check_censuses_deterministic(&[census("a", "1")], &[second]).unwrap_err();
            assert_eq!(failure.reason(), Some(ReasonCode::NotDeterministic));
        }
    }
}
