function main(nothing) {
    return '2025-01-01T00:00:03Z';
}
