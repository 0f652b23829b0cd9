use super::check;

#[test]
fn a_text_becomes_a_record_or_null() {
    check(
        r#"
        JSON_PARSE | ["{\"id\":\"65191\",\"n\":1,\"x\":1.0,\"a\":[true,null]}"] | {"id": "65191", "n": 1, "x": 1.0, "a": [true, null]}
        JSON_PARSE | ["{}"] | {}
        JSON_PARSE | ["{\"id\":"] | null
        JSON_PARSE | ["[1,2]"] | null
        JSON_PARSE | ["5"] | null
        JSON_PARSE | [""] | null
        JSON_PARSE | [5] | null
        JSON_PARSE | [null] | null
        JSON_PARSE | ["{\"n\":9223372036854775808}"] | null
        ISJSON | ["{\"a\":1}"] | 1
        ISJSON | ["[]"] | 1
        ISJSON | ["5"] | 0
        ISJSON | ["{a:1}"] | 0
        ISJSON | [{"a": 1}] | 1
        ISJSON | [5] | 0
        ISJSON | [null] | null
        "#,
    );
}

#[test]
fn paths_lead_into_documents() {
    check(
        r#"
        JSON_VALUE | ["{\"a\":{\"b\":[10,\"x\"]}}", "$.a.b[1]"] | "x"
        JSON_VALUE | ["{\"a\":{\"b\":[10,true]}}", "$.a.b[0]"] | "10"
        JSON_VALUE | ["{\"a b\":{\"c.d\":true}}", "$.\"a b\".\"c.d\""] | "true"
        JSON_VALUE | [{"a": {"b": 2.5}}, "$.a.b"] | "2.5"
        JSON_VALUE | ["{\"a\":null}", "$.a"] | null
        JSON_VALUE | ["{\"a\":{}}", "$.a"] | null
        JSON_VALUE | ["{\"a\":1}", "lax $.b"] | null
        JSON_VALUE | ["{\"a\":1}", "strict $.b"] | ! Function json_value failed: the path does not lead to a scalar.
        JSON_VALUE | ["{\"a\":1}", "a"] | ! 'a' is not a JSON path
        JSON_VALUE | ["{\"a\":1}", "$..a"] | ! is not a JSON path
        JSON_VALUE | ["{\"a\":1}", "$[x]"] | ! is not a JSON path
        JSON_VALUE | ["{\"a\"", "$.a"] | ! the text is not JSON
        JSON_VALUE | [null, "$.a"] | null
        JSON_VALUE | ["{\"a\":1}", null] | null
        JSON_VALUE | [5, "$.a"] | ! The 1st argument of function json_value has invalid type 'bigint'. Only 'nvarchar(max)', 'record', 'array' is allowed.
        JSON_QUERY | ["{\"a\":{\"b\":[1, 2]}}", "$.a.b"] | "[1,2]"
        JSON_QUERY | ["{ \"a\" : 1 }"] | "{\"a\":1}"
        JSON_QUERY | ["{\"a\":1}", "$.a"] | null
        JSON_QUERY | ["{\"a\":1}", "strict $.a"] | ! does not lead to an object or an array
        JSON_MODIFY | ["{\"a\":1,\"b\":2}", "$.a", "x"] | "{\"a\":\"x\",\"b\":2}"
        JSON_MODIFY | ["{\"a\":1,\"b\":2}", "$.a", null] | "{\"b\":2}"
        JSON_MODIFY | ["{\"a\":1}", "strict $.a", null] | "{\"a\":null}"
        JSON_MODIFY | ["{\"a\":1}", "$.c", 2.5] | "{\"a\":1,\"c\":2.5}"
        JSON_MODIFY | ["{\"a\":1}", "strict $.c", 2.5] | ! the path does not lead to a value
        JSON_MODIFY | ["{\"a\":[1]}", "append $.a", {"b": 2}] | "{\"a\":[1,{\"b\":2}]}"
        JSON_MODIFY | ["{}", "append $.a", 1] | "{\"a\":[1]}"
        JSON_MODIFY | ["{\"a\":[1,2]}", "$.a[1]", {"@": "2025-03-03T10:00:00Z"}] | "{\"a\":[1,\"2025-03-03T10:00:00.0000000Z\"]}"
        JSON_MODIFY | ["{\"a\":[1,2]}", "$.a[7]", 3] | "{\"a\":[1,2]}"
        JSON_MODIFY | ["{\"a\":1}", "$.b.c", 3] | "{\"a\":1}"
        JSON_MODIFY | ["{\"a\":1}", "$", 3] | ! the path must lead into the document
        JSON_MODIFY | [null, "$.a", 3] | null
        "#,
    );
}
