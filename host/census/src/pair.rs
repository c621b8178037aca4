//! One document before and after: unchanged, changed as declared, or changed.

use std::collections::{BTreeMap, HashMap};

use taster_model::{ChangeKind, ChangeOutcome, DeclaredChange, FieldPath, Present};

use crate::{
    Detail, Options, document::undoable, format::Header, named::Named, paths, record::UndoState, rewrite::MIXED, shape,
    side::Document,
};

/// So many changes of fields within others are tried one by one; beyond, all or none of them.
const TRIED: usize = 6;

/// What is asked of each pair, and what was found so far.
pub(crate) struct Pairs {
    changes: Vec<Change>,
    /// Fields whose digest stands apart.
    apart: Vec<FieldPath>,
    /// Whether every field was recorded.
    detailed: bool,
    /// What is known of two shapes that were compared.
    shapes: HashMap<(usize, usize), Vec<Kinds>>,
}

/// A declared change and what became of it.
struct Change {
    declared: DeclaredChange,
    how: How,
    happened: u64,
    already: u64,
    not_happened: Named,
    /// Missing documents that it excuses, until it is known whether they are too many.
    excused: Named,
}

/// How a change is proven.
#[derive(Debug, Clone, PartialEq, Eq)]
enum How {
    /// By taking it off again: the column that says how.
    Undo(usize),
    /// By a digest of its own: its column.
    Apart(usize),
    /// By the mark of documents before the sync.
    Leaving(u8),
    /// By the mark of documents after it.
    Arriving(u8),
    /// Not at all.
    Unproven(&'static str),
}

/// Types of the fields of one change before and after, by the shapes. For a renaming: of the old name before and after,
/// and of the new one.
#[derive(Debug, Clone, Copy, Default)]
struct Kinds {
    before: Option<u8>,
    after: Option<u8>,
    new_before: Option<u8>,
}

/// What one pair says about one change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    /// It does not concern this document.
    Nothing,
    Happened,
    NotHappened,
    Already,
}

/// What a pair would be if everything that can be taken off is taken off.
#[derive(Default)]
struct Attempt<'a> {
    words: Vec<Word>,
    delta: u64,
    /// Each of them, by its change.
    taken: Vec<(usize, u64)>,
    /// Top-level fields that shapes are compared without.
    names: Vec<&'a [u8]>,
    /// Columns of fields that may differ.
    excused: Vec<usize>,
    /// Changes within other fields, of which the shapes do not tell whether they were there before.
    tentative: Vec<(usize, u64)>,
}

/// What a pair is.
pub(crate) enum Outcome {
    Fine,
    /// With the fields that changed, as far as they are known.
    Changed(Vec<String>),
}

impl Pairs {
    pub(crate) fn new(before: &Header, after: &Header, changes: &[DeclaredChange], most: usize) -> Self {
        let changes = changes.iter().filter(|change| change.kind.needs_census()).map(|declared| Change {
            how: how(declared, before, after),
            declared: declared.clone(),
            happened: 0,
            already: 0,
            not_happened: Named::new(most),
            excused: Named::new(most),
        });
        Self {
            changes: changes.collect(),
            apart: before.options.apart.clone(),
            detailed: before.options.detail == Detail::Fields,
            shapes: HashMap::new(),
        }
    }

    /// Whether nothing was declared: then only differences are of interest.
    pub(crate) fn is_plain(&self) -> bool {
        self.changes.is_empty()
    }

    /// How many fields stand apart.
    pub(crate) fn apart(&self) -> usize {
        self.apart.len()
    }

    /// Whether ids, digests and shapes are all there is to compare.
    pub(crate) fn is_simple(&self) -> bool {
        self.is_plain() && self.apart.is_empty() && !self.detailed
    }

    /// Other buckets come: what was remembered of shapes is of no use.
    pub(crate) fn next_bucket(&mut self) {
        self.shapes.clear();
    }

    /// Whether two documents are the very same.
    pub(crate) fn same(&self, before: &Document<'_>, after: &Document<'_>) -> bool {
        before.digest() == after.digest()
            && before.shape() == after.shape()
            && (0..self.apart.len()).all(|column| before.apart(column) == after.apart(column))
    }

