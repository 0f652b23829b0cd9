//! What is known of an output's columns before the first row.

use super::plan::{Columns, Operator, Plan, Source};
use super::project::Item;

impl Plan {
    /// The names of the columns of each statement that feeds an output, where the script fixes them: `SELECT *` of an input
    /// whose events may have any columns does not.
    pub fn columns_into(&self, output: &str) -> Vec<Vec<String>> {
        let feeds = |step: &usize| self.steps[*step].into.is_some_and(|into| self.outputs[into].eq_ignore_ascii_case(output));
        (0..self.steps.len()).filter(feeds).filter_map(|step| self.columns_of(Source::Step(step))).collect()
    }

    fn columns_of(&self, source: Source) -> Option<Vec<String>> {
        let step = match source {
            Source::Feed(feed) => {
                return match &self.inputs[self.feeds[feed].input].columns {
                    Columns::Named(names) => Some(names.clone()),
                    Columns::All => None,
                };
            }
            Source::Step(step) => &self.steps[step],
        };
        match &step.operator {
            Operator::Project(project) => match &project.items {
                None => self.columns_of(*step.sources.first()?),
                Some(items) => {
                    let mut names: Vec<String> = Vec::new();
                    for item in items {
                        match item {
                            Item::Named(name, _) => names.push(name.to_string()),
                            Item::Star => names.extend(self.columns_of(*step.sources.first()?)?),
                            Item::StarOf(_) | Item::Fields(_) => return None,
                        }
                    }
                    Some(names)
                }
            },
            Operator::Union(Some(names)) => Some(names.iter().map(ToString::to_string).collect()),
            Operator::Union(None) => self.columns_of(*step.sources.first()?),
            Operator::Apply(_)
            | Operator::Lookup(..)
            | Operator::Join(_)
            | Operator::Analytic(_)
            | Operator::Match(_)
            | Operator::Window(_) => None,
        }
    }
}
