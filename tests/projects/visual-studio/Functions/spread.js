function main() {
    this.init = function () {
        this.low = null;
        this.high = null;
    };
    this.accumulate = function (value, timestamp) {
        this.low = this.low === null ? value : Math.min(this.low, value);
        this.high = this.high === null ? value : Math.max(this.high, value);
    };
    this.computeResult = function () {
        return this.low === null ? null : this.high - this.low;
    };
}