    /// Looks at a document on both sides.
    pub(crate) fn pair(&mut self, before: &Document<'_>, after: &Document<'_>) -> Outcome {
        let same = self.same(before, after);
        if self.is_plain() {
            return if same {
                Outcome::Fine
            } else {
                Outcome::Changed(self.changed_fields(before, after, &Attempt::default()))
            };
        }
        let kinds = self.kinds(before.shape(), after.shape());
        let words = if same {
            // of what cannot be read to its end nobody knows more than that it is the same
            let untold = shape::fields(before.shape()).is_none();
            let word = |(change, kinds): (&Change, &Kinds)| {
                if untold && !change.declared.kind.fields().is_empty() {
                    return Word::NotHappened;
                }
                change.unchanged(*kinds, before, after)
            };
            self.changes.iter().zip(&kinds).map(word).collect()
        } else {
            let attempt = self.attempt(&kinds, before, after);
            match attempt.settle(&self.apart, before, after) {
                Some(words) => words,
                None => {
                    return Outcome::Changed(self.changed_fields(before, after, &attempt));
                }
            }
        };
        for (change, word) in self.changes.iter_mut().zip(words) {
            match word {
                Word::Nothing => {}
                Word::Happened => change.happened += 1,
                Word::Already => change.already += 1,
                Word::NotHappened => change.not_happened.push(before.id(), Vec::new()),
            }
        }
        Outcome::Fine
    }

    fn kinds(&mut self, before: &[u8], after: &[u8]) -> Vec<Kinds> {
        let key = (before.as_ptr().addr(), after.as_ptr().addr());
        if let Some(known) = self.shapes.get(&key) {
            return known.clone();
        }
        let of = |change: &Change| match &change.declared.kind {
            ChangeKind::RenamedField { from, to } => Kinds {
                before: shape::kind_of(before, from.top().as_bytes()),
                after: shape::kind_of(after, from.top().as_bytes()),
                new_before: shape::kind_of(before, to.top().as_bytes()),
            },
            kind => match kind.fields().first() {
                Some(path) => Kinds {
                    before: shape::kind_of(before, path.top().as_bytes()),
                    after: shape::kind_of(after, path.top().as_bytes()),
                    new_before: None,
                },
                None => Kinds::default(),
            },
        };
        let kinds: Vec<Kinds> = self.changes.iter().map(of).collect();
        self.shapes.insert(key, kinds.clone());
        kinds
    }

