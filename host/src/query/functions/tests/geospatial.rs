use super::{Value, builtin, check, value};

#[test]
fn shapes_are_geojson_records_with_longitude_first() {
    check(
        r#"
        CREATEPOINT | [3.0, -10.2] | {"type": "Point", "coordinates": [-10.2, 3.0]}
        CREATEPOINT | [3, 10] | {"type": "Point", "coordinates": [10.0, 3.0]}
        CREATEPOINT | [null, 10.0] | null
        CREATEPOINT | [91.0, 10.0] | ! a latitude of 91 was given, -90 to 90 is expected
        CREATEPOINT | ["3.0", 10.0] | ! The 1st argument of function createpoint has invalid type 'nvarchar(max)'. Only 'bigint', 'float' is allowed.
        CREATELINESTRING | [{"type": "Point", "coordinates": [-10.2, 3.0]}, {"type": "Point", "coordinates": [10.0, 10.0]}] | {"type": "LineString", "coordinates": [[-10.2, 3.0], [10.0, 10.0]]}
        CREATELINESTRING | [{"type": "Point", "coordinates": [-10.2, 3.0]}, null] | null
        CREATELINESTRING | [{"type": "Point", "coordinates": [-10.2, 3.0]}, {"a": 1}] | ! a GeoJSON point is expected
        CREATELINESTRING | [{"type": "Point", "coordinates": [-10.2, 3.0]}, 5] | ! The 2nd argument of function createlinestring has invalid type 'bigint'. Only 'record' is allowed.
        CREATEPOLYGON | [{"type": "Point", "coordinates": [0.0, 0.0]}, {"type": "Point", "coordinates": [1.0, 0.0]}, {"type": "Point", "coordinates": [1.0, 1.0]}, {"type": "Point", "coordinates": [0.0, 0.0]}] | {"type": "Polygon", "coordinates": [[[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 0.0]]]}
        CREATEPOLYGON | [{"type": "Point", "coordinates": [0.0, 0.0]}, {"type": "Point", "coordinates": [1.0, 0.0]}, {"type": "Point", "coordinates": [1.0, 1.0]}, {"type": "Point", "coordinates": [0.5, 0.0]}] | ! the last point must be the first one again
        "#,
    );
}

