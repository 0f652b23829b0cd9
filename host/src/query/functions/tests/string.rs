use super::{Value, builtin, check};

#[test]
fn parts_of_texts() {
    check(
        r#"
        LEFT | ["abcdefg", 2] | "ab"
        LEFT | ["abc", 9] | "abc"
        LEFT | ["abc", 0] | ""
        LEFT | ["né😀x", 3] | "né😀"
        LEFT | ["abc", -1] | ! Function left failed: a length of -1 was given, 0 or more is expected.
        LEFT | [null, 1] | null
        LEFT | ["abc", null] | null
        LEFT | [12, 1] | ! The 1st argument of function left has invalid type 'bigint'. Only 'nvarchar(max)' is allowed.
        LEFT | ["abc", "1"] | ! The 2nd argument of function left has invalid type 'nvarchar(max)'. Only 'bigint' is allowed.
        RIGHT | ["abcdefg", 2] | "fg"
        RIGHT | ["né😀x", 2] | "😀x"
        RIGHT | ["abc", 9] | "abc"
        RIGHT | ["abc", 0] | ""
        RIGHT | ["abc", -1] | ! a length of -1
        RIGHT | [null, 1] | null
        SUBSTRING | ["abcdefg", 2, 4] | "bcde"
        SUBSTRING | ["abc", 1, 100] | "abc"
        SUBSTRING | ["abc", 0, 2] | "a"
        SUBSTRING | ["abc", -5, 6] | ""
        SUBSTRING | ["abc", -5, 8] | "ab"
        SUBSTRING | ["abc", 4, 1] | ""
        SUBSTRING | ["abc", 2, 0] | ""
        SUBSTRING | ["né😀x", 2, 2] | "é😀"
        SUBSTRING | ["abc", 2, 9223372036854775807] | "bc"
        SUBSTRING | ["abc", -9223372036854775808, 9223372036854775807] | ""
        SUBSTRING | ["abc", 1, -1] | ! a length of -1
        SUBSTRING | ["abc", null, 1] | null
        STUFF | ["abcdef", 2, 3, "ijklmn"] | "aijklmnef"
        STUFF | ["abcdef", 3, 0, "-"] | "ab-cdef"
        STUFF | ["abcdef", 0, 1, "-"] | "-bcdef"
        STUFF | ["abcdef", 7, 1, "-"] | ""
        STUFF | ["abcdef", 2, 100, "-"] | "a-"
        STUFF | ["né😀x", 3, 1, "!"] | "né!x"
        STUFF | ["abcdef", 2, -1, "-"] | ! a length of -1
        STUFF | ["abcdef", 2, 1, null] | null
        "#,
    );
}

#[test]
fn searching_counts_characters_from_one() {
    check(
        r#"
        CHARINDEX | ["us", "campus"] | 5
        CHARINDEX | ["US", "campus"] | 0
        CHARINDEX | ["a", "abca", 2] | 4
        CHARINDEX | ["a", "abca", 0] | 1
        CHARINDEX | ["a", "abca", -3] | 1
        CHARINDEX | ["a", "abca", 9] | 0
        CHARINDEX | ["x", "né😀x"] | 4
        CHARINDEX | ["", "abc"] | 0
        CHARINDEX | [null, "abc"] | null
        CHARINDEX | ["a", "abc", null] | null
        CHARINDEX | ["a", 7] | ! The 2nd argument of function charindex has invalid type 'bigint'.
        PATINDEX | ["%100%", "AB-100-C"] | 4
        PATINDEX | ["AB%", "AB-100-C"] | 1
        PATINDEX | ["B%", "AB-100-C"] | 0
        PATINDEX | ["%C", "AB-100-C"] | 8
        PATINDEX | ["%B", "AB-100-C"] | 0
        PATINDEX | ["%[0-9][0-9]%", "é-42"] | 3
        PATINDEX | ["%[^A-Z-]%", "AB-1"] | 4
        PATINDEX | ["%1_3%", "0123"] | 2
        PATINDEX | ["%a.c%", "abc a.c"] | 5
        PATINDEX | ["%a%d%", "xxabcdx"] | 3
        PATINDEX | ["abc", "abc"] | 1
        PATINDEX | ["abc", "abcd"] | 0
        PATINDEX | ["%[a%", "xa"] | 0
        PATINDEX | [null, "x"] | null
        PATINDEX | ["%x%", null] | null
        REGEXMATCH | ["AB 123", "[0-9][0-9][0-9]"] | 4
        REGEXMATCH | ["ab", "B"] | 2
        REGEXMATCH | ["né42", "\\d+"] | 3
        REGEXMATCH | ["٣4", "\\d"] | 2
        REGEXMATCH | ["é_", "\\w"] | 2
        REGEXMATCH | ["a\nb", "a.b"] | 1
        REGEXMATCH | ["a\nb", "^b"] | 0
        REGEXMATCH | ["x.y", "[\\w.]+\\.y$"] | 1
        REGEXMATCH | ["a/b", "\\/"] | 2
        REGEXMATCH | ["aéb", "\\u00e9"] | 2
        REGEXMATCH | ["a[b", "[[]"] | 2
        REGEXMATCH | ["pay 20 EUR", "\\d+(?= eur)"] | 5
        REGEXMATCH | ["hello", "(.)\\1"] | 3
        REGEXMATCH | ["abc", "("] | 0
        REGEXMATCH | ["abc", "x"] | 0
        REGEXMATCH | ["abc", ""] | 1
        REGEXMATCH | [null, "x"] | null
        REGEXMATCH | ["x", null] | null
        REGEXMATCH | [5, "x"] | ! The 1st argument of function regexmatch has invalid type 'bigint'.
        "#,
    );
}

