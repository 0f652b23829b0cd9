//! DATEADD, DATEDIFF, DATEDIFF_BIG, DATENAME, DATEPART, DATETIMEFROMPARTS, DAY, EOMONTH, ISDATE, MONTH, YEAR.
//! All in UTC. A text in ISO 8601 stands for a time anywhere.

use jiff::civil::{Date, DateTime, Time};

use super::value::{fail, integer, text, time, wrong};
use super::{Builtin, Wrong, value};
use crate::batch::Value;
use crate::time::{TICKS_PER_MILLISECOND, TICKS_PER_SECOND, Timestamp};

pub(super) const TABLE: &[Builtin] = &[
    Builtin::new("DATEADD", (3, 3), dateadd).of_date_part(),
    Builtin::new("DATEDIFF", (3, 3), datediff).of_date_part(),
    Builtin::new("DATEDIFF_BIG", (3, 3), datediff).of_date_part(),
    Builtin::new("DATENAME", (2, 2), datename).of_date_part(),
    Builtin::new("DATEPART", (2, 2), |values| of_moment(values, 1, named(values)?)).of_date_part(),
    Builtin::new("DATETIMEFROMPARTS", (7, 7), from_parts),
    Builtin::new("DAY", (1, 1), |values| of_moment(values, 0, Part::Day)),
    Builtin::new("EOMONTH", (1, 2), eomonth),
    Builtin::new("ISDATE", (1, 1), |values| {
        Ok(Value::BigInt(match &values[0] {
            Value::DateTime(_) => 1,
            Value::Text(text) => Timestamp::parse(text).is_some().into(),
            _ => 0,
        }))
    }),
    Builtin::new("MONTH", (1, 1), |values| of_moment(values, 0, Part::Month)),
    Builtin::new("YEAR", (1, 1), |values| of_moment(values, 0, Part::Year)),
];

/// A part of a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::query) enum Part {
    Year,
    Quarter,
    Month,
    DayOfYear,
    Day,
    Week,
    Weekday,
    Hour,
    Minute,
    Second,
    Millisecond,
    Microsecond,
}

const DAY: i64 = 86_400 * TICKS_PER_SECOND;
const TICKS_PER_MICROSECOND: i64 = TICKS_PER_MILLISECOND / 1000;
/// 0001-01-01 and the last tick of 9999-12-31: the range of datetime.
const RANGE: std::ops::RangeInclusive<i64> = -62_135_596_800 * TICKS_PER_SECOND..=253_402_300_800 * TICKS_PER_SECOND - 1;

/// Each part's names, its own first.
const PARTS: [(Part, &[&str]); 12] = [
    (Part::Year, &["year", "yy", "yyyy", "years"]),
    (Part::Quarter, &["quarter", "qq", "q", "quarters"]),
    (Part::Month, &["month", "mm", "m", "months"]),
    (Part::DayOfYear, &["dayofyear", "dy", "y"]),
    (Part::Day, &["day", "dd", "d", "days"]),
    (Part::Week, &["week", "wk", "ww", "weeks"]),
    (Part::Weekday, &["weekday", "dw", "w"]),
    (Part::Hour, &["hour", "hh", "hours"]),
    (Part::Minute, &["minute", "mi", "n", "minutes"]),
    (Part::Second, &["second", "ss", "s", "seconds"]),
    (Part::Millisecond, &["millisecond", "ms", "milliseconds"]),
    (Part::Microsecond, &["microsecond", "mcs", "microseconds"]),
];

/// The date part of that name, without regard to case.
pub(in crate::query) fn part(name: &str) -> Option<Part> {
    PARTS.iter().find(|(_, names)| names.iter().any(|known| known.eq_ignore_ascii_case(name))).map(|(part, _)| *part)
}

/// The names of all date parts, for a message.
pub(in crate::query) fn part_names() -> impl Iterator<Item = &'static str> + Clone {
    PARTS.iter().map(|(_, names)| names[0])
}

