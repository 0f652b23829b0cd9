// The country of an IBAN: its first two letters; 'unknown' when there is none.
function main(iban) {
    if (typeof iban !== 'string' || !/^[A-Za-z]{2}/.test(iban)) {
        return 'unknown';
    }
    return iban.slice(0, 2).toUpperCase();
}
