// e^x as libm computes it (FreeBSD's e_exp.c, by Sun Microsystems), so that every bit is that of the other runners.
function power(n) {
    var value = 1, factor = n < 0 ? 0.5 : 2;
    for (var i = Math.abs(n); i > 0; i -= 1) value *= factor;
    return value;
}
function scaled(x, n) {
    if (n > 1023) { x *= 8.98846567431158e307; n -= 1023; }
    // Not below the least normal number before the last step, so that it is rounded once.
    if (n < -1022) { x *= 2.004168360008973e-292; n += 969; }
    return x * power(n);
}
function exp(x) {
    if (x !== x) return x;
    if (x > 709.782712893383973096) return x * 8.98846567431158e307;
    if (x < -745.13321910194110842) return 0;
    var size = Math.abs(x), hi = x, lo = 0, k = 0;
    if (size >= $HALF_LN2) {
        k = size >= $THREE_HALF_LN2 ? Math.trunc(1.44269504088896338700e+00 * x + (x < 0 ? -0.5 : 0.5)) : (x < 0 ? -1 : 1);
        hi = x - k * 6.93147180369123816490e-01;
        lo = k * 1.90821492927058770002e-10;
        x = hi - lo;
    } else if (size < $TINY) {
        return 1 + x;
    }
    var xx = x * x;
    var c = x - xx * (1.66666666666666019037e-01 + xx * (-2.77777777770155933842e-03 + xx * (6.61375632143793436117e-05
        + xx * (-1.65339022054652515390e-06 + xx * 4.13813679705723846039e-08))));
    var y = 1 + (x * c / (2 - c) - lo + hi);
    return k === 0 ? y : scaled(y, k);
}
