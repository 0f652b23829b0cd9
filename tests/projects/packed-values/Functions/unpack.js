function main(text) {
    const parts = [];
    text.split(',').forEach((part) => {
        const [name, value] = part.split('=');
        parts.push({ name: name.trim(), reading: { value: Number(value), unit: value.endsWith('0') ? 'low' : 'high' } });
    });
    return parts;
}
