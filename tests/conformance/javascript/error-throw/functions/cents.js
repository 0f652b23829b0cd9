function main(amount) {
  return amount.toFixed(2);
}
