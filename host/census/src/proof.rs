//! How each kind of declared change is proven for one document: a type per kind.
//!
//! A change is proven by reversing it (added, renamed and reversibly retyped fields), by a digest of the field kept beside
//! the document's (removed and irreversibly retyped fields), or by the mark of the filter that the document matched (added
//! and removed documents).

use std::collections::BTreeMap;

use taster_model::{
    AddedField, ChangeKind, DeclaredChange, FieldPath, FieldPresence, RenamedField, RetypedField, ValueCheck,
};

use crate::{
    CensusOptions,
    attempt::Attempt,
    conversion::{Conversion, Reading},
    document::reversible_changes,
    document_pair::{ChangeStatus, DocumentPair, FieldTypes},
    format::Header,
    record::{SeparateField, Undo, UndoState},
    rewrite::MIXED,
};

/// How a declared change is proven.
pub(crate) trait ProofMethod {
    /// The status of the change in a document that is the same before and after the sync.
    fn status_of_unchanged(&self, _types: FieldTypes, _pair: DocumentPair<'_>) -> ChangeStatus {
        ChangeStatus::NotConcerned
    }

    /// The status of the change in a document that is not the same. Reverses the change in `attempt` if possible.
    fn status_of_changed<'a>(
        &'a self,
        _types: FieldTypes,
        _pair: DocumentPair<'_>,
        _attempt: &mut Attempt<'a>,
    ) -> ChangeStatus {
        ChangeStatus::NotConcerned
    }

    /// Whether the change covers a missing document with this mark.
    fn covers_missing(&self, _mark: u8) -> bool {
        false
    }

    /// Whether the change covers an extra document with this mark.
    fn covers_extra(&self, _mark: u8) -> bool {
        false
    }

    /// Why the change cannot be proven at all.
    fn unproven_reason(&self) -> Option<&'static str> {
        None
    }

    /// What the documents show together in which the field was converted: how many have the same readings.
    fn converted_together(&self, _documents: &BTreeMap<u8, u64>) -> ConvertedTogether {
        ConvertedTogether::default()
    }
}

/// How the values of a field were converted in all documents.
#[derive(Default)]
pub(crate) struct ConvertedTogether {
    /// Documents by the way in which their values were converted.
    pub(crate) readings: BTreeMap<String, u64>,
    /// Why the values are not proven although each of them is.
    pub(crate) contradiction: Option<&'static str>,
}

/// The change was not declared when its census was taken.
struct Unproven(&'static str);

impl ProofMethod for Unproven {
    fn unproven_reason(&self) -> Option<&'static str> {
        Some(self.0)
    }
}

const NOT_IN_BASELINE: &str =
    "the change was not declared when the baseline was taken, so its census does not contain what proves it";
const NOT_IN_POST: &str = "the change was declared after `post` took its capture: run `taster post` again";

/// How `change` is proven by these two censuses.
pub(crate) fn proof_method(change: &DeclaredChange, before: &Header, after: &Header) -> Box<dyn ProofMethod> {
    let separate_column = |path| before.options.separate.iter().position(|other| other == path);
    let mark = |position: Option<usize>| position.and_then(|position| u8::try_from(position + 1).ok());
    let undo_column = || {
        let mut columns = reversible_changes(after.identity.side, &after.changes);
        columns.position(|other| other.kind == change.kind)
    };
    let proof: Option<Box<dyn ProofMethod>> = match &change.kind {
        ChangeKind::AddedField(added) => undo_column().map(|column| added_field(added.clone(), column)),
        ChangeKind::RenamedField(renamed) => {
            undo_column().map(|column| boxed(Renamed { change: renamed.clone(), column }))
        }
        ChangeKind::RetypedField(retyped) if retyped.is_reversible() => {
            undo_column().map(|column| retyped_field(retyped.clone(), column))
        }
        ChangeKind::RetypedField(retyped) => {
            let column = separate_column(&retyped.path);
            column.and_then(|column| irreversibly_retyped(retyped, column, before))
        }
        ChangeKind::RemovedField(path) => {
            separate_column(path).map(|column| boxed(Removed { path: path.clone(), column }))
        }
        ChangeKind::RemovedDocuments(removed) => {
            let position = before.options.removed_filters.iter().position(|filter| *filter == removed.filter);
            mark(position).map(|mark| boxed(RemovedDocuments { mark }))
        }
        ChangeKind::AddedDocuments(added) => {
            let mut filters = CensusOptions::added_document_filters(&after.changes);
            mark(filters.position(|filter| *filter == added.filter)).map(|mark| boxed(AddedDocuments { mark }))
        }
        ChangeKind::AddedIndex(_)
        | ChangeKind::RemovedIndex(_)
        | ChangeKind::AddedCollection
        | ChangeKind::RemovedCollection
        | ChangeKind::RenamedCollection(_) => None,
    };
    let late = if change.kind.must_be_declared_before_sync() { NOT_IN_BASELINE } else { NOT_IN_POST };
    proof.unwrap_or_else(|| boxed(Unproven(late)))
}

