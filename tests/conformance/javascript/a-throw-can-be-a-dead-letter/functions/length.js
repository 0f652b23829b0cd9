function main(text) { return text.length; }
