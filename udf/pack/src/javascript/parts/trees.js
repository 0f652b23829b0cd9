function $NAME(forest, x) {
    var sums = forest.start.slice();
    for (var t = 0; t < forest.root.length; t += 1) {
        var targets = forest.targets[t], at = forest.weight[t] + leaf(forest, forest.root[t], x) * targets.length;
        for (var i = 0; i < targets.length; i += 1) {
            var sum = sums[targets[i]], weight = forest.weights[at + i];
            sums[targets[i]] = $COMBINED;
        }
    }
    return sums;
}
