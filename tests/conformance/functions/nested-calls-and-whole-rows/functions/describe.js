function main(row) { return { size: Object.keys(row).length, k: row.k }; }