    /// Takes off whatever can be taken off.
    fn attempt<'a>(&'a self, kinds: &[Kinds], before: &Document<'_>, after: &Document<'_>) -> Attempt<'a> {
        let mut attempt = Attempt::default();
        for (index, (change, kinds)) in self.changes.iter().zip(kinds).enumerate() {
            let word = change.look(index, *kinds, before, after, &mut attempt);
            attempt.words.push(word);
        }
        attempt
    }

    /// Fields that differ, by name where every field was recorded.
    fn changed_fields(&self, before: &Document<'_>, after: &Document<'_>, attempt: &Attempt<'_>) -> Vec<String> {
        let mut changed: Vec<String> = (0..self.apart.len())
            .filter(|column| !attempt.excused.contains(column) && before.apart(*column) != after.apart(*column))
            .map(|column| self.apart[column].to_string())
            .collect();
        let recorded = |document| Some(document).filter(|_| self.detailed).and_then(fields);
        let (Some(old), Some(new)) = (recorded(before), recorded(after)) else { return changed };
        let mut names: BTreeMap<&[u8], [Vec<u64>; 2]> = BTreeMap::new();
        for (side, fields) in [old, new].into_iter().enumerate() {
            for (name, hash) in fields {
                names.entry(name).or_default()[side].push(hash);
            }
        }
        for (name, [old_hashes, new_hashes]) in &names {
            let before = self.old_name(attempt, name).and_then(|before| names.get(before.as_bytes()));
            let was = before.map_or(old_hashes, |[hashes, _]| hashes);
            // as declared, and as it was otherwise
            let within = attempt.taken.iter().filter(|(index, _)| self.is_within(*index, name));
            let off = within.fold(0_u64, |off, (_, delta)| off.wrapping_add(*delta));
            let one = |hashes: &[u64]| match hashes {
                [] => Some(0),
                [hash] => Some(*hash),
                _ => None,
            };
            let undone = match (one(was), one(new_hashes)) {
                (Some(was), Some(is)) => is.wrapping_sub(off) == was || self.is_renamed_away(attempt, name),
                _ => false,
            };
            if old_hashes != new_hashes && !undone {
                changed.push(paths::shown_name(name));
            }
        }
        if changed.is_empty() && before.shape() != after.shape() {
            changed.push("(order of fields)".to_owned());
        }
        changed.sort();
        changed.dedup();
        changed
    }

    /// Whether what was taken off by a change was taken off this top-level field.
    fn is_within(&self, change: usize, name: &[u8]) -> bool {
        let kind = &self.changes[change].declared.kind;
        // of a renaming, the new name
        kind.fields().last().is_some_and(|path| path.top().as_bytes() == name)
    }

    /// What a field was called before a renaming that was taken off.
    fn old_name(&self, attempt: &Attempt<'_>, name: &[u8]) -> Option<&str> {
        self.renamings(attempt).find(|(_, to)| to.as_bytes() == name).map(|(from, _)| from)
    }

    /// Whether a field has another name now: that one tells whether it is what it was.
    fn is_renamed_away(&self, attempt: &Attempt<'_>, name: &[u8]) -> bool {
        self.renamings(attempt).any(|(from, _)| from.as_bytes() == name)
    }

    fn renamings(&self, attempt: &Attempt<'_>) -> impl Iterator<Item = (&str, &str)> {
        attempt.taken.iter().filter_map(|(index, _)| match &self.changes[*index].declared.kind {
            ChangeKind::RenamedField { from, to } => Some((from.top(), to.top())),
            _ => None,
        })
    }

    /// A document that is gone: the change that excuses it takes note of it.
    pub(crate) fn excuse_missing(&mut self, before: &Document<'_>) -> bool {
        self.excuse(&How::Leaving(before.mark()), before)
    }

    /// A document that is new.
    pub(crate) fn excuse_extra(&mut self, after: &Document<'_>) -> bool {
        self.excuse(&How::Arriving(after.mark()), after)
    }

    fn excuse(&mut self, how: &How, document: &Document<'_>) -> bool {
        let Some(change) = self.changes.iter_mut().find(|change| change.how == *how) else { return false };
        change.excused.push(document.id(), Vec::new());
        true
    }

    /// What became of each change. Documents that a change excuses and that are more than it allows are none of its
    /// any more: they go to `missing` and `extra`.
    pub(crate) fn finish(self, missing: &mut Named, extra: &mut Named) -> Vec<ChangeOutcome> {
        let mut outcomes = Vec::new();
        for mut change in self.changes {
            if let ChangeKind::AddedDocuments(some) | ChangeKind::RemovedDocuments(some) = &change.declared.kind {
                let too_many = some.most.is_some_and(|most| change.excused.count > most);
                match change.how {
                    How::Leaving(_) if too_many => missing.absorb(change.excused),
                    How::Arriving(_) if too_many => extra.absorb(change.excused),
                    _ => change.happened += change.excused.count,
                }
            }
            outcomes.push(ChangeOutcome {
                unproven: match change.how {
                    How::Unproven(why) => Some(why.to_owned()),
                    _ => None,
                },
                change: change.declared,
                happened: change.happened,
                already: change.already,
                not_happened: change.not_happened.into_set(|_| (None, None)),
            });
        }
        outcomes
    }

    /// Whether any document was excused.
    pub(crate) fn has_excused(&self) -> bool {
        self.changes.iter().any(|change| change.excused.count > 0)
    }

    /// Whether a path is one that a declared change speaks of, or lies around or within one.
    pub(crate) fn is_declared(&self, path: &[u8]) -> bool {
        let names: Vec<&[u8]> = path
            .strip_suffix(&[0])
            .unwrap_or(path)
            .split(|byte| *byte == 0)
            .filter(|name| *name != paths::ELEMENT)
            .collect();
        let fields = self.changes.iter().flat_map(|change| change.declared.kind.fields());
        fields.into_iter().any(|field| field.names().iter().zip(&names).all(|(a, b)| a.as_bytes() == *b))
    }
}

