//! Points, lines and areas on the globe: GeoJSON records, or texts in WKT. Coordinates are longitude, latitude in degrees.
//!
//! Distances are geodesic (WGS 84), in metres. ST_OVERLAPS, ST_INTERSECTS and ST_WITHIN work on plane coordinates, as
//! Stream Analytics does from compatibility level 1.2 on.

use std::sync::Arc;

use geo::{Coord, Distance, Geodesic, Geometry, Intersects, LineString, MultiPolygon, Point, Polygon, Relate};
use wkt::TryFromWkt;

use super::value::{fail, field, number, record, wrong};
use super::{ANY, Builtin, Wrong};
use crate::batch::{Record, Value, read_json};

pub(super) const TABLE: &[Builtin] = &[
    Builtin::new("CREATELINESTRING", (2, ANY), |values| line(values, 2, |points| shape("LineString", points))),
    Builtin::new("CREATEPOINT", (2, 2), point),
    Builtin::new("CREATEPOLYGON", (4, ANY), |values| {
        if let (Some(first), Some(last)) = (values.first(), values.last())
            && !first.is_null()
            && !last.is_null()
            && first != last
        {
            return fail("the last point must be the first one again");
        }
        line(values, 4, |points| shape("Polygon", Value::Array([points].into())))
    }),
    Builtin::new("ST_DISTANCE", (2, 2), |values| {
        both(values, |left, right| match (left, right) {
            (Geometry::Point(left), Geometry::Point(right)) => Ok(Value::Float(Geodesic.distance(*left, *right))),
            (Geometry::Polygon(_) | Geometry::MultiPolygon(_), _) | (_, Geometry::Polygon(_) | Geometry::MultiPolygon(_)) => {
                Ok(Value::Float(0.0))
            }
            _ => fail("a distance is between two points"),
        })
    }),
    Builtin::new("ST_INTERSECTS", (2, 2), |values| both(values, |left, right| Ok(truth(left.intersects(right))))),
    Builtin::new("ST_OVERLAPS", (2, 2), |values| both(values, |left, right| Ok(truth(left.relate(right).is_overlaps())))),
    Builtin::new("ST_WITHIN", (2, 2), |values| both(values, |left, right| Ok(truth(left.relate(right).is_within())))),
];

const SHAPE: &[&str] = &["record", "nvarchar(max)"];

fn truth(holds: bool) -> Value {
    Value::BigInt(holds.into())
}

fn shape(kind: &str, coordinates: Value) -> Value {
    Value::Record(Arc::new(vec![("type".into(), Value::Text(kind.into())), ("coordinates".into(), coordinates)]))
}

/// Latitude first.
fn point(values: &[Value]) -> Result<Value, Wrong> {
    let (Some(latitude), Some(longitude)) = (number(values, 0)?, number(values, 1)?) else { return Ok(Value::Null) };
    if !(-90.0..=90.0).contains(&latitude) {
        return fail(format!("a latitude of {latitude} was given, -90 to 90 is expected"));
    }
    Ok(shape("Point", Value::Array([Value::Float(longitude), Value::Float(latitude)].into())))
}

/// The coordinates of points, one after the other.
fn line(values: &[Value], fewest: usize, of: fn(Value) -> Value) -> Result<Value, Wrong> {
    if values.len() < fewest {
        return fail(format!("{} points were given, at least {fewest} are needed", values.len()));
    }
    let mut points = Vec::with_capacity(values.len());
    for place in 0..values.len() {
        let Some(fields) = record(values, place)? else { return Ok(Value::Null) };
        match (kind(fields), field(fields, "coordinates")) {
            (Some("Point"), Some(coordinates @ Value::Array(_))) => points.push(coordinates.clone()),
            _ => return fail("a GeoJSON point is expected, as CreatePoint makes it"),
        }
    }
    Ok(of(Value::Array(points.into())))
}

fn kind(fields: &Record) -> Option<&str> {
    match field(fields, "type") {
        Some(Value::Text(kind)) => Some(kind),
        _ => None,
    }
}

fn both(values: &[Value], of: fn(&Geometry, &Geometry) -> Result<Value, Wrong>) -> Result<Value, Wrong> {
    match (geometry(values, 0)?, geometry(values, 1)?) {
        (Some(left), Some(right)) => of(&left, &right),
        _ => Ok(Value::Null),
    }
}

fn geometry(values: &[Value], place: usize) -> Result<Option<Geometry>, Wrong> {
    let no_shape = |what: &str| Wrong::Value(format!("{what} is not a shape in GeoJSON or WKT"));
    let found = match &values[place] {
        Value::Null => return Ok(None),
        Value::Record(fields) => read(fields).ok_or_else(|| no_shape("the record"))?,
        Value::Text(text) if text.trim_start().starts_with('{') => match read_json(text) {
            Some(Value::Record(fields)) => read(&fields).ok_or_else(|| no_shape(text))?,
            _ => return Err(no_shape(text)),
        },
        Value::Text(text) => Geometry::try_from_wkt_str(text).map_err(|_| no_shape(&format!("'{text}'")))?,
        _ => return wrong(values, place, SHAPE),
    };
    Ok(Some(found))
}

fn read(fields: &Record) -> Option<Geometry> {
    let Some(Value::Array(coordinates)) = field(fields, "coordinates") else { return None };
    Some(match kind(fields)? {
        "Point" => Geometry::Point(Point(coordinate(coordinates)?)),
        "LineString" => Geometry::LineString(points(coordinates)?),
        "Polygon" => Geometry::Polygon(polygon(coordinates)?),
        "MultiPolygon" => {
            let polygons = coordinates.iter().map(|area| if let Value::Array(rings) = area { polygon(rings) } else { None });
            Geometry::MultiPolygon(MultiPolygon(polygons.collect::<Option<_>>()?))
        }
        _ => return None,
    })
}

fn coordinate(numbers: &[Value]) -> Option<Coord> {
    let number = |value: &Value| match value {
        Value::Float(value) => Some(*value),
        Value::BigInt(value) => Some(*value as f64),
        _ => None,
    };
    Some(Coord { x: number(numbers.first()?)?, y: number(numbers.get(1)?)? })
}

fn points(coordinates: &[Value]) -> Option<LineString> {
    let points = coordinates.iter().map(|point| if let Value::Array(numbers) = point { coordinate(numbers) } else { None });
    let points: Vec<Coord> = points.collect::<Option<_>>()?;
    (points.len() >= 2).then_some(LineString(points))
}

/// An outer ring and holes; the outer ring alone may stand without its brackets.
fn polygon(coordinates: &[Value]) -> Option<Polygon> {
    if let Some(ring) = points(coordinates) {
        return Some(Polygon::new(ring, Vec::new()));
    }
    let rings = coordinates.iter().map(|ring| if let Value::Array(ring) = ring { points(ring) } else { None });
    let mut rings = rings.collect::<Option<Vec<_>>>()?.into_iter();
    Some(Polygon::new(rings.next()?, rings.collect()))
}
