#!/usr/bin/env bash
# Builds tonic's stack for the benchmarks into .tmp/bin/bench-rust. It needs
# cargo, which fetches the crates of bench/rust/Cargo.lock.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
binary=$PWD/.tmp/bin/bench-rust
command -v cargo >/dev/null || { echo "bench-rust: there is no cargo; tonic wants a newer one than Debian's" >&2; exit 1; }
version="tonic $(sed -nE 's/^tonic = "=([^"]+)"$/\1/p' bench/rust/Cargo.toml), $(rustc --version | cut -d' ' -f1-2)"
[ -x "$binary" ] || echo "building the stack of $version (some minutes, once)"
mkdir -p .tmp/bin
CARGO_TARGET_DIR=$PWD/.tmp/bench-rust cargo build --release --quiet --locked --manifest-path bench/rust/Cargo.toml
ln -sf ../bench-rust/release/bench-rust "$binary"
echo "$version" >"$binary.version"