fn how(change: &DeclaredChange, before: &Header, after: &Header) -> How {
    const LATE: &str = "it was not declared when the baseline was taken, and what is gone cannot be proven afterwards";
    const LATER: &str = "it was declared after the capture after the sync was taken: run `taster post` again";
    let kind = &change.kind;
    let mark = |place: Option<usize>| place.and_then(|place| u8::try_from(place + 1).ok());
    match kind {
        ChangeKind::RemovedField { path } => {
            before.options.apart.iter().position(|other| other == path).map_or(How::Unproven(LATE), How::Apart)
        }
        ChangeKind::RetypedField { path, .. } if kind.needs_before() => {
            before.options.apart.iter().position(|other| other == path).map_or(How::Unproven(LATE), How::Apart)
        }
        ChangeKind::RemovedDocuments(some) => {
            let place = before.options.leaving.iter().position(|filter| *filter == some.filter);
            mark(place).map_or(How::Unproven(LATE), How::Leaving)
        }
        ChangeKind::AddedDocuments(some) => {
            let place = Options::arriving(&after.changes).position(|filter| *filter == some.filter);
            mark(place).map_or(How::Unproven(LATER), How::Arriving)
        }
        _ => {
            let mut columns = undoable(after.place.side, &after.changes);
            columns.position(|other| other.kind == *kind).map_or(How::Unproven(LATER), How::Undo)
        }
    }
}

impl Change {
    /// What a document that is the very same on both sides says.
    fn unchanged(&self, kinds: Kinds, before: &Document<'_>, after: &Document<'_>) -> Word {
        match (&self.how, &self.declared.kind) {
            (How::Undo(_), ChangeKind::AddedField { path, to, present }) if path.is_top() => match kinds.before {
                Some(kind) if kind == to.code() => Word::Already,
                _ if *present == Present::All => Word::NotHappened,
                _ => Word::Nothing,
            },
            (How::Undo(column), ChangeKind::AddedField { present, .. }) => match after.undo(*column).state {
                UndoState::There => Word::Already,
                UndoState::Absent | UndoState::Partly | UndoState::Other if *present == Present::All => {
                    Word::NotHappened
                }
                _ => Word::Nothing,
            },
            (How::Undo(_), ChangeKind::RenamedField { .. }) => match (kinds.before, kinds.new_before) {
                (Some(_), _) => Word::NotHappened,
                (None, Some(_)) => Word::Already,
                (None, None) => Word::Nothing,
            },
            (How::Undo(column), ChangeKind::RetypedField { .. }) => match after.undo(*column).state {
                UndoState::There => Word::Already,
                UndoState::Partly => Word::NotHappened,
                _ => Word::Nothing,
            },
            (How::Apart(column), ChangeKind::RemovedField { .. }) if before.apart(*column).kind != 0 => {
                Word::NotHappened
            }
            (How::Apart(column), ChangeKind::RetypedField { from, to, .. }) => match before.apart(*column).kind {
                kind if kind == from.code() || kind == MIXED => Word::NotHappened,
                kind if kind == to.code() => Word::Already,
                _ => Word::Nothing,
            },
            (How::Leaving(mark), _) if before.mark() == *mark => Word::NotHappened,
            _ => Word::Nothing,
        }
    }

    /// What a document that is not the same says, and what is taken off it.
    fn look<'a>(
        &'a self,
        index: usize,
        kinds: Kinds,
        before: &Document<'_>,
        after: &Document<'_>,
        attempt: &mut Attempt<'a>,
    ) -> Word {
        let undone = match self.how {
            How::Undo(column) => after.undo(column),
            _ => crate::record::Undo::default(),
        };
        match (&self.how, &self.declared.kind) {
            (How::Undo(_), ChangeKind::AddedField { path, to, present }) if path.is_top() => {
                match (kinds.before, undone.state) {
                    (Some(kind), _) if kind == to.code() => Word::Already,
                    (None, UndoState::There) => attempt.take_off(index, undone.delta, path),
                    (None, UndoState::Absent) if *present == Present::All => Word::NotHappened,
                    _ => Word::Nothing,
                }
            }
            (How::Undo(_), ChangeKind::AddedField { present, .. }) => match undone.state {
                UndoState::There => attempt.try_off(index, undone.delta, Word::Happened),
                UndoState::Partly => attempt.try_off(index, undone.delta, Word::NotHappened),
                UndoState::Absent if *present == Present::All => Word::NotHappened,
                _ => Word::Nothing,
            },
            (How::Undo(_), ChangeKind::RenamedField { from, to }) => match (kinds.before, undone.state) {
                (Some(_), UndoState::There) => {
                    attempt.names.push(to.top().as_bytes());
                    attempt.take_off(index, undone.delta, from)
                }
                (Some(_), _) if kinds.after.is_some() => Word::NotHappened,
                (None, _) if kinds.new_before.is_some() => Word::Already,
                _ => Word::Nothing,
            },
            (How::Undo(_), ChangeKind::RetypedField { path, from, to }) if path.is_top() => {
                match (kinds.before, undone.state) {
                    (Some(kind), UndoState::There) if kind == from.code() => {
                        attempt.take_off(index, undone.delta, path)
                    }
                    (Some(kind), UndoState::Partly) if kind == from.code() => Word::NotHappened,
                    (Some(kind), _) if kind == to.code() => Word::Already,
                    _ => Word::Nothing,
                }
            }
            (How::Undo(_), ChangeKind::RetypedField { .. }) => match undone.state {
                UndoState::There => attempt.try_off(index, undone.delta, Word::Happened),
                UndoState::Partly => attempt.try_off(index, undone.delta, Word::NotHappened),
                _ => Word::Nothing,
            },
            (How::Apart(column), kind) => {
                let (old, new) = (before.apart(*column), after.apart(*column));
                let (path, concerned, done, already) = match kind {
                    ChangeKind::RemovedField { path } => (path, old.kind != 0, new.kind == 0, false),
                    ChangeKind::RetypedField { path, from, to } => {
                        (path, old.kind == from.code(), new.kind == to.code(), old.kind == to.code())
                    }
                    _ => return Word::Nothing,
                };
                match (concerned, done) {
                    (true, true) => {
                        attempt.excused.push(*column);
                        attempt.take_off(index, 0, path)
                    }
                    (true, false) if old == new => Word::NotHappened,
                    (false, _) if already => Word::Already,
                    _ => Word::Nothing,
                }
            }
            (How::Leaving(mark), _) if before.mark() == *mark => Word::NotHappened,
            _ => Word::Nothing,
        }
    }
}

