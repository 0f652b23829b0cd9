function lookup(x, keys, values, missing, other) {
    if (x !== x) return missing;
    var low = 0, high = keys.length;
    while (low < high) {
        var middle = (low + high) >> 1;
        if (keys[middle] < x) low = middle + 1; else high = middle;
    }
    return low < keys.length && keys[low] === x ? values[low] : other;
}
