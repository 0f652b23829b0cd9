function main(value) { return value; }
