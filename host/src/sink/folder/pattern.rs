//! The path pattern of a Blob Storage output: `logs/{date}/{time}/{client_id}`.
//!
//! | part | becomes |
//! | --- | --- |
//! | `{date}` | the day of the row's time in UTC, in the date format: `YYYY/MM/DD` (also `DD-MM-YYYY` and so on) |
//! | `{time}` | its hour, in the time format: `HH` (also `HH-mm`) |
//! | `{datetime:yyyy}` | one part of it: `yyyy`, `MM`, `M`, `dd`, `d`, `HH`, `H`, `mm`, `m`, `ss`, `s` |
//! | `{partition}` | the partition of the event |
//! | `{column}` | the row's value of that column |
//!
//! A value may hold `/` and makes deeper folders then; what no folder's name may hold is written as `%XX`, so that no value
//! leads out of the folder. Source: "Blob storage and Azure Data Lake Gen2 output from Azure Stream Analytics".

use std::fmt::Write;

use crate::batch::{Batch, Value, write_value};
use crate::time::{TICKS_PER_SECOND, Timestamp};

/// Characters that a folder's name does not have here.
const RESERVED: &str = "<>:\"|?*%";
/// Bytes of one folder's name.
const LONGEST: usize = 255;

/// A pattern that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathPattern {
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    /// A part of the time, and how many digits it has at least.
    Time(Part, usize),
    Partition,
    Column(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
}

impl PathPattern {
    /// Reads a pattern with the formats of `{date}` and `{time}`.
    ///
    /// # Errors
    /// What is wrong, in words for the job's author.
    pub fn new(pattern: &str, date: &str, time: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut rest = pattern.trim_matches(['/', '\\', ' ']);
        while let Some(start) = rest.find('{') {
            text(&mut pieces, &rest[..start])?;
            let inner = &rest[start + 1..];
            let end = inner.find('}').ok_or_else(|| format!("the path pattern '{pattern}' has a '{{' without '}}'"))?;
            let token = inner[..end].trim();
            let lower = token.to_ascii_lowercase();
            match (lower.as_str(), token.split_once(':')) {
                ("date", _) => format(&mut pieces, date, "date format", &DATE)?,
                ("time", _) => format(&mut pieces, time, "time format", &TIME)?,
                ("partition", _) => pieces.push(Piece::Partition),
                ("", _) => return Err(format!("the path pattern '{pattern}' has an empty '{{}}'")),
                (_, Some((name, part))) if name.trim().eq_ignore_ascii_case("datetime") => {
                    let known = PARTS.iter().find(|(known, _, _)| *known == part.trim());
                    let (_, part, digits) = known.ok_or_else(|| {
                        let known: Vec<&str> = PARTS.iter().map(|(known, _, _)| *known).collect();
                        format!("'{{{token}}}': one of {} is expected after 'datetime:'", known.join(", "))
                    })?;
                    pieces.push(Piece::Time(*part, *digits));
                }
                _ => pieces.push(Piece::Column(token.to_owned())),
            }
            rest = &inner[end + 1..];
        }
        text(&mut pieces, rest)?;
        Ok(Self { pieces })
    }

    /// The folder of each row, `/` between its parts and none at the end; or why a row has none.
    pub(super) fn paths(&self, batch: &Batch) -> Vec<Result<String, String>> {
        let columns: Vec<_> = self
            .pieces
            .iter()
            .map(|piece| if let Piece::Column(name) = piece { batch.column(name).ok_or_else(|| name.clone()).map(Some) } else { Ok(None) })
            .collect();
        let only_time = self.pieces.iter().all(|piece| matches!(piece, Piece::Text(_) | Piece::Time(..)));
        let mut last: Option<(i64, String)> = None;
        let mut path = |row: usize| -> Result<String, String> {
            let second = batch.times[row].0.div_euclid(TICKS_PER_SECOND);
            if only_time
                && let Some((of, path)) = &last
                && *of == second
            {
                return Ok(path.clone());
            }
            let moment = Moment::of(batch.times[row]);
            let mut path = String::new();
            for (piece, column) in self.pieces.iter().zip(&columns) {
                match (piece, column) {
                    (Piece::Text(text), _) => path.push_str(text),
                    (Piece::Time(part, digits), _) => number(&mut path, moment.part(*part), *digits),
                    (Piece::Partition, _) => number(&mut path, batch.row_id(row).map_or(0, |id| id.partition), 1),
                    (Piece::Column(name), Ok(Some(column))) => value(&mut path, name, &column.value(row))?,
                    (Piece::Column(name), _) => return Err(format!("the path pattern needs column '{name}', which the row does not have")),
                }
            }
            let path = tidy(&path)?;
            if only_time {
                last = Some((second, path.clone()));
            }
            Ok(path)
        };
        (0..batch.rows()).map(&mut path).collect()
    }
}

