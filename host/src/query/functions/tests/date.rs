use super::check;

#[test]
fn parts_have_names_and_abbreviations_without_regard_to_case() {
    check(
        r#"
        DATEPART | ["year", "2025-03-04T17:08:09.1234567Z"] | 2025
        DATEPART | ["YY", "2025-03-04T17:08:09.1234567Z"] | 2025
        DATEPART | ["yyyy", "2025-03-04T17:08:09.1234567Z"] | 2025
        DATEPART | ["quarter", "2025-03-04T17:08:09.1234567Z"] | 1
        DATEPART | ["qq", "2025-10-01T00:00:00Z"] | 4
        DATEPART | ["q", "2025-09-30T00:00:00Z"] | 3
        DATEPART | ["month", "2025-03-04T17:08:09.1234567Z"] | 3
        DATEPART | ["mm", "2025-03-04T17:08:09.1234567Z"] | 3
        DATEPART | ["m", "2025-03-04T17:08:09.1234567Z"] | 3
        DATEPART | ["dayofyear", "2025-03-04T17:08:09.1234567Z"] | 63
        DATEPART | ["dy", "2024-12-31T00:00:00Z"] | 366
        DATEPART | ["y", "2025-01-01T00:00:00Z"] | 1
        DATEPART | ["day", "2025-03-04T17:08:09.1234567Z"] | 4
        DATEPART | ["dd", "2025-03-04T17:08:09.1234567Z"] | 4
        DATEPART | ["d", "2025-03-04T17:08:09.1234567Z"] | 4
        DATEPART | ["week", "2025-01-04T00:00:00Z"] | 1
        DATEPART | ["wk", "2025-01-05T00:00:00Z"] | 2
        DATEPART | ["ww", "2024-12-31T00:00:00Z"] | 53
        DATEPART | ["weekday", "2025-03-02T00:00:00Z"] | 1
        DATEPART | ["dw", "2025-03-08T00:00:00Z"] | 7
        DATEPART | ["w", "2025-03-03T00:00:00Z"] | 2
        DATEPART | ["hour", "2025-03-04T17:08:09.1234567Z"] | 17
        DATEPART | ["hh", "2025-03-04T17:08:09+02:00"] | 15
        DATEPART | ["minute", "2025-03-04T17:08:09.1234567Z"] | 8
        DATEPART | ["mi", "2025-03-04T17:08:09.1234567Z"] | 8
        DATEPART | ["n", "2025-03-04T17:08:09.1234567Z"] | 8
        DATEPART | ["second", "2025-03-04T17:08:09.1234567Z"] | 9
        DATEPART | ["ss", "2025-03-04T17:08:09.1234567Z"] | 9
        DATEPART | ["s", "2025-03-04T17:08:09.1234567Z"] | 9
        DATEPART | ["millisecond", "2025-03-04T17:08:09.1234567Z"] | 123
        DATEPART | ["ms", "2025-03-04T17:08:09.1234567Z"] | 123
        DATEPART | ["microsecond", "2025-03-04T17:08:09.1234567Z"] | 123456
        DATEPART | ["mcs", {"@": "1969-12-31T23:59:59.999999Z"}] | 999999
        DATEPART | ["fortnight", "2025-03-04T17:08:09Z"] | ! 'fortnight' is not a date part
        DATEPART | ["year", null] | null
        DATEPART | ["year", "soon"] | ! 'soon' is not an ISO 8601 date and time
        DATEPART | ["year", 5] | ! The 2nd argument of function datepart has invalid type 'bigint'. Only 'datetime', 'nvarchar(max)' is allowed.
        YEAR | ["2025-03-04T17:08:09Z"] | 2025
        MONTH | [{"@": "2025-03-04T17:08:09Z"}] | 3
        DAY | ["2025-03-04"] | 4
        DAY | [null] | null
        DAY | [4] | ! The 1st argument of function day has invalid type 'bigint'.
        DATENAME | ["month", "2025-03-04T17:08:09Z"] | "March"
        DATENAME | ["dw", "2025-03-04T17:08:09Z"] | "Tuesday"
        DATENAME | ["weekday", "2025-03-02T17:08:09Z"] | "Sunday"
        DATENAME | ["hour", "2025-03-04T17:08:09Z"] | "17"
        DATENAME | ["year", null] | null
        "#,
    );
}

