//! What came of it, a line for each number, with a verdict where there is a goal.

use std::fmt;

/// What a number should be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Goal {
    /// Smaller is better.
    AtMost(f64),
    /// Only shown.
    None,
}

/// The numbers, in the order in which they were measured.
#[derive(Debug, Default)]
pub(crate) struct Table(Vec<Line>);

#[derive(Debug)]
struct Line {
    what: String,
    value: f64,
    unit: &'static str,
    goal: Goal,
}

impl Table {
    pub(crate) fn ratio(&mut self, what: &str, value: f64, goal: Goal) {
        self.line(what, value, "×", goal);
    }

    pub(crate) fn line(&mut self, what: &str, value: f64, unit: &'static str, goal: Goal) {
        self.0.push(Line { what: what.to_owned(), value, unit, goal });
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  {:<58} {:>9} {:<4} {:>8}  verdict", "what", "measured", "", "goal")?;
        let (mut held, mut goals) = (0, 0);
        for Line { what, value, unit, goal } in &self.0 {
            let shown = if *value < 10.0 { format!("{value:.3}") } else { format!("{value:.1}") };
            let (goal, verdict) = match goal {
                Goal::None => (String::new(), String::new()),
                Goal::AtMost(most) => {
                    goals += 1;
                    let verdict = if value <= most {
                        held += 1;
                        "ok".to_owned()
                    } else {
                        format!("short by {:.0} %", (value / most - 1.0) * 100.0)
                    };
                    (format!("≤ {most}"), verdict)
                }
            };
            let line = format!("  {what:<58} {shown:>9} {unit:<4} {goal:>8}  {verdict}");
            writeln!(f, "{}", line.trim_end())?;
        }
        write!(f, "\n{held} of {goals} goals reached")
    }
}