fn boxed(proof: impl ProofMethod + 'static) -> Box<dyn ProofMethod> {
    Box::new(proof)
}

fn added_field(change: AddedField, column: usize) -> Box<dyn ProofMethod> {
    if change.path.is_top_level() {
        boxed(AddedTopLevel { change, column })
    } else {
        boxed(AddedNested { change, column })
    }
}

fn retyped_field(change: RetypedField, column: usize) -> Box<dyn ProofMethod> {
    if change.path.is_top_level() { boxed(RetypedTopLevel { change, column }) } else { boxed(RetypedNested { column }) }
}

/// A top-level field that was added. Shapes show whether it was there before.
struct AddedTopLevel {
    change: AddedField,
    column: usize,
}

impl ProofMethod for AddedTopLevel {
    fn status_of_unchanged(&self, types: FieldTypes, _pair: DocumentPair<'_>) -> ChangeStatus {
        match types.before {
            Some(kind) if kind == self.change.field_type.code() => ChangeStatus::AlreadyBefore,
            _ if self.change.presence == FieldPresence::All => ChangeStatus::NotHappened,
            _ => ChangeStatus::NotConcerned,
        }
    }

    fn status_of_changed<'a>(
        &'a self,
        types: FieldTypes,
        pair: DocumentPair<'_>,
        attempt: &mut Attempt<'a>,
    ) -> ChangeStatus {
        let Undo { state, delta } = pair.after.undo(self.column);
        match (types.before, state) {
            (Some(kind), _) if kind == self.change.field_type.code() => ChangeStatus::AlreadyBefore,
            (None, UndoState::Complete) => attempt.apply(delta, &self.change.path),
            (None, UndoState::Absent) if self.change.presence == FieldPresence::All => ChangeStatus::NotHappened,
            _ => ChangeStatus::NotConcerned,
        }
    }
}

/// A nested field that was added. Shapes do not show whether it was there before.
struct AddedNested {
    change: AddedField,
    column: usize,
}

impl ProofMethod for AddedNested {
    fn status_of_unchanged(&self, _types: FieldTypes, pair: DocumentPair<'_>) -> ChangeStatus {
        match pair.after.undo(self.column).state {
            UndoState::Complete => ChangeStatus::AlreadyBefore,
            UndoState::Absent | UndoState::Partial | UndoState::Other if self.change.presence == FieldPresence::All => {
                ChangeStatus::NotHappened
            }
            _ => ChangeStatus::NotConcerned,
        }
    }

    fn status_of_changed<'a>(
        &'a self,
        _types: FieldTypes,
        pair: DocumentPair<'_>,
        attempt: &mut Attempt<'a>,
    ) -> ChangeStatus {
        let Undo { state, delta } = pair.after.undo(self.column);
        match state {
            UndoState::Complete => attempt.apply_tentative(delta, ChangeStatus::Happened),
            UndoState::Partial => attempt.apply_tentative(delta, ChangeStatus::NotHappened),
            UndoState::Absent if self.change.presence == FieldPresence::All => ChangeStatus::NotHappened,
            _ => ChangeStatus::NotConcerned,
        }
    }
}

/// A top-level field that was renamed.
struct Renamed {
    change: RenamedField,
    column: usize,
}

impl ProofMethod for Renamed {
    fn status_of_unchanged(&self, types: FieldTypes, _pair: DocumentPair<'_>) -> ChangeStatus {
        match (types.before, types.new_name_before) {
            (Some(_), _) => ChangeStatus::NotHappened,
            (None, Some(_)) => ChangeStatus::AlreadyBefore,
            (None, None) => ChangeStatus::NotConcerned,
        }
    }

    fn status_of_changed<'a>(
        &'a self,
        types: FieldTypes,
        pair: DocumentPair<'_>,
        attempt: &mut Attempt<'a>,
    ) -> ChangeStatus {
        let Undo { state, delta } = pair.after.undo(self.column);
        match (types.before, state) {
            (Some(_), UndoState::Complete) => {
                attempt.ignore_name(&self.change.to);
                attempt.apply(delta, &self.change.from)
            }
            (Some(_), _) if types.after.is_some() => ChangeStatus::NotHappened,
            (None, _) if types.new_name_before.is_some() => ChangeStatus::AlreadyBefore,
            _ => ChangeStatus::NotConcerned,
        }
    }
}

/// A top-level field that was converted to another type, reversibly.
struct RetypedTopLevel {
    change: RetypedField,
    column: usize,
}