/// Ticks of a unit of fixed length, by any of its names.
pub(in crate::query) fn unit_ticks(name: &str) -> Option<i64> {
    part(name).and_then(Part::ticks)
}

impl Part {
    /// The length of a part that has a fixed one.
    fn ticks(self) -> Option<i64> {
        Some(match self {
            Self::Week => 7 * DAY,
            Self::DayOfYear | Self::Day | Self::Weekday => DAY,
            Self::Hour => 3600 * TICKS_PER_SECOND,
            Self::Minute => 60 * TICKS_PER_SECOND,
            Self::Second => TICKS_PER_SECOND,
            Self::Millisecond => TICKS_PER_MILLISECOND,
            Self::Microsecond => TICKS_PER_MICROSECOND,
            Self::Year | Self::Quarter | Self::Month => return None,
        })
    }

    /// The months of a part that is so many.
    fn months(self) -> i64 {
        match self {
            Self::Year => 12,
            Self::Quarter => 3,
            _ => 1,
        }
    }
}

/// The part that the first argument names.
fn named(values: &[Value]) -> Result<Part, Wrong> {
    let name = text(values, 0)?.unwrap_or_default();
    part(name)
        .ok_or_else(|| Wrong::Value(format!("'{name}' is not a date part; date parts are {}", part_names().collect::<Vec<_>>().join(", "))))
}

fn civil(moment: Timestamp) -> Result<DateTime, Wrong> {
    moment.civil().ok_or_else(out_of_range)
}

fn out_of_range() -> Wrong {
    Wrong::Value("the result is not between the years 1 and 9999".to_owned())
}

fn moment_of(civil: DateTime, ticks_of_second: i64) -> Result<Timestamp, Wrong> {
    checked(Timestamp::from_civil(civil).0.checked_add(ticks_of_second))
}

fn checked(ticks: Option<i64>) -> Result<Timestamp, Wrong> {
    ticks.filter(|ticks| RANGE.contains(ticks)).map(Timestamp).ok_or_else(out_of_range)
}

/// A whole number; the fraction of a float is cut off.
fn count(values: &[Value], place: usize) -> Result<Option<i64>, Wrong> {
    match &values[place] {
        Value::Float(value) if value.abs() < 9.2e18 => Ok(Some(*value as i64)),
        Value::Float(value) => fail(format!("{value} is too large")),
        Value::Null | Value::BigInt(_) => integer(values, place),
        _ => wrong(values, place, value::NUMBER),
    }
}

fn dateadd(values: &[Value]) -> Result<Value, Wrong> {
    let part = named(values)?;
    let (Some(count), Some(moment)) = (count(values, 1)?, time(values, 2)?) else { return Ok(Value::Null) };
    let moved = match part.ticks() {
        Some(ticks) => checked(count.checked_mul(ticks).and_then(|ticks| moment.0.checked_add(ticks)))?,
        // The last day of a month stays a day of the month that it comes to.
        None => {
            let span = jiff::Span::new().try_months(count.saturating_mul(part.months())).map_err(|_| out_of_range())?;
            let moved = civil(moment)?.checked_add(span).map_err(|_| out_of_range())?;
            moment_of(moved, moment.0.rem_euclid(TICKS_PER_SECOND))?
        }
    };
    Ok(Value::DateTime(moved))
}

/// How many boundaries of the part lie between the two.
fn datediff(values: &[Value]) -> Result<Value, Wrong> {
    let part = named(values)?;
    let (Some(from), Some(to)) = (time(values, 1)?, time(values, 2)?) else { return Ok(Value::Null) };
    if let Some(ticks) = part.ticks() {
        // Weeks begin on Sunday; 1970-01-01 was a Thursday.
        let shift = if part == Part::Week { 4 * DAY } else { 0 };
        let number = |moment: Timestamp| moment.0.saturating_add(shift).div_euclid(ticks);
        return Ok(Value::BigInt(number(to) - number(from)));
    }
    let number = |moment: Timestamp| {
        let date = civil(moment)?.date();
        Ok((i64::from(date.year()) * 12 + i64::from(date.month()) - 1).div_euclid(part.months()))
    };
    Ok(Value::BigInt(number(to)? - number(from)?))
}

