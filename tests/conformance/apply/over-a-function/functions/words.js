function main(text) { return text.split(' '); }