const PARTS: [(&str, Part, usize); 11] = [
    ("yyyy", Part::Year, 4),
    ("MM", Part::Month, 2),
    ("M", Part::Month, 1),
    ("dd", Part::Day, 2),
    ("d", Part::Day, 1),
    ("HH", Part::Hour, 2),
    ("H", Part::Hour, 1),
    ("mm", Part::Minute, 2),
    ("m", Part::Minute, 1),
    ("ss", Part::Second, 2),
    ("s", Part::Second, 1),
];
const DATE: [(&str, Part, usize); 3] = [("YYYY", Part::Year, 4), ("MM", Part::Month, 2), ("DD", Part::Day, 2)];
const TIME: [(&str, Part, usize); 3] = [("HH", Part::Hour, 2), ("MM", Part::Minute, 2), ("SS", Part::Second, 2)];

/// A date or time format: its parts, with `/`, `-` or `_` between.
fn format(pieces: &mut Vec<Piece>, format: &str, what: &str, known: &[(&str, Part, usize)]) -> Result<(), String> {
    let upper = format.trim().to_ascii_uppercase();
    let mut rest = upper.as_str();
    let wrong = || {
        let known: Vec<&str> = known.iter().map(|(known, _, _)| *known).collect();
        format!("the {what} '{format}': {} with '/' or '-' between is expected", known.join(", "))
    };
    while !rest.is_empty() {
        if let Some((name, part, digits)) = known.iter().find(|(name, _, _)| rest.starts_with(name)) {
            pieces.push(Piece::Time(*part, *digits));
            rest = &rest[name.len()..];
        } else if rest.starts_with(['/', '-', '_']) {
            text(pieces, &rest[..1])?;
            rest = &rest[1..];
        } else {
            return Err(wrong());
        }
    }
    if upper.is_empty() { Err(wrong()) } else { Ok(()) }
}

fn text(pieces: &mut Vec<Piece>, text: &str) -> Result<(), String> {
    let text = text.replace('\\', "/");
    if text.split('/').any(|part| part.trim() == ".." || part.trim() == ".") {
        return Err(format!("the path pattern leads out of the folder at '{text}'"));
    }
    if let Some(letter) = text.chars().find(|letter| letter.is_control() || RESERVED.contains(*letter) || *letter == '}') {
        return Err(format!("the path pattern has '{letter}', which no folder's name has"));
    }
    if !text.is_empty() {
        pieces.push(Piece::Text(text));
    }
    Ok(())
}

fn number(path: &mut String, number: u32, digits: usize) {
    // Writing into a String cannot fail.
    let _written = write!(path, "{number:0digits$}");
}

/// A column's value as part of a path.
fn value(path: &mut String, name: &str, value: &Value) -> Result<(), String> {
    let mut plain = Vec::new();
    let text = match value {
        Value::Text(text) => text,
        Value::Null | Value::Missing => "null",
        Value::BigInt(_) | Value::Float(_) | Value::Bit(_) => {
            write_value(value, &mut plain);
            std::str::from_utf8(&plain).unwrap_or_default()
        }
        Value::DateTime(_) | Value::Record(_) | Value::Array(_) => {
            return Err(format!("column '{name}' is in the path pattern, and is a datetime, record or array; cast it to nvarchar(max)"));
        }
    };
    for letter in text.chars() {
        match letter {
            '\\' => path.push('/'),
            letter if letter.is_control() || RESERVED.contains(letter) => {
                let mut bytes = [0; 4];
                for byte in letter.encode_utf8(&mut bytes).bytes() {
                    // Writing into a String cannot fail.
                    let _written = write!(path, "%{byte:02X}");
                }
            }
            letter => path.push(letter),
        }
    }
    Ok(())
}

/// No empty parts, none that begins with a dot, none that is too long.
fn tidy(path: &str) -> Result<String, String> {
    let mut tidy = String::with_capacity(path.len());
    for part in path.split('/').filter(|part| !part.is_empty()) {
        if part.len() > LONGEST {
            return Err(format!("the path pattern makes a folder's name of {} bytes; {LONGEST} are possible", part.len()));
        }
        if !tidy.is_empty() {
            tidy.push('/');
        }
        match part.strip_prefix('.') {
            Some(rest) => {
                tidy.push_str("%2E");
                tidy.push_str(rest);
            }
            None => tidy.push_str(part),
        }
    }
    Ok(tidy)
}

