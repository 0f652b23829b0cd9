function main(x) { return x; }
