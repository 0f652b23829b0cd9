function main(x) { return 2 * x; }
