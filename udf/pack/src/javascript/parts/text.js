// The place of a text among the ones that the model knows; their count for any other.
function places(known) {
    var found = {};
    for (var i = known.length - 1; i >= 0; i -= 1) found["$" + known[i]] = i;
    return found;
}
function readText(row, column) {
    var value = field(row, column), missing = isAbsent(value);
    if (missing) { absent(column); value = ""; }
    if (typeof value !== "string") given(column, value);
    if (own.call(column.places, "$" + value)) return column.places["$" + value];
    if (column.closed && !missing) {
        throw new Reject("column '" + column.name + "': '" + short(value) + "' is not one of " + column.known.join(", "));
    }
    return column.known.length;
}