impl<'a> Attempt<'a> {
    /// Takes a change off for good.
    fn take_off(&mut self, index: usize, delta: u64, path: &'a FieldPath) -> Word {
        self.delta = self.delta.wrapping_add(delta);
        self.taken.push((index, delta));
        if path.is_top() {
            self.names.push(path.top().as_bytes());
        }
        Word::Happened
    }

    /// Takes a change off that may have been there before.
    fn try_off(&mut self, index: usize, delta: u64, word: Word) -> Word {
        self.delta = self.delta.wrapping_add(delta);
        self.taken.push((index, delta));
        self.tentative.push((index, delta));
        word
    }

    /// What the document says of each change, if it is what was declared.
    fn settle(&self, apart: &[FieldPath], before: &Document<'_>, after: &Document<'_>) -> Option<Vec<Word>> {
        let fits = (0..apart.len())
            .all(|column| self.excused.contains(&column) || before.apart(column) == after.apart(column))
            && shape::without(before.shape(), &self.names) == shape::without(after.shape(), &self.names);
        if !fits {
            return None;
        }
        let off = after.digest().wrapping_sub(before.digest());
        if off == self.delta {
            return Some(self.words.clone());
        }
        // those that are put back were there before the sync already
        let tried = if self.tentative.len() <= TRIED { 1_u32 << self.tentative.len() } else { 1 };
        for back in (1..tried).chain((self.tentative.len() > TRIED).then_some(u32::MAX)) {
            let chosen = self.tentative.iter().zip(0..32).filter(|(_, bit)| back & (1 << bit) != 0);
            let chosen: Vec<(usize, u64)> = chosen.map(|(tentative, _)| *tentative).collect();
            let delta = chosen.iter().fold(self.delta, |delta, (_, put_back)| delta.wrapping_sub(*put_back));
            if off == delta {
                let mut words = self.words.clone();
                for (index, _) in chosen {
                    // what was there in part is still missing elsewhere
                    if words[index] == Word::Happened {
                        words[index] = Word::Already;
                    }
                }
                return Some(words);
            }
        }
        None
    }
}

/// Names and digests of the fields of a document. `None` where it could not be read to its end or has too many.
fn fields<'a>(document: &Document<'a>) -> Option<Vec<(&'a [u8], u64)>> {
    let (digests, _) = document.fields().as_chunks::<8>();
    let mut id_seen = false;
    let names = shape::fields(document.shape())?.map(|(_, name)| name).filter(|name| {
        let id = *name == b"_id" && !id_seen;
        id_seen |= id;
        !id
    });
    let pairs: Vec<(&[u8], u64)> = names.zip(digests.iter().map(|digest| u64::from_le_bytes(*digest))).collect();
    (pairs.len() == digests.len()).then_some(pairs)
}
