//! DATEADD, DATEDIFF, DATEPART, DAY, MONTH, YEAR. The date part arrives as a text.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::{Builtin, integer, text, wrong};
use crate::batch::Value;
use crate::time::{TICKS_PER_MILLISECOND, TICKS_PER_SECOND, Timestamp};

pub(super) const TABLE: &[Builtin] = &[
    Builtin { name: "DATEADD", arguments: (3, 3), run: dateadd },
    Builtin { name: "DATEDIFF", arguments: (3, 3), run: datediff },
    Builtin { name: "DATEPART", arguments: (2, 2), run: |values| datepart(text(values, 0)?.unwrap_or_default(), &values[1], 1) },
    Builtin { name: "DAY", arguments: (1, 1), run: |values| datepart("day", &values[0], 0) },
    Builtin { name: "MONTH", arguments: (1, 1), run: |values| datepart("month", &values[0], 0) },
    Builtin { name: "YEAR", arguments: (1, 1), run: |values| datepart("year", &values[0], 0) },
];

/// Ticks of a unit of fixed length, by any of its names.
pub(in crate::query) fn unit_ticks(name: &str) -> Option<i64> {
    Some(match name.to_ascii_lowercase().as_str() {
        "week" | "wk" | "ww" => 7 * 86_400 * TICKS_PER_SECOND,
        "day" | "days" | "dd" | "d" => 86_400 * TICKS_PER_SECOND,
        "hour" | "hours" | "hh" => 3600 * TICKS_PER_SECOND,
        "minute" | "minutes" | "mi" | "n" => 60 * TICKS_PER_SECOND,
        "second" | "seconds" | "ss" | "s" => TICKS_PER_SECOND,
        "millisecond" | "milliseconds" | "ms" => TICKS_PER_MILLISECOND,
        "microsecond" | "microseconds" | "mcs" => TICKS_PER_MILLISECOND / 1000,
        _ => return None,
    })
}

fn months(name: &str) -> Option<i64> {
    Some(match name.to_ascii_lowercase().as_str() {
        "year" | "yy" | "yyyy" => 12,
        "quarter" | "qq" | "q" => 3,
        "month" | "mm" | "m" => 1,
        _ => return None,
    })
}

fn moment(value: &Value, place: usize) -> Result<Option<Timestamp>, String> {
    match value {
        Value::Null => Ok(None),
        Value::DateTime(moment) => Ok(Some(*moment)),
        Value::Text(text) => Timestamp::parse(text).map(Some).ok_or_else(|| format!("'{text}' is not a time")),
        other => wrong(place, other, "'datetime'"),
    }
}

fn civil(moment: Timestamp) -> Result<DateTime, String> {
    let instant = jiff::Timestamp::from_second(moment.0.div_euclid(TICKS_PER_SECOND)).map_err(|error| error.to_string())?;
    Ok(TimeZone::UTC.to_datetime(instant))
}

fn part_name(values: &[Value]) -> Result<String, String> {
    Ok(text(values, 0)?.unwrap_or_default().to_owned())
}

fn dateadd(values: &[Value]) -> Result<Value, String> {
    let part = part_name(values)?;
    let (Some(count), Some(moment)) = (integer(values, 1)?, moment(&values[2], 2)?) else { return Ok(Value::Null) };
    if let Some(ticks) = unit_ticks(&part) {
        let moved = count.checked_mul(ticks).and_then(|ticks| moment.0.checked_add(ticks));
        return moved.map(|ticks| Value::DateTime(Timestamp(ticks))).ok_or_else(|| "the result is out of range".to_owned());
    }
    let months = months(&part).ok_or_else(|| format!("'{part}' is not a date part"))?;
    let before = civil(moment)?;
    let span = jiff::Span::new().try_months(count.saturating_mul(months)).map_err(|error| error.to_string())?;
    let after = before.checked_add(span).map_err(|error| error.to_string())?;
    let instant = TimeZone::UTC.to_timestamp(after).map_err(|error| error.to_string())?;
    Ok(Value::DateTime(Timestamp(instant.as_second() * TICKS_PER_SECOND + moment.0.rem_euclid(TICKS_PER_SECOND))))
}

/// How many boundaries of the part lie between the two.
fn datediff(values: &[Value]) -> Result<Value, String> {
    let part = part_name(values)?;
    let (Some(from), Some(to)) = (moment(&values[1], 1)?, moment(&values[2], 2)?) else { return Ok(Value::Null) };
    if let Some(ticks) = unit_ticks(&part) {
        // Weeks begin on Sunday; 1970-01-01 was a Thursday.
        let shift = if ticks == 7 * 86_400 * TICKS_PER_SECOND { 4 * 86_400 * TICKS_PER_SECOND } else { 0 };
        return Ok(Value::BigInt((to.0 + shift).div_euclid(ticks) - (from.0 + shift).div_euclid(ticks)));
    }
    let size = months(&part).ok_or_else(|| format!("'{part}' is not a date part"))?;
    let count = |moment: Timestamp| {
        civil(moment).map(|civil| (i64::from(civil.date().year()) * 12 + i64::from(civil.date().month()) - 1).div_euclid(size))
    };
    Ok(Value::BigInt(count(to)? - count(from)?))
}

fn datepart(part: &str, value: &Value, place: usize) -> Result<Value, String> {
    let Some(moment) = moment(value, place)? else { return Ok(Value::Null) };
    let civil = civil(moment)?;
    let (date, time) = (civil.date(), civil.time());
    let ticks = moment.0.rem_euclid(TICKS_PER_SECOND);
    Ok(Value::BigInt(match part.to_ascii_lowercase().as_str() {
        "year" | "yy" | "yyyy" => date.year().into(),
        "quarter" | "qq" | "q" => (i64::from(date.month()) + 2) / 3,
        "month" | "mm" | "m" => date.month().into(),
        "dayofyear" | "dy" | "y" => date.day_of_year().into(),
        "day" | "dd" | "d" => date.day().into(),
        "weekday" | "dw" | "w" => i64::from(date.weekday().to_sunday_zero_offset()) + 1,
        "hour" | "hh" => time.hour().into(),
        "minute" | "mi" | "n" => time.minute().into(),
        "second" | "ss" | "s" => time.second().into(),
        "millisecond" | "ms" => ticks / TICKS_PER_MILLISECOND,
        "microsecond" | "mcs" => ticks / 10,
        other => return Err(format!("'{other}' is not a date part")),
    }))
}
