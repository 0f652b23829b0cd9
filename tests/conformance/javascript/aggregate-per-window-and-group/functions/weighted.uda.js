// Mean of the values, weighted by their position; the last time that was seen.
function main() {
  this.init = function () { this.sum = 0; this.n = 0; this.last = null; };
  this.accumulate = function (value, timestamp) { this.n += 1; this.sum += this.n * value; this.last = timestamp; };
  this.computeResult = function () { return { score: this.sum / this.n, n: this.n, last: this.last }; };
}
