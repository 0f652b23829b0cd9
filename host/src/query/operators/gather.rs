//! Rows from several batches into one: the columnar way to join and to look back.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, new_null_array};
use arrow_select::interleave::interleave;

use crate::batch::{Column, ColumnBuilder};

/// A row to gather: chunk and row.
pub(super) type Pick = (usize, usize);
/// A pick of nothing: null in every column.
pub(super) const NOTHING: Pick = (usize::MAX, 0);

/// The picked rows of a column whose chunks are `chunks`.
pub(super) fn gather(chunks: &[&Column], picks: &[Pick]) -> Column {
    let Some(first) = chunks.iter().find(|chunk| !matches!(chunk, Column::Null(_))) else {
        return Column::Null(picks.len());
    };
    if picks.is_empty() {
        return Column::Null(0);
    }
    if let ([only], Some(rows)) = (chunks, rows_of_one(picks)) {
        return only.take(&rows);
    }
    typed(first, chunks, picks).unwrap_or_else(|| by_value(chunks, picks))
}

/// The rows when all picks are of chunk 0.
fn rows_of_one(picks: &[Pick]) -> Option<Vec<u32>> {
    picks.iter().map(|(chunk, row)| (*chunk == 0).then_some(*row as u32)).collect()
}

/// `None` when the chunks have several types.
fn typed(first: &Column, chunks: &[&Column], picks: &[Pick]) -> Option<Column> {
    let kind = std::mem::discriminant(first);
    let of_kind = |chunk: &&Column| matches!(chunk, Column::Null(_)) || std::mem::discriminant(*chunk) == kind;
    let data_type = first.array()?.data_type();
    if !chunks.iter().all(of_kind) {
        return None;
    }
    // The last array stands for every pick of nothing and for chunks without any value.
    let nothing: ArrayRef = new_null_array(data_type, 1);
    let arrays: Vec<&dyn Array> = chunks.iter().map(|chunk| chunk.array().unwrap_or(&nothing)).chain([&*nothing as &dyn Array]).collect();
    let last = chunks.len();
    let is_nothing = |pick: &Pick| *pick == NOTHING || matches!(chunks[pick.0], Column::Null(_));
    let joined = if picks.iter().any(is_nothing) {
        let picks: Vec<Pick> = picks.iter().map(|pick| if is_nothing(pick) { (last, 0) } else { *pick }).collect();
        interleave(&arrays, &picks)
    } else {
        interleave(&arrays, picks)
    };
    let joined = joined.ok()?;
    let any = joined.as_any();
    match first {
        Column::Bit(_) => any.downcast_ref().cloned().map(Column::Bit),
        Column::BigInt(_) => any.downcast_ref().cloned().map(Column::BigInt),
        Column::DateTime(_) => any.downcast_ref().cloned().map(Column::DateTime),
        Column::Float(_) => any.downcast_ref().cloned().map(Column::Float),
        Column::Text(_) => any.downcast_ref().cloned().map(Column::Text),
        Column::Null(_) | Column::Mixed(_) => None,
    }
}

fn by_value(chunks: &[&Column], picks: &[Pick]) -> Column {
    let mut builder = ColumnBuilder::with_capacity(picks.len());
    for (chunk, row) in picks {
        match chunks.get(*chunk) {
            Some(column) => builder.push(column.value(*row)),
            None => builder.push_null(),
        }
    }
    builder.finish()
}

/// A batch to gather from: names, columns, rows.
pub(super) type Part<'a> = (&'a [Arc<str>], &'a [Column], usize);

/// Adds the names that are not there yet, in their order.
pub(super) fn add_names(known: &mut Vec<Arc<str>>, names: &[Arc<str>]) {
    if **known == *names {
        return;
    }
    for name in names {
        if !known.contains(name) {
            known.push(Arc::clone(name));
        }
    }
}

/// The picked rows of several batches: the columns of these names. A column that a batch has not is null there.
pub(super) fn gather_named(names: &[Arc<str>], parts: &[Part<'_>], picks: &[Pick]) -> Vec<Column> {
    let absent: Vec<Column> = parts.iter().map(|(.., rows)| Column::Null(*rows)).collect();
    let alike: Vec<bool> = parts.iter().map(|(own, ..)| *own == names).collect();
    let column = |(place, name): (usize, &Arc<str>)| {
        let mut chunks: Vec<&Column> = Vec::with_capacity(parts.len());
        for (part, (own, columns, _)) in parts.iter().enumerate() {
            let place = if alike[part] { Some(place) } else { own.iter().position(|known| known == name) };
            chunks.push(place.map_or(&absent[part], |place| &columns[place]));
        }
        gather(&chunks, picks)
    };
    names.iter().enumerate().map(column).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::Value;

    #[test]
    fn rows_of_chunks_of_one_type_stay_an_array_and_nothing_is_null() {
        let (left, right) = (Column::BigInt(vec![1, 2].into()), Column::BigInt(vec![3].into()));
        let gathered = gather(&[&left, &right, &Column::Null(4)], &[(1, 0), NOTHING, (0, 1), (2, 3)]);
        assert_eq!(gathered, Column::BigInt(vec![Some(3), None, Some(2), None].into()));
    }

    #[test]
    fn rows_of_several_types_keep_their_values() {
        let (left, right) = (Column::BigInt(vec![1].into()), Column::Text(vec!["x"].into()));
        let gathered = gather(&[&left, &right], &[(1, 0), (0, 0), NOTHING]);
        let values: Vec<Value> = (0..3).map(|row| gathered.value(row)).collect();
        assert_eq!(values, [Value::Text("x".into()), Value::BigInt(1), Value::Null]);
    }

    #[test]
    fn columns_meet_by_name() {
        let (a, b): ([Arc<str>; 2], [Arc<str>; 2]) = (["x".into(), "y".into()], ["y".into(), "z".into()]);
        let one = |value: i64| Column::BigInt(vec![value].into());
        let (first, second) = ([one(1), one(2)], [one(3), one(4)]);
        let mut names = a.to_vec();
        add_names(&mut names, &b);
        assert_eq!(names, ["x".into(), "y".into(), "z".into()]);
        let columns = gather_named(&names, &[(&a, &first, 1), (&b, &second, 1)], &[(1, 0), (0, 0)]);
        assert_eq!(columns[1], Column::BigInt(vec![3, 2].into()));
        assert_eq!(columns[2], Column::BigInt(vec![Some(4), None].into()));
    }
}
