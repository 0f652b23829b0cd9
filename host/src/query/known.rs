//! What is known of an output's columns before the first row.

use super::plan::{Columns, Operator, Plan, Source};
use super::project::Item;

impl Plan {
    /// The names of the columns of each statement that feeds an output, where the script fixes them: `SELECT *` of an input
    /// whose events may have any columns does not.
    pub fn columns_into(&self, output: &str) -> Vec<Vec<String>> {
        let feeds = |step: &usize| self.steps[*step].into.as_ref().is_some_and(|into| into.eq_ignore_ascii_case(output));
        (0..self.steps.len()).filter(feeds).filter_map(|step| self.columns_of(step)).collect()
    }

    fn columns_of(&self, step: usize) -> Option<Vec<String>> {
        match &self.steps[step].operator {
            Operator::Project(project) => {
                let mut names: Vec<String> = Vec::new();
                for item in &project.items {
                    match item {
                        Item::Named(name, _) => names.push(name.to_string()),
                        Item::Star => {
                            let all = match self.steps[step].source {
                                Source::Step(step) => self.columns_of(step)?,
                                Source::Input(input) => match &self.inputs[input].columns {
                                    Columns::Named(names) => names.clone(),
                                    Columns::All => return None,
                                },
                            };
                            names.extend(all);
                        }
                    }
                }
                Some(names)
            }
            Operator::Window(window) => Some(window.items.iter().map(|(name, _)| name.to_string()).collect()),
        }
    }
}