impl ProofMethod for RetypedTopLevel {
    fn status_of_unchanged(&self, _types: FieldTypes, pair: DocumentPair<'_>) -> ChangeStatus {
        unchanged_retyped_field(pair.after.undo(self.column))
    }

    fn status_of_changed<'a>(
        &'a self,
        types: FieldTypes,
        pair: DocumentPair<'_>,
        attempt: &mut Attempt<'a>,
    ) -> ChangeStatus {
        let Undo { state, delta } = pair.after.undo(self.column);
        let RetypedField { path, from, to, .. } = &self.change;
        match (types.before, state) {
            (Some(kind), UndoState::Complete) if kind == from.code() => attempt.apply(delta, path),
            (Some(kind), UndoState::Partial) if kind == from.code() => ChangeStatus::NotHappened,
            (Some(kind), _) if kind == to.code() => ChangeStatus::AlreadyBefore,
            _ => ChangeStatus::NotConcerned,
        }
    }
}

/// A nested field that was converted to another type, reversibly.
struct RetypedNested {
    column: usize,
}

impl ProofMethod for RetypedNested {
    fn status_of_unchanged(&self, _types: FieldTypes, pair: DocumentPair<'_>) -> ChangeStatus {
        unchanged_retyped_field(pair.after.undo(self.column))
    }

    fn status_of_changed<'a>(
        &'a self,
        _types: FieldTypes,
        pair: DocumentPair<'_>,
        attempt: &mut Attempt<'a>,
    ) -> ChangeStatus {
        let Undo { state, delta } = pair.after.undo(self.column);
        match state {
            UndoState::Complete => attempt.apply_tentative(delta, ChangeStatus::Happened),
            UndoState::Partial => attempt.apply_tentative(delta, ChangeStatus::NotHappened),
            _ => ChangeStatus::NotConcerned,
        }
    }
}

fn unchanged_retyped_field(undo: Undo) -> ChangeStatus {
    match undo.state {
        UndoState::Complete => ChangeStatus::AlreadyBefore,
        UndoState::Partial => ChangeStatus::NotHappened,
        _ => ChangeStatus::NotConcerned,
    }
}

/// A field that was removed; its digest is separate.
struct Removed {
    path: FieldPath,
    column: usize,
}

impl ProofMethod for Removed {
    fn status_of_unchanged(&self, _types: FieldTypes, pair: DocumentPair<'_>) -> ChangeStatus {
        if pair.before.separate(self.column).exists() { ChangeStatus::NotHappened } else { ChangeStatus::NotConcerned }
    }

    fn status_of_changed<'a>(
        &'a self,
        _types: FieldTypes,
        pair: DocumentPair<'_>,
        attempt: &mut Attempt<'a>,
    ) -> ChangeStatus {
        let (old, new) = (pair.before.separate(self.column), pair.after.separate(self.column));
        match (old.exists(), new.exists()) {
            (true, false) => excuse(self.column, &self.path, attempt),
            (true, true) if old == new => ChangeStatus::NotHappened,
            _ => ChangeStatus::NotConcerned,
        }
    }
}

const BOTH_UNITS: &str =
    "some values were converted as milliseconds and others as seconds, so that some of them must be wrong";

const NO_MEANING: &str = "values of the old type have no meaning as values of the new one, so it cannot be proven that they are right: \
     declare `values: ignored` if that is intended";

/// `None`: the baseline does not contain what proves the conversion.
fn irreversibly_retyped(change: &RetypedField, column: usize, before: &Header) -> Option<Box<dyn ProofMethod>> {
    let values = match change.values {
        ValueCheck::Ignored => Values::Ignored,
        ValueCheck::Compared => match Conversion::of(change) {
            Some(wanted) => compared_values(wanted, before)?,
            None => Values::Meaningless,
        },
    };
    Some(boxed(IrreversiblyRetyped { change: change.clone(), column, values }))
}

/// `None`: the baseline does not contain the digests of this conversion.
fn compared_values(wanted: Conversion, before: &Header) -> Option<Values> {
    let mut first = 0;
    for (found, conversion) in before.options.conversions.iter().enumerate() {
        if *conversion == wanted {
            return Some(Values::Compared { first, found, readings: wanted.readings(), conversion: wanted });
        }
        first += conversion.readings().len();
    }
    None
}

/// A field that was converted to another type irreversibly; the digest of its value is separate.
struct IrreversiblyRetyped {
    change: RetypedField,
    column: usize,
    values: Values,
}

/// How converted values are proven.
enum Values {
    Ignored,
    /// There is nothing to compare, which makes the change unproven. It covers the field all the same: what else differs
    /// in the documents is found.
    Meaningless,
    /// The digest of the value after the sync, at `found`, is one of those from `first` on before it, one of each reading.
    Compared {
        first: usize,
        found: usize,
        readings: Vec<Reading>,
        conversion: Conversion,
    },
}

