//! What differs, for people: lines with `-` are expected, lines with `+` came.

use serde_json::Value as Json;
use similar::TextDiff;

use super::case::Row;
use super::compare::Difference;
use super::rows::line;

/// So many rows of each kind are shown.
const SHOWN: usize = 20;

/// The difference of one output.
pub(super) fn text(output: &str, difference: &Difference) -> String {
    let Difference { expected, found, missing, unexpected, order } = difference;
    let mut text = format!("{output}: {expected} rows expected, {found} came\n");
    if let Some((expected, found)) = order {
        text.push_str("  the rows are right, their order is not (- expected, + came)\n");
        let lines = |rows: &[Row]| rows.iter().map(|row| line(row) + "\n").collect::<String>();
        push_diff(&mut text, &lines(expected), &lines(found));
        return text;
    }
    text.push_str("  (- expected, + came)\n");
    let mut left = SHOWN;
    for (row, partner) in missing.iter().take(left) {
        match partner {
            Some(partner) => push_diff(&mut text, &wide(row, row), &wide(partner, row)),
            None => text.push_str(&format!("  - {}\n", line(row))),
        }
    }
    if missing.len() > left {
        text.push_str(&format!("  - and {} more\n", missing.len() - left));
    }
    left = SHOWN;
    unexpected.iter().take(left).for_each(|row| text.push_str(&format!("  + {}\n", line(row))));
    if unexpected.len() > left {
        text.push_str(&format!("  + and {} more\n", unexpected.len() - left));
    }
    text
}

/// A row with a line for each column, in the order of another row's columns.
fn wide(row: &Row, like: &Row) -> String {
    let place = |name: &str| like.keys().position(|known| known.to_lowercase() == name.to_lowercase()).unwrap_or(like.len());
    let mut fields: Vec<(&String, &Json)> = row.iter().collect();
    fields.sort_by_key(|(name, _)| place(name));
    let lines: Vec<String> = fields.iter().map(|(name, value)| format!("  \"{name}\": {value}")).collect();
    format!("{{\n{}\n}}\n", lines.join("\n"))
}

fn push_diff(text: &mut String, old: &str, new: &str) {
    for change in TextDiff::from_lines(old, new).iter_all_changes() {
        text.push_str(&format!("  {} {}\n", change.tag(), change.value().trim_end()));
    }
}

#[cfg(test)]
mod tests {
    use super::super::compare::Comparison;
    use super::*;

    #[test]
    fn a_row_that_differs_is_shown_column_by_column() {
        let row = |text: &str| serde_json::from_str::<Row>(text).unwrap();
        let expected = [row(r#"{"card": "c1", "n": 3}"#), row(r#"{"card": "c2", "n": 1}"#)];
        let found = [row(r#"{"n": 4, "card": "c1"}"#), row(r#"{"card": "c3", "n": 7}"#)];
        let difference = Comparison::default().compare(&expected, &found).unwrap();
        let shown = text("out", &difference);
        let lines = [
            "out: 2 rows expected, 2 came",
            "  (- expected, + came)",
            "    {",
            "      \"card\": \"c1\"",
            "  -   \"n\": 3",
            "  +   \"n\": 4",
            "    }",
            "  - {\"card\":\"c2\",\"n\":1}",
            "  + {\"card\":\"c3\",\"n\":7}",
            "",
        ];
        assert_eq!(shown, lines.join("\n"));
    }
}
