function readFloat(row, column) {
    var value = field(row, column);
    if (isAbsent(value) || (column.missing && value !== value)) { absent(column); return NaN; }
    if (typeof value !== "number" || !isFinite(value)) given(column, value);
    return value + 0;
}
