function main(s) { return s.length; }