fn of_moment(values: &[Value], place: usize, part: Part) -> Result<Value, Wrong> {
    let Some(moment) = time(values, place)? else { return Ok(Value::Null) };
    Ok(Value::BigInt(number(part, moment)?))
}

fn number(part: Part, moment: Timestamp) -> Result<i64, Wrong> {
    let civil = civil(moment)?;
    let (date, time) = (civil.date(), civil.time());
    let ticks = moment.0.rem_euclid(TICKS_PER_SECOND);
    Ok(match part {
        Part::Year => date.year().into(),
        Part::Quarter => (i64::from(date.month()) + 2) / 3,
        Part::Month => date.month().into(),
        Part::DayOfYear => date.day_of_year().into(),
        Part::Day => date.day().into(),
        // The week of January 1 is the first; weeks begin on Sunday.
        Part::Week => {
            let before = i64::from(date.first_of_year().weekday().to_sunday_zero_offset());
            (i64::from(date.day_of_year()) + before - 1) / 7 + 1
        }
        Part::Weekday => i64::from(date.weekday().to_sunday_zero_offset()) + 1,
        Part::Hour => time.hour().into(),
        Part::Minute => time.minute().into(),
        Part::Second => time.second().into(),
        Part::Millisecond => ticks / TICKS_PER_MILLISECOND,
        Part::Microsecond => ticks / TICKS_PER_MICROSECOND,
    })
}

const MONTHS: [&str; 12] =
    ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];
const WEEKDAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

fn datename(values: &[Value]) -> Result<Value, Wrong> {
    let part = named(values)?;
    let Some(moment) = time(values, 1)? else { return Ok(Value::Null) };
    let number = number(part, moment)?;
    let names: &[&str] = match part {
        Part::Month => &MONTHS,
        Part::Weekday => &WEEKDAYS,
        _ => return Ok(Value::Text(number.to_string().into())),
    };
    Ok(names.get(number as usize - 1).map_or(Value::Null, |name| Value::Text((*name).into())))
}

/// Year, month, day, hour, minute, second, millisecond.
fn from_parts(values: &[Value]) -> Result<Value, Wrong> {
    let mut parts = [0; 7];
    for (place, part) in parts.iter_mut().enumerate() {
        let Some(value) = integer(values, place)? else { return Ok(Value::Null) };
        *part = value;
    }
    let no_date = || Wrong::Value(format!("{} are not year, month, day, hour, minute, second and millisecond of a date", shown(&parts)));
    let small = |place: usize| i8::try_from(parts[place]).map_err(|_| no_date());
    let date = Date::new(i16::try_from(parts[0]).map_err(|_| no_date())?, small(1)?, small(2)?).map_err(|_| no_date())?;
    let time = Time::new(small(3)?, small(4)?, small(5)?, 0).map_err(|_| no_date())?;
    if !(0..1000).contains(&parts[6]) {
        return Err(no_date());
    }
    moment_of(date.to_datetime(time), parts[6] * TICKS_PER_MILLISECOND).map(Value::DateTime)
}

fn shown(parts: &[i64]) -> String {
    parts.iter().map(i64::to_string).collect::<Vec<_>>().join(", ")
}

/// The last day of the month, so many months later when a second argument says so.
fn eomonth(values: &[Value]) -> Result<Value, Wrong> {
    let Some(moment) = time(values, 0)? else { return Ok(Value::Null) };
    let later = if values.len() > 1 { count(values, 1)? } else { Some(0) };
    let Some(later) = later else { return Ok(Value::Null) };
    let span = jiff::Span::new().try_months(later).map_err(|_| out_of_range())?;
    let last = civil(moment)?.date().first_of_month().checked_add(span).map_err(|_| out_of_range())?.last_of_month();
    moment_of(last.to_datetime(Time::midnight()), 0).map(Value::DateTime)
}