#[test]
fn dates_are_moved() {
    check(
        r#"
        DATEADD | ["hour", 2, "2025-03-03T10:59:30Z"] | {"@": "2025-03-03T12:59:30Z"}
        DATEADD | ["minute", -1, "2025-03-03T00:00:30Z"] | {"@": "2025-03-02T23:59:30Z"}
        DATEADD | ["month", 1, "2025-01-31T10:00:00.1234567Z"] | {"@": "2025-02-28T10:00:00.1234567Z"}
        DATEADD | ["mm", -1, "2024-03-31T10:00:00Z"] | {"@": "2024-02-29T10:00:00Z"}
        DATEADD | ["quarter", 1, "2025-11-30T10:00:00Z"] | {"@": "2026-02-28T10:00:00Z"}
        DATEADD | ["year", 1, "2024-02-29T10:00:00Z"] | {"@": "2025-02-28T10:00:00Z"}
        DATEADD | ["dayofyear", 1, "2025-12-31T10:00:00Z"] | {"@": "2026-01-01T10:00:00Z"}
        DATEADD | ["weekday", 1, "2025-12-31T10:00:00Z"] | {"@": "2026-01-01T10:00:00Z"}
        DATEADD | ["week", 1, "2025-12-31T10:00:00Z"] | {"@": "2026-01-07T10:00:00Z"}
        DATEADD | ["microsecond", 1, "2025-12-31T10:00:00Z"] | {"@": "2025-12-31T10:00:00.000001Z"}
        DATEADD | ["millisecond", 1409313600123, "1970-01-01T00:00:00Z"] | {"@": "2014-08-29T12:00:00.123Z"}
        DATEADD | ["day", 1.9, "2025-03-03T00:00:00Z"] | {"@": "2025-03-04T00:00:00Z"}
        DATEADD | ["day", -1.9, "2025-03-03T00:00:00Z"] | {"@": "2025-03-02T00:00:00Z"}
        DATEADD | ["day", null, "2025-03-03T00:00:00Z"] | null
        DATEADD | ["day", 1, null] | null
        DATEADD | ["day", "1", "2025-03-03T00:00:00Z"] | ! The 2nd argument of function dateadd has invalid type 'nvarchar(max)'. Only 'bigint', 'float' is allowed.
        DATEADD | ["year", 9000, "2025-03-03T00:00:00Z"] | ! not between the years 1 and 9999
        DATEADD | ["year", -2025, "2025-03-03T00:00:00Z"] | ! not between the years 1 and 9999
        DATEADD | ["second", 9223372036854775807, "2025-03-03T00:00:00Z"] | ! not between the years 1 and 9999
        DATEADD | ["month", 9223372036854775807, "2025-03-03T00:00:00Z"] | ! not between the years 1 and 9999
        EOMONTH | ["2024-02-10T12:30:00Z"] | {"@": "2024-02-29T00:00:00Z"}
        EOMONTH | ["2024-01-31T12:30:00Z", 1] | {"@": "2024-02-29T00:00:00Z"}
        EOMONTH | ["2024-01-31T12:30:00Z", -1] | {"@": "2023-12-31T00:00:00Z"}
        EOMONTH | [null] | null
        EOMONTH | ["2024-01-31T12:30:00Z", null] | null
        DATETIMEFROMPARTS | [2025, 3, 3, 12, 30, 15, 250] | {"@": "2025-03-03T12:30:15.25Z"}
        DATETIMEFROMPARTS | [2025, 2, 29, 12, 30, 15, 250] | ! 2025, 2, 29, 12, 30, 15, 250 are not year, month
        DATETIMEFROMPARTS | [2025, 3, 3, 24, 0, 0, 0] | ! are not year, month
        DATETIMEFROMPARTS | [2025, 3, 3, 23, 60, 0, 0] | ! are not year, month
        DATETIMEFROMPARTS | [2025, 3, 3, 23, 59, 59, 1000] | ! are not year, month
        DATETIMEFROMPARTS | [0, 3, 3, 0, 0, 0, 0] | ! not between the years 1 and 9999
        DATETIMEFROMPARTS | [70000, 3, 3, 0, 0, 0, 0] | ! are not year, month
        DATETIMEFROMPARTS | [2025, null, 3, 12, 30, 15, 250] | null
        DATETIMEFROMPARTS | [2025, "3", 3, 12, 30, 15, 250] | ! The 2nd argument of function datetimefromparts has invalid type 'nvarchar(max)'.
        "#,
    );
}

