function readBigint(row, column) {
    var value = field(row, column);
    if (isAbsent(value) || (column.missing && value !== value)) { absent(column); return 0; }
    if (typeof value !== "number" || !isWhole(value)) given(column, value);
    return value + 0;
}
