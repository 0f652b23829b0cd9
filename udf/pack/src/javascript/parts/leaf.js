// A node: feature, threshold, mode, and where it leads: a node's place, or below 0 the leaf ~place.
// Modes: 0 <=, 1 <, 2 >=, 3 >, 4 =, 5 not =; 8 more when a missing feature takes the way for true.
function leaf(forest, at, x) {
    while (at >= 0) {
        var value = x[forest.feature[at]], threshold = forest.threshold[at], mode = forest.mode[at], holds;
        switch (mode & 7) {
        case 0: holds = value <= threshold; break;
        case 1: holds = value < threshold; break;
        case 2: holds = value >= threshold; break;
        case 3: holds = value > threshold; break;
        case 4: holds = value === threshold; break;
        default: holds = value !== threshold;
        }
        at = holds || (mode >= 8 && value !== value) ? forest.yes[at] : forest.no[at];
    }
    return ~at;
}