#[test]
fn changed_texts() {
    check(
        r#"
        UPPER | ["straße é"] | "STRAßE É"
        UPPER | [null] | null
        UPPER | [5] | ! The 1st argument of function upper has invalid type 'bigint'. Only 'nvarchar(max)' is allowed.
        LOWER | ["ÀB-1"] | "àb-1"
        LOWER | [true] | ! invalid type 'bit'
        LEN | ["till  "] | 4
        LEN | ["né😀"] | 3
        LEN | ["  x"] | 3
        LEN | [""] | 0
        LEN | [null] | null
        LEN | [100] | ! The 1st argument of function len has invalid type 'bigint'.
        TRIM | ["\t\u3000 till 7 \u2028\r\n"] | "till 7"
        TRIM | [null] | null
        TRIM | [1.5] | ! invalid type 'float'
        LTRIM | ["  \u00a0left "] | "left "
        RTRIM | [" right \u2003"] | " right"
        REVERSE | ["abc😀"] | "😀cba"
        REVERSE | [null] | null
        REPLACE | ["abcde", "cd", "xx"] | "abxxe"
        REPLACE | ["cdabcd", "cd", "x"] | "xabx"
        REPLACE | ["abcde", "gh", "xx"] | "abcde"
        REPLACE | ["abcde", "cde", ""] | "ab"
        REPLACE | ["abcde", "", "xxx"] | "abcde"
        REPLACE | ["", "cde", "xxx"] | ""
        REPLACE | [null, "cde", "xxx"] | null
        REPLACE | ["abcde", null, "xxx"] | null
        REPLACE | ["abcde", "cde", null] | null
        REPLACE | ["abcde", 1, "x"] | ! The 2nd argument of function replace has invalid type 'bigint'.
        TRANSLATE | ["2*[3+4]/{7-2}", "[]{}", "()()"] | "2*(3+4)/(7-2)"
        TRANSLATE | ["abc", "ab", "ba"] | "bac"
        TRANSLATE | ["aé", "é", "e"] | "ae"
        TRANSLATE | ["abc", "ab", "x"] | ! Function translate failed: 2 characters are to be replaced by 1; the two must be as many.
        TRANSLATE | ["abc", null, "x"] | null
        REPLICATE | ["0", 4] | "0000"
        REPLICATE | ["ab", 0] | ""
        REPLICATE | ["ab", -1] | null
        REPLICATE | [null, 3] | null
        REPLICATE | ["ab", 4611686018427387904] | ! the result would be longer than 16777216 bytes
        SPACE | [3] | "   "
        SPACE | [-1] | null
        SPACE | [null] | null
        SPACE | [20000000] | ! the result would be longer
        "#,
    );
}

#[test]
fn joined_texts_and_code_points() {
    check(
        r#"
        CONCAT | ["Make: ", "Contoso", ", Model: ", "QRTZX22"] | "Make: Contoso, Model: QRTZX22"
        CONCAT | ["a", null, 5, 1.5, 2.0, true] | "a51.52true"
        CONCAT | [null, null] | ""
        CONCAT | ["at ", {"@": "2025-03-03T10:00:00Z"}] | "at 2025-03-03T10:00:00.0000000Z"
        CONCAT | [{"a": 1}, [2]] | "{\"a\":1}[2]"
        CONCAT_WS | [", ", "1 Way", null, "Redmond", 98052, null] | "1 Way, Redmond, 98052"
        CONCAT_WS | [", ", null, null] | ""
        CONCAT_WS | [null, "a", "b"] | "ab"
        CONCAT_WS | ["-", "", "b"] | "-b"
        CONCAT_WS | [1, "a", "b"] | ! The 1st argument of function concat_ws has invalid type 'bigint'.
        NCHAR | [33590] | "茶"
        NCHAR | [128512] | "😀"
        NCHAR | [1114112] | null
        NCHAR | [-1] | null
        NCHAR | [55296] | null
        NCHAR | [null] | null
        NCHAR | ["65"] | ! The 1st argument of function nchar has invalid type 'nvarchar(max)'. Only 'bigint' is allowed.
        UNICODE | ["茶 tea"] | 33590
        UNICODE | ["😀"] | 128512
        UNICODE | [""] | null
        UNICODE | [null] | null
        "#,
    );
}

#[test]
fn a_text_cannot_fill_the_memory() {
    let megabyte = Value::Text("ab".repeat(1 << 20).into());
    let longer = builtin("REPLACE").of(&[megabyte.clone(), Value::Text("a".into()), Value::Text("c".repeat(100).into())]);
    assert!(longer.unwrap_err().contains("the result would be longer"));
    assert!(builtin("CONCAT").of(&vec![megabyte; 9]).unwrap_err().contains("the result would be longer"));
}
