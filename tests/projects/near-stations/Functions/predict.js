function main(speed) {
    return speed * 2;
}
