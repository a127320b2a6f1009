# Sourced by ./demo and ./test. Finds what a command needs and installs it if possible
# (as root on Debian or Ubuntu); otherwise prints exactly what to type.

say()  { printf '%s\n' "$*" >&2; }
fail() { say "error: $1"; [ $# -lt 2 ] || say "  cure: $2"; exit 1; }

# need COMMAND PACKAGE...: remembers PACKAGEs if COMMAND is not on the PATH.
missing_packages=()
need() {
    local command=$1; shift
    command -v "$command" >/dev/null 2>&1 || [ -x "/usr/sbin/$command" ] || missing_packages+=("$@")
}

need_libclang() {
    [ -n "${LIBCLANG_PATH:-}" ] && return
    compgen -G '/usr/lib/llvm-*/lib/libclang*.so*' >/dev/null ||
        compgen -G '/usr/lib/*/libclang*.so*' >/dev/null ||
        missing_packages+=(libclang-dev)
}

need_cargo() {
    command -v cargo >/dev/null 2>&1 && return
    [ -x "$HOME/.cargo/bin/cargo" ] && PATH="$HOME/.cargo/bin:$PATH" && return
    fail "cargo, the Rust build tool, is not on the PATH" \
         "install Rust with rustup (https://rustup.rs), then open a new shell"
}

need_python_venv() {
    python3 -c 'import ensurepip, venv' 2>/dev/null || missing_packages+=(python3 python3-venv)
}

# Installs the packages remembered by need, or prints how to.
install_missing() {
    [ ${#missing_packages[@]} -eq 0 ] && return
    local list="${missing_packages[*]}"
    missing_packages=()
    if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null 2>&1; then
        say "Installing Debian packages: $list"
        apt-get update -qq >&2 || say "warning: the package lists could not be refreshed"
        # shellcheck disable=SC2086 # a list of words on purpose
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $list >&2 ||
            fail "apt-get could not install: $list" "install them manually, then run this again"
    else
        fail "these packages are missing: $list" \
             "sudo apt-get update && sudo apt-get install -y $list"
    fi
}

# Requirements of a cold build of the simulated Thread network.
need_build_tools() {
    need_cargo
    # The generated OpenThread bindings are formatted.
    command -v rustfmt >/dev/null 2>&1 && rustfmt --version >/dev/null 2>&1 ||
        fail "rustfmt is missing from the Rust toolchain" "rustup component add rustfmt"
    need cmake cmake
    need make make
    need gcc gcc libc6-dev
    need g++ g++
    need python3 python3
    need_libclang
    install_missing
}

# Requirements to build and run an image for the emulated Cortex-M4. RUSTC may name another rustc that has
# its library's source.
need_emulated_board() {
    need python3 python3
    need qemu-system-arm qemu-system-arm
    need arm-none-eabi-gcc gcc-arm-none-eabi
    [ -d /usr/lib/arm-none-eabi/newlib/thumb ] || missing_packages+=(libnewlib-arm-none-eabi)
    need openssl openssl
    need mosquitto mosquitto
    if [ -z "${RUSTC:-}" ]; then
        [ -x /usr/bin/cargo ] || missing_packages+=(cargo-web)
        [ -x /usr/bin/rustc ] || missing_packages+=(rustc-web)
        compgen -G '/usr/src/rustc-*/library/core/Cargo.toml' >/dev/null || missing_packages+=(rust-web-src)
    fi
    install_missing
}
