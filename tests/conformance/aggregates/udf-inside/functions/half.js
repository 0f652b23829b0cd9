function main(x) { return x / 2; }