#[test]
fn a_difference_counts_boundaries_not_elapsed_units() {
    check(
        r#"
        DATEDIFF | ["hour", "2025-03-03T10:59:30Z", "2025-03-03T11:01:10Z"] | 1
        DATEDIFF | ["minute", "2025-03-03T10:59:30Z", "2025-03-03T11:01:10Z"] | 2
        DATEDIFF | ["day", "2025-03-03T10:59:30Z", "2025-03-03T11:01:10Z"] | 0
        DATEDIFF | ["day", "2025-03-03T23:59:59.9999999Z", "2025-03-04T00:00:00Z"] | 1
        DATEDIFF | ["year", "2024-12-31T23:59:59Z", "2025-01-01T00:00:00Z"] | 1
        DATEDIFF | ["quarter", "2025-03-31T23:59:59Z", "2025-04-01T00:00:00Z"] | 1
        DATEDIFF | ["month", "2025-03-01T00:00:00Z", "2024-12-31T00:00:00Z"] | -3
        DATEDIFF | ["week", "2025-03-01T23:00:00Z", "2025-03-02T01:00:00Z"] | 1
        DATEDIFF | ["week", "2025-03-03T23:00:00Z", "2025-03-08T01:00:00Z"] | 0
        DATEDIFF | ["weekday", "2025-03-03T23:00:00Z", "2025-03-08T01:00:00Z"] | 5
        DATEDIFF | ["dayofyear", "2025-03-03T23:00:00Z", "2025-03-08T01:00:00Z"] | 5
        DATEDIFF | ["second", "1969-12-31T23:59:59.5Z", "1970-01-01T00:00:00Z"] | 1
        DATEDIFF | ["millisecond", "2025-03-03T10:00:00Z", "2025-03-03T10:00:01.0019999Z"] | 1001
        DATEDIFF | ["microsecond", "2025-03-03T10:00:00Z", "2025-03-03T10:00:00.0000019Z"] | 1
        DATEDIFF_BIG | ["mcs", "0001-01-01T00:00:00Z", "9999-12-31T00:00:00Z"] | 315537811200000000
        DATEDIFF | ["mi", {"@": "2025-03-03T10:59:30Z"}, "2025-03-03T10:58:31Z"] | -1
        DATEDIFF | ["day", null, "2025-03-03T10:58:31Z"] | null
        DATEDIFF | ["day", "2025-03-03T10:58:31Z", null] | null
        DATEDIFF | ["day", "2025-03-03T10:58:31Z", true] | ! The 3rd argument of function datediff has invalid type 'bit'.
        ISDATE | ["2025-03-03"] | 1
        ISDATE | ["2025-02-30"] | 0
        ISDATE | [{"@": "2025-03-03T00:00:00Z"}] | 1
        ISDATE | [5] | 0
        ISDATE | [null] | 0
        "#,
    );
}