#[test]
fn relations_of_shapes() {
    check(
        r#"
        ST_WITHIN | [{"type": "Point", "coordinates": [76.6, 10.1]}, {"type": "Polygon", "coordinates": [[[0.0, 0.0], [10.0, 0.0], [10.0, 10.0], [0.0, 10.0], [0.0, 0.0]]]}] | 0
        ST_WITHIN | [{"type": "Point", "coordinates": [15.0, 15.0]}, {"type": "Polygon", "coordinates": [[[10.0, 10.0], [20.0, 10.0], [20.0, 20.0], [10.0, 20.0], [10.0, 10.0]]]}] | 1
        ST_WITHIN | ["POINT(2.3390 48.8652)", "POLYGON((2.33 48.86, 2.34 48.86, 2.34 48.866, 2.33 48.866, 2.33 48.86))"] | 1
        ST_WITHIN | ["POINT(2.3480 48.8630)", "POLYGON((2.33 48.86, 2.34 48.86, 2.34 48.866, 2.33 48.866, 2.33 48.86))"] | 0
        ST_WITHIN | ["POLYGON((1 1, 2 1, 2 2, 1 2, 1 1))", "POLYGON((0 0, 4 0, 4 4, 0 4, 0 0))"] | 1
        ST_WITHIN | ["POLYGON((0 0, 4 0, 4 4, 0 4, 0 0))", "POLYGON((1 1, 2 1, 2 2, 1 2, 1 1))"] | 0
        ST_WITHIN | ["POINT(1.5 1.5)", "POLYGON((0 0, 4 0, 4 4, 0 4, 0 0), (1 1, 2 1, 2 2, 1 2, 1 1))"] | 0
        ST_WITHIN | ["{\"type\":\"Point\",\"coordinates\":[1,1]}", "POLYGON((0 0, 4 0, 4 4, 0 4, 0 0))"] | 1
        ST_WITHIN | [null, "POLYGON((1 1, 2 1, 2 2, 1 2, 1 1))"] | null
        ST_WITHIN | ["POINT(1)", "POLYGON((1 1, 2 1, 2 2, 1 2, 1 1))"] | ! 'POINT(1)' is not a shape in GeoJSON or WKT
        ST_WITHIN | [{"type": "Point"}, "POLYGON((1 1, 2 1, 2 2, 1 2, 1 1))"] | ! the record is not a shape
        ST_WITHIN | [5, "POLYGON((1 1, 2 1, 2 2, 1 2, 1 1))"] | ! The 1st argument of function st_within has invalid type 'bigint'. Only 'record', 'nvarchar(max)' is allowed.
        ST_OVERLAPS | [{"type": "Polygon", "coordinates": [[0.0, 0.0], [10.0, 0.0], [10.0, 10.0], [0.0, 10.0], [0.0, 0.0]]}, {"type": "Polygon", "coordinates": [[30.0, 30.0], [40.0, 30.0], [40.0, 40.0], [30.0, 40.0], [30.0, 30.0]]}] | 0
        ST_OVERLAPS | [{"type": "Polygon", "coordinates": [[0.0, 0.0], [20.0, 0.0], [20.0, 20.0], [0.0, 20.0], [0.0, 0.0]]}, {"type": "Polygon", "coordinates": [[10.0, 10.0], [40.0, 10.0], [40.0, 40.0], [40.0, 20.0], [40.0, 40.0]]}] | 1
        ST_OVERLAPS | ["POLYGON((0 0, 2 0, 2 2, 0 2, 0 0))", "POLYGON((1 1, 3 1, 3 3, 1 3, 1 1))"] | 1
        ST_OVERLAPS | ["POLYGON((0 0, 4 0, 4 4, 0 4, 0 0))", "POLYGON((1 1, 2 1, 2 2, 1 2, 1 1))"] | 0
        ST_OVERLAPS | ["POLYGON((0 0, 1 0, 1 1, 0 1, 0 0))", null] | null
        ST_INTERSECTS | [{"type": "LineString", "coordinates": [[-10.0, 0.0], [0.0, 0.0], [10.0, 0.0]]}, {"type": "LineString", "coordinates": [[0.0, 10.0], [0.0, 0.0], [0.0, -10.0]]}] | 1
        ST_INTERSECTS | [{"type": "LineString", "coordinates": [[-10.0, 0.0], [0.0, 0.0], [10.0, 0.0]]}, {"type": "LineString", "coordinates": [[-10.0, 10.0], [0.0, 10.0], [10.0, 10.0]]}] | 0
        ST_INTERSECTS | ["LINESTRING(0 0, 3 3)", "LINESTRING(0 3, 3 0)"] | 1
        ST_INTERSECTS | ["LINESTRING(-1 1, 5 1)", "POLYGON((0 0, 4 0, 4 4, 0 4, 0 0))"] | 1
        ST_DISTANCE | ["POLYGON((0 0, 1 0, 1 1, 0 1, 0 0))", "POINT(5 5)"] | 0.0
        ST_DISTANCE | ["LINESTRING(0 0, 3 3)", "POINT(5 5)"] | ! a distance is between two points
        ST_DISTANCE | ["POINT(5 5)", null] | null
        ST_DISTANCE | ["POINT(5 5)", "POINT(5 5)"] | 0.0
        "#,
    );
}

#[test]
fn a_distance_is_geodesic_in_metres() {
    let distance = |left: &str, right: &str| {
        let Value::Float(metres) = builtin("ST_DISTANCE").of(&[value(left), value(right)]).unwrap() else { panic!() };
        metres
    };
    // The documented example.
    let metres = distance(r#"{"type":"Point", "coordinates": [-5.0, -5.0]}"#, r#"{"type":"Point", "coordinates": [0.0, 0.0]}"#);
    assert!((metres - 784_028.747_750_182_3).abs() < 1.0, "{metres}");
    // Paris to Lyon.
    let metres = distance(r#""POINT(2.3522 48.8566)""#, r#""POINT(4.8357 45.764)""#);
    assert!((391_000.0..393_000.0).contains(&metres), "{metres}");
}
