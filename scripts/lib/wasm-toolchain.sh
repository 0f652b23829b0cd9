# Sourced. `wasm_cargo ARGS…` is a cargo that can build for wasm32-unknown-unknown, with whatever it takes on this machine.

wasm_target=wasm32-unknown-unknown

wasm_has_std() { [ -d "$(rustc --print sysroot)/lib/rustlib/$wasm_target/lib" ]; }

# Debian carries a compiler that builds the standard library for wasm from source: for machines that cannot reach rustup's server.
wasm_has_debian() { [ -x /usr/bin/rustc ] && [ -x /usr/bin/cargo ] && [ -d /usr/lib/rustlib/src ] || [ -d /usr/src/rustc-"$(/usr/bin/rustc -V 2>/dev/null | cut -d' ' -f2)" ]; }

wasm_toolchain() {
    wasm_has_std && return
    echo "Adding Rust's $wasm_target target, for the function's .wasm (rustup target add)." >&2
    if rustup target add "$wasm_target" >&2 && wasm_has_std; then return; fi
    if [ "$(uname)" = Linux ] && command -v apt-get >/dev/null; then
        wasm_has_debian && return
        echo "rustup cannot fetch it; installing Debian's rustc-web instead, which builds the target's library from source." >&2
        local sudo=; [ "$(id -u)" = 0 ] || sudo=sudo
        $sudo apt-get install -y --no-install-recommends rustc-web cargo-web rust-web-src >&2 && wasm_has_debian && return
    fi
    echo "error: no Rust target $wasm_target. Run 'rustup target add $wasm_target' and try again." >&2
    return 1
}

wasm_cargo() {
    local command=$1; shift
    if wasm_has_std; then cargo "$command" --target "$wasm_target" "$@"; return; fi
    local linker; linker=$(find "$(rustc --print sysroot)/lib/rustlib" -name rust-lld -type f | head -n 1)
    # RUSTC_BOOTSTRAP: -Zbuild-std is for nightly compilers unless told otherwise.
    RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER="$linker" \
        /usr/bin/cargo "$command" --target "$wasm_target" -Zbuild-std=std,panic_abort "$@"
}
