use super::check;

#[test]
fn the_result_keeps_the_type_of_the_argument() {
    check(
        r#"
        ABS | [-3] | 3
        ABS | [-3.5] | 3.5
        ABS | [null] | null
        ABS | [-9223372036854775808] | ! Function abs failed: the result does not fit bigint.
        ABS | ["-3"] | ! The 1st argument of function abs has invalid type 'nvarchar(max)'. Only 'bigint', 'float' is allowed.
        ABS | [true] | ! invalid type 'bit'
        CEILING | [2] | 2
        CEILING | [2.1] | 3.0
        CEILING | [-2.9] | -2.0
        FLOOR | [2] | 2
        FLOOR | [2.9] | 2.0
        FLOOR | [-2.1] | -3.0
        FLOOR | [null] | null
        FLOOR | [{"a": 1}] | ! The 1st argument of function floor has invalid type 'record'.
        SIGN | [-7] | -1
        SIGN | [0] | 0
        SIGN | [0.0] | 0.0
        SIGN | [2.5] | 1.0
        SIGN | [null] | null
        POWER | [2, 10] | 1024
        POWER | [-2, 3] | -8
        POWER | [2, -1] | 0
        POWER | [2, 0.5] | 1
        POWER | [2.0, 3] | 8.0
        POWER | [2.0, 0.5] | 1.4142135623730951
        POWER | [2, 63] | ! the result does not fit bigint
        POWER | [-1.0, 0.5] | ! it is not defined for -1, 0.5
        POWER | [10.0, 400] | ! out of the range of float
        POWER | [null, 2] | null
        POWER | [2, null] | null
        POWER | ["x", 2] | ! The 1st argument of function power has invalid type 'nvarchar(max)'.
        "#,
    );
}

#[test]
fn halves_are_rounded_away_from_zero() {
    check(
        r#"
        ROUND | [1, 0] | 1
        ROUND | [0, 0] | 0
        ROUND | [-1, 0] | -1
        ROUND | [1.0, 0] | 1.0
        ROUND | [0.5, 0] | 1.0
        ROUND | [-0.5, 0] | -1.0
        ROUND | [1.234, 2] | 1.23
        ROUND | [1.234, 10] | 1.234
        ROUND | [123.4, -1] | 120.0
        ROUND | [123.4, -10] | 0.0
        ROUND | [501.0101, -3] | 1000.0
        ROUND | [123.9995, 3] | 124.0
        ROUND | [0.125, 2] | 0.13
        ROUND | [748.58, 12] | 748.58
        ROUND | [748.58, 400] | 748.58
        ROUND | [1e300, -400] | 0.0
        ROUND | [1e300, 5] | 1e300
        ROUND | [15, -1] | 20
        ROUND | [-15, -1] | -20
        ROUND | [14, -1] | 10
        ROUND | [748, -8] | 0
        ROUND | [9223372036854775807, -1] | ! the result does not fit bigint
        ROUND | [9223372036854775807, -18] | 9000000000000000000
        ROUND | [9223372036854775807, -40] | 0
        ROUND | [null, 2] | null
        ROUND | [1.5, null] | null
        ROUND | ["n/a", 2] | ! The 1st argument of function round has invalid type 'nvarchar(max)'. Only 'bigint', 'float' is allowed.
        ROUND | [1.5, 1.0] | ! The 2nd argument of function round has invalid type 'float'. Only 'bigint' is allowed.
        "#,
    );
}

#[test]
fn functions_of_a_float_take_what_converts_to_one() {
    check(
        r#"
        EXP | [0] | 1.0
        EXP | [710] | ! out of the range of float
        SQRT | [16] | 4.0
        SQRT | ["2.25"] | 1.5
        SQRT | ["x"] | ! The 1st argument of function sqrt has invalid type 'nvarchar(max)'.
        SQRT | [-1] | ! it is not defined for -1
        SQRT | [null] | null
        SQUARE | [3] | 9.0
        SQUARE | [1.5] | 2.25
        SQUARE | [[1]] | ! invalid type 'array'
        LOG | [1] | 0.0
        LOG | [8, 2] | 3.0
        LOG | [0] | ! out of the range of float
        LOG | [-1] | ! it is not defined
        LOG | [null, 2] | null
        LOG10 | [1000] | 3.0
        PI | [] | 3.141592653589793
        DEGREES | [0] | 0.0
        RADIANS | [180] | 3.141592653589793
        COS | [0] | 1.0
        SIN | [0] | 0.0
        TAN | [0] | 0.0
        ACOS | [1] | 0.0
        ACOS | [2] | ! it is not defined for 2
        ASIN | [0] | 0.0
        ATAN | [0] | 0.0
        ATN2 | [1, 1] | 0.7853981633974483
        ATN2 | [1, null] | null
        COT | [0.7853981633974483] | 1.0000000000000002
        COT | [0] | ! out of the range of float
        "#,
    );
}
