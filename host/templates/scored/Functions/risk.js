// A score from 0 to 1: how far a payment is above its card's limit, and whether it was made abroad. Put your model here, or bind
// the function to one: Functions/Local_risk.json with "FilePath": "fraud.wasm".
function main(payment) {
    const limit = payment.card_limit === null ? 100 : payment.card_limit;
    const above = Math.min(payment.amount / limit, 2) / 2;
    const abroad = payment.foreign_transaction ? 0.25 : 0;
    return Math.min(above * 0.75 + abroad, 1);
}
