//! Collections that are renamed and declared so, rightly or with a [`Twist`].

use super::{
    database::{Collection, Database, Kind},
    declared::{Declared, DeclaredStep, Twist},
    random::Random,
    upgrade::State,
};

/// No other collection has it.
pub(super) const NEW_NAME: &str = "renamed as declared";

const TWISTS: [Twist; 6] =
    [Twist::Right, Twist::NotDone, Twist::KeepsOld, Twist::KeepsView, Twist::LosesOne, Twist::WrongValue];

impl DeclaredStep {
    pub(super) fn renamed(random: &mut Random, collection: &str, twisted: bool) -> Self {
        let twist = if twisted { random.pick(&TWISTS) } else { Twist::Right };
        let (change, document) = (Declared::RenamedCollection, random.below(1000));
        Self { collection: collection.to_owned(), change, twist, document }
    }

    /// Renames the collection and lets the views on it read the new name.
    pub(super) fn rename(&self, state: &mut State) {
        let old = &self.collection;
        self.rename_in_declarations(state);
        if let Some(moved) = state.expected.remove(old) {
            state.expected.insert(NEW_NAME.to_owned(), moved);
        }
        match self.twist {
            Twist::NotDone => return,
            Twist::KeepsOld => {
                if let Some(copy) = state.actual.get(old).cloned() {
                    state.actual.insert(NEW_NAME.to_owned(), copy);
                }
                return;
            }
            _ => {}
        }
        let Some(mut moved) = state.actual.remove(old) else { return };
        self.spoil_moved(&mut moved);
        state.actual.insert(NEW_NAME.to_owned(), moved);
        // else it is dropped, and created with the new name
        if !self.document.is_multiple_of(3) {
            state.renamed.push((old.clone(), NEW_NAME.to_owned()));
        }
        redirect_views(&mut state.expected, old);
        if self.twist != Twist::KeepsView {
            redirect_views(&mut state.actual, old);
        }
    }

    fn rename_in_declarations(&self, state: &mut State) {
        let old = &self.collection;
        state.declared_names.push((old.clone(), NEW_NAME.to_owned()));
        for name in state.not_done.iter_mut().chain(&mut state.exceeded).filter(|name| **name == *old) {
            NEW_NAME.clone_into(name);
        }
        // other declared changes may name either
        if self.document.is_multiple_of(2) {
            for change in state.changes.iter_mut().filter(|change| change["collection"].as_str() == Some(old.as_str()))
            {
                change["collection"] = NEW_NAME.into();
            }
        }
    }

    fn spoil_moved(&self, moved: &mut Collection) {
        let documents = &mut moved.documents;
        let count = documents.len();
        match self.twist {
            Twist::LosesOne if count > 1 => drop(documents.remove(self.document % count)),
            Twist::WrongValue if count > 0 => drop(documents[self.document % count].insert("u", "another value")),
            _ => {}
        }
    }
}

fn redirect_views(database: &mut Database, old: &str) {
    for view in database.values_mut().filter(|collection| collection.kind == Kind::View) {
        if view.options.get_str("viewOn").is_ok_and(|source| source == old) {
            view.options.insert("viewOn", NEW_NAME);
        }
    }
}