impl Values {
    /// The status of a document in which the field has the new type; `None`: the value is not what the old one becomes.
    fn status(&self, pair: DocumentPair<'_>) -> Option<ChangeStatus> {
        match self {
            Self::Ignored | Self::Meaningless => Some(ChangeStatus::Happened),
            Self::Compared { first, found, readings, .. } => {
                let found = pair.after.converted(*found)?;
                let agrees = |reading: &usize| pair.before.converted(first + reading) == Some(found);
                let agreeing = (0..readings.len()).filter(agrees).fold(0, |bits, reading| bits | 1 << reading);
                (agreeing != 0).then_some(ChangeStatus::Converted(agreeing))
            }
        }
    }
}

impl ProofMethod for IrreversiblyRetyped {
    fn status_of_unchanged(&self, _types: FieldTypes, pair: DocumentPair<'_>) -> ChangeStatus {
        match pair.before.separate(self.column).kind {
            kind if kind == self.change.from.code() || kind == MIXED => ChangeStatus::NotHappened,
            kind if kind == self.change.to.code() => ChangeStatus::AlreadyBefore,
            _ => ChangeStatus::NotConcerned,
        }
    }

    fn status_of_changed<'a>(
        &'a self,
        _types: FieldTypes,
        pair: DocumentPair<'_>,
        attempt: &mut Attempt<'a>,
    ) -> ChangeStatus {
        let (old, new) = (pair.before.separate(self.column), pair.after.separate(self.column));
        let RetypedField { path, from, to, .. } = &self.change;
        let is = |field: SeparateField, kind: &taster_model::BsonType| field.kind == kind.code();
        match (is(old, from), is(new, to)) {
            (true, true) => match self.values.status(pair) {
                Some(status) => {
                    excuse(self.column, path, attempt);
                    status
                }
                None => ChangeStatus::NotConcerned,
            },
            (true, false) if old == new => ChangeStatus::NotHappened,
            (false, _) if is(old, to) => ChangeStatus::AlreadyBefore,
            _ => ChangeStatus::NotConcerned,
        }
    }

    fn unproven_reason(&self) -> Option<&'static str> {
        matches!(self.values, Values::Meaningless).then_some(NO_MEANING)
    }

    fn converted_together(&self, documents: &BTreeMap<u8, u64>) -> ConvertedTogether {
        let Values::Compared { readings, conversion, .. } = &self.values else { return ConvertedTogether::default() };
        let mut together = ConvertedTogether::default();
        for (bits, count) in documents {
            if let Some(reading) = readings.get(bits.trailing_zeros() as usize) {
                *together.readings.entry(conversion.reading_name(*reading)).or_default() += count;
            }
        }
        let bit_of = |wanted| readings.iter().position(|reading| *reading == wanted).map_or(0, |bit| 1_u8 << bit);
        let (milliseconds, seconds) = (bit_of(Reading::Milliseconds), bit_of(Reading::Seconds));
        let has_only = |one: u8, other: u8| documents.keys().any(|bits| bits & one != 0 && bits & other == 0);
        if has_only(milliseconds, seconds) && has_only(seconds, milliseconds) {
            together.contradiction = Some(BOTH_UNITS);
        }
        together
    }
}

/// A separate field changed as declared: its column may differ.
fn excuse<'a>(column: usize, path: &'a FieldPath, attempt: &mut Attempt<'a>) -> ChangeStatus {
    attempt.excused.push(column);
    attempt.apply(0, path)
}

/// Documents that were removed; before the sync they had the mark of the filter.
struct RemovedDocuments {
    mark: u8,
}

impl RemovedDocuments {
    fn status(&self, pair: DocumentPair<'_>) -> ChangeStatus {
        if pair.before.mark() == self.mark { ChangeStatus::NotHappened } else { ChangeStatus::NotConcerned }
    }
}

impl ProofMethod for RemovedDocuments {
    fn status_of_unchanged(&self, _types: FieldTypes, pair: DocumentPair<'_>) -> ChangeStatus {
        self.status(pair)
    }

    fn status_of_changed<'a>(
        &'a self,
        _types: FieldTypes,
        pair: DocumentPair<'_>,
        _attempt: &mut Attempt<'a>,
    ) -> ChangeStatus {
        self.status(pair)
    }

    fn covers_missing(&self, mark: u8) -> bool {
        mark == self.mark
    }
}

/// Documents that were added; after the sync they have the mark of the filter.
struct AddedDocuments {
    mark: u8,
}

impl ProofMethod for AddedDocuments {
    fn covers_extra(&self, mark: u8) -> bool {
        mark == self.mark
    }
}
