// With a limit, what is nearer to 0 than it counts as nothing.
function softmax(x, limit) {
    var top = most(x), sum = 0;
    var parts = x.map(function (one) {
        if (limit > 0 && !(Math.abs(one) > limit)) return one * exp(-top);
        var part = exp(one - top);
        sum += part;
        return part;
    });
    return parts.map(function (part) { return part / sum; });
}
