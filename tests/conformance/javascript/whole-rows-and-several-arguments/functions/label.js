function main(row) { return `${row.card}: ${row.amount}`; }
