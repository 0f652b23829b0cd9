function main(amount, limit) { return amount > limit ? 1 : 0; }
