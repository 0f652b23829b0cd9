function main() {
  this.init = () => { this.values = []; };
  this.accumulate = value => { this.values.push(value); };
  this.computeResult = () => Math.max(...this.values) - Math.min(...this.values);
}
