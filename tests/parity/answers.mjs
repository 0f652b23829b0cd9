// What a JavaScript runner answers: the bits of every score, the classes, and what odd rows come to. Runs in Node and in a page.

const hex = (score) => {
    const view = new DataView(new ArrayBuffer(8));
    view.setFloat64(0, score);
    return view.getBigUint64(0).toString(16).padStart(16, "0");
};

// JSON has no NaN, no infinity and no undefined.
const revive = (value) => {
    if (value === null || typeof value !== "object" || !("$" in value)) return value;
    return value.$ === "undefined" ? undefined : Number(value.$);
};

const outcome = (udf, row) => {
    const revived = Object.fromEntries(Object.entries(row).map(([name, value]) => [name, revive(value)]));
    try {
        const [score] = udf.score([revived]);
        return { score: hex(score) };
    } catch (error) {
        return { error: error.message };
    }
};

export function answers(udf, request) {
    udf.init();
    const scores = udf.score(request.columns);
    const rows = scores.map((_, row) => Object.fromEntries(Object.entries(request.columns).map(([name, values]) => [name, values[row]])));
    const byRow = udf.score({ data: rows });
    return {
        scores: scores.map(hex),
        same_by_row: byRow.every((score, row) => hex(score) === hex(scores[row])),
        classes: udf.run(request.columns),
        odd: request.odd.map((row) => outcome(udf, row)),
        signature: udf.signature(),
    };
}
