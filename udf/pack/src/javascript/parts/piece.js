// The sum of the piece that a number lies on; the last sum is that of a missing one.
function piece(x, breaks, sums) {
    if (x !== x) return sums[breaks.length + 1];
    var low = 0, high = breaks.length;
    while (low < high) {
        var middle = (low + high) >> 1;
        if (breaks[middle] <= x) low = middle + 1; else high = middle;
    }
    return sums[low];
}
