use super::check;

#[test]
fn casts_convert_or_fail_with_the_types_named() {
    check(
        r#"
        CAST bigint | [7] | 7
        CAST bigint | [7.9] | 7
        CAST bigint | [-7.9] | -7
        CAST bigint | [true] | 1
        CAST bigint | [" 42 "] | 42
        CAST bigint | ["-9223372036854775808"] | -9223372036854775808
        CAST bigint | ["9223372036854775808"] | ! to type 'bigint'
        CAST bigint | [9.3e18] | ! to type 'bigint'
        CAST bigint | ["1O5"] | ! Unable to cast value "1O5" of type 'nvarchar(max)' to type 'bigint'. TRY_CAST gives NULL instead.
        CAST bigint | ["12.5"] | ! Unable to cast value "12.5"
        CAST bigint | [""] | ! Unable to cast value "" of type
        CAST bigint | [{"@": "2025-03-03T00:00:00Z"}] | ! of type 'datetime' to type 'bigint'
        CAST bigint | [null] | null
        TRY_CAST bigint | ["1O5"] | null
        TRY_CAST bigint | [{"a": 1}] | null
        CAST float | [2] | 2.0
        CAST float | [true] | 1.0
        CAST float | [false] | 0.0
        CAST float | [" 1.5e3 "] | 1500.0
        CAST float | ["1,5"] | ! to type 'float'
        TRY_CAST float | ["NaN"] | null
        TRY_CAST float | ["Infinity"] | null
        TRY_CAST float | ["1e999"] | null
        CAST nvarchar | ["x"] | "x"
        CAST nvarchar | [12] | "12"
        CAST nvarchar | [95.0] | "95"
        CAST nvarchar | [0.1] | "0.1"
        CAST nvarchar | [-0.00001] | "-0.00001"
        CAST nvarchar | [0.000001] | "1E-06"
        CAST nvarchar | [1e15] | "1E+15"
        CAST nvarchar | [1.5e300] | "1.5E+300"
        CAST nvarchar | [123456789012345.0] | "123456789012345"
        CAST nvarchar | [true] | "true"
        CAST nvarchar | [{"@": "2025-03-03T10:00:00.25Z"}] | "2025-03-03T10:00:00.2500000Z"
        CAST nvarchar | [{"a": [1, "b", null, 2.0]}] | "{\"a\":[1,\"b\",null,2.0]}"
        CAST datetime | ["2014-09-10 12:00:00"] | {"@": "2014-09-10T12:00:00Z"}
        CAST datetime | ["2014-09-10"] | {"@": "2014-09-10T00:00:00Z"}
        CAST datetime | ["2014-09-10T12:00:00.1234567+02:00"] | {"@": "2014-09-10T10:00:00.1234567Z"}
        CAST datetime | ["soon"] | ! Unable to cast value "soon" of type 'nvarchar(max)' to type 'datetime'.
        CAST datetime | [1409313600] | ! of type 'bigint' to type 'datetime'
        TRY_CAST datetime | ["2014-13-10"] | null
        CAST bit | [0] | false
        CAST bit | [-3] | true
        CAST bit | [0.0] | false
        CAST bit | [0.1] | true
        CAST bit | ["TRUE"] | true
        CAST bit | ["false"] | false
        CAST bit | ["null"] | null
        CAST bit | ["1"] | true
        CAST bit | ["yes"] | ! to type 'bit'
        CAST bit | [null] | null
        CAST record | [{"a": 1}] | {"a": 1}
        CAST record | [[1]] | ! of type 'array' to type 'record'
        TRY_CAST array | [{}] | null
        CAST array | [[1, "a"]] | [1, "a"]
        CAST array | ["[1]"] | ! of type 'nvarchar(max)' to type 'array'
        GETTYPE | [1] | "bigint"
        GETTYPE | [1.0] | "float"
        GETTYPE | ["x"] | "nvarchar(max)"
        GETTYPE | [true] | "bit"
        GETTYPE | [{"@": "2025-03-03T00:00:00Z"}] | "datetime"
        GETTYPE | [{"a": 1}] | "record"
        GETTYPE | [[]] | "array"
        GETTYPE | [null] | null
        "#,
    );
}

#[test]
fn a_long_value_is_cut_in_the_message() {
    let message = super::builtin("CAST bigint").of(&[super::Value::Text("é".repeat(5000).into())]).unwrap_err();
    assert!(message.len() < 400 && message.contains('…'), "{message}");
}

#[test]
fn columns_of_mixed_values_are_cast_value_by_value() {
    use super::{Column, Value};
    let column = Column::from_values([Value::Text("1.5".into()), Value::BigInt(2), Value::Null, Value::Text("free".into())]);
    let cast = super::builtin("TRY_CAST float").over(std::slice::from_ref(&column), 4).unwrap();
    let values: Vec<_> = (0..4).map(|row| cast.value(row)).collect();
    assert_eq!(values, [Value::Float(1.5), Value::Float(2.0), Value::Null, Value::Null]);
    assert_eq!(super::builtin("CAST float").over(&[column], 4).unwrap_err().row, 3);
    // The same over a column of texts alone, which has a quicker way.
    let column = Column::from_values(["1.5", "free"].map(|text| Value::Text(text.into())));
    assert_eq!(super::builtin("CAST float").over(&[column], 2).unwrap_err().row, 1);
}
