// How one value fits one column: the rules, and the words, are those of every other runner of the model.
function Reject(reason) { this.reason = reason; }
var own = Object.prototype.hasOwnProperty;
var kindOf = Object.prototype.toString;
function lower(name) {
    return name.replace(/[A-Z]+/g, function (letters) { return letters.toLowerCase(); });
}
function field(row, column) {
    // What every object has is no column.
    if ((own.call(row, column.name) || !(column.name in {})) && row[column.name] !== undefined) return row[column.name];
    var wanted = lower(column.name), names = Object.keys(row);
    for (var i = 0; i < names.length; i += 1) {
        if (lower(names[i]) === wanted) return row[names[i]];
    }
    return undefined;
}
function isWhole(value) {
    return Math.floor(value) === value && Math.abs(value) <= 9007199254740992;
}
function short(text) {
    var letters = Array.from(text);
    return letters.length <= 40 ? text : letters.slice(0, 40).join("") + "\u2026";
}
// A number without an exponent.
function plain(value) {
    if (value !== value) return "NaN";
    if (value === Infinity) return "inf";
    if (value === -Infinity) return "-inf";
    var sign = value < 0 ? "-" : "", parts = String(Math.abs(value)).split("e");
    if (parts.length === 1) return sign + parts[0];
    var exponent = Number(parts[1]), digits = parts[0].split("."), text = digits[0] + (digits[1] || "");
    if (exponent < 0) return sign + "0." + "0".repeat(-exponent - 1) + text;
    return sign + text + "0".repeat(exponent - (digits[1] || "").length);
}
function described(value) {
    switch (typeof value) {
    case "boolean": return "bit " + value;
    case "number": return isWhole(value) ? "bigint " + plain(value + 0) : "float " + plain(value);
    case "string": return "text '" + short(value) + "'";
    case "function": return "function";
    case "object":
        switch (kindOf.call(value)) {
        case "[object Array]": return "array";
        case "[object Date]": return "datetime";
        default: return "record";
        }
    default: return typeof value;
    }
}
function given(column, value) {
    throw new Reject("column '" + column.name + "': " + column.type + " is expected, " + described(value) + " was given");
}
function absent(column) {
    if (column.missing) return;
    throw new Reject("column '" + column.name + "': " + column.type + " is expected, no value was given");
}
function isAbsent(value) { return value === undefined || value === null; }
