function main(nothing) {
    return new Date().toISOString();
}