/// A time as its parts, UTC.
struct Moment(String);

impl Moment {
    fn of(time: Timestamp) -> Self {
        Self(time.to_string())
    }

    fn part(&self, part: Part) -> u32 {
        let range = match part {
            Part::Year => 0..4,
            Part::Month => 5..7,
            Part::Day => 8..10,
            Part::Hour => 11..13,
            Part::Minute => 14..16,
            Part::Second => 17..19,
        };
        self.0.get(range).and_then(|digits| digits.parse().ok()).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::{Column, Origin};

    /// 2018-01-02T10:06:08Z.
    const TIME_OF_DOCS: i64 = 1_514_887_568 * TICKS_PER_SECOND;

    fn batch(values: Vec<Value>) -> Batch {
        let rows = values.len();
        Batch {
            names: vec!["Client_id".into()].into(),
            columns: vec![Column::from_values(values)],
            times: vec![Timestamp(TIME_OF_DOCS); rows].into(),
            origin: Origin::Events { input: 0, partition: 3, offsets: (0..rows as u64).collect() },
        }
    }

    fn path(pattern: &str, value: Value) -> Result<String, String> {
        PathPattern::new(pattern, "YYYY/MM/DD", "HH").unwrap().paths(&batch(vec![value])).remove(0)
    }

    #[test]
    fn paths_are_those_of_the_documentation() {
        let with = |pattern: &str| path(pattern, Value::Text("c 1".into())).unwrap();
        assert_eq!(with("cluster1/logs/{date}/{time}"), "cluster1/logs/2018/01/02/10");
        assert_eq!(with("cluster1/{client_id}/{date}/"), "cluster1/c 1/2018/01/02");
        assert_eq!(with("cluster1/year={datetime:yyyy}/month={datetime:M}/d={datetime:dd}"), "cluster1/year=2018/month=1/d=02");
        assert_eq!(with("{datetime:HH}-{datetime:m}-{datetime:ss}"), "10-6-08");
        assert_eq!(with("p{partition}"), "p3");
        assert_eq!(with(""), "");
        let of = |date: &str, time: &str| PathPattern::new("{date} {time}", date, time).unwrap().paths(&batch(vec![Value::Null])).remove(0);
        assert_eq!(of("DD-MM-YYYY", "HH-mm").unwrap(), "02-01-2018 10-06");
        assert_eq!(of("yyyy/MM/dd", "HH").unwrap(), "2018/01/02 10");
    }

    #[test]
    fn no_value_leads_out_of_the_folder() {
        for (value, expected) in [
            ("../../etc/passwd", "%2E./%2E./etc/passwd"),
            ("/etc//passwd/", "etc/passwd"),
            ("..\\..\\x", "%2E./%2E./x"),
            (".tamis", "%2Etamis"),
            ("a\0b:c\n", "a%00b%3Ac%0A"),
            ("", ""),
            ("name/7", "name/7"),
        ] {
            assert_eq!(path("{client_id}", Value::Text(value.into())).unwrap(), expected, "{value:?}");
        }
        assert_eq!(path("x={client_id}", Value::Null).unwrap(), "x=null");
        assert_eq!(path("{client_id}", Value::BigInt(-7)).unwrap(), "-7");
        assert_eq!(path("{client_id}", Value::Float(0.5)).unwrap(), "0.5");
        assert!(path("{client_id}", Value::Text("x".repeat(300).into())).unwrap_err().contains("300 bytes"));
        assert!(path("{client_id}", Value::DateTime(Timestamp(0))).unwrap_err().contains("cast it"));
        assert!(path("{other}", Value::Null).unwrap_err().contains("needs column 'other'"));
    }

    #[test]
    fn a_pattern_that_is_none_is_told() {
        let wrong = |pattern: &str, date: &str, time: &str| PathPattern::new(pattern, date, time).unwrap_err();
        assert!(wrong("{date", "YYYY", "HH").contains("without '}'"));
        assert!(wrong("{datetime:MM/dd}", "YYYY", "HH").contains("yyyy, MM"));
        assert!(wrong("a/../b", "YYYY", "HH").contains("leads out"));
        assert!(wrong("{date}", "week", "HH").contains("the date format 'week'"));
        assert!(wrong("{time}", "YYYY", "").contains("the time format ''"));
        assert!(wrong("a:b", "YYYY", "HH").contains("':'"));
    }
}
