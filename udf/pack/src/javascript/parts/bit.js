function readBit(row, column) {
    var value = field(row, column);
    if (isAbsent(value)) { absent(column); return 0; }
    if (typeof value !== "boolean") given(column, value);
    return value ? 1 : 0;
}
