function most(x) {
    var found = -Infinity;
    for (var i = 0; i < x.length; i += 1) if (x[i] > found) found = x[i];
    return found;
}
function best(x) {
    var place = 0, found = -Infinity;
    for (var i = 0; i < x.length; i += 1) if (x[i] > found) { place = i; found = x[i]; }
    return place;
}
function total(x, map) {
    var sum = 0;
    for (var i = 0; i < x.length; i += 1) sum += map(x[i]);
    return sum;
}
function over(x, norm) {
    var by = norm === 0 ? 1 : norm;
    return x.map(function (one) { return one / by; });
}
