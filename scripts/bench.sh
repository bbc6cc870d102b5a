#!/usr/bin/env bash
# Builds the benchmark driver, with the versions of bench/go.mod and nothing
# else, and runs it. Arguments go to the driver: see -help and -list.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
mkdir -p .tmp/bin
binary=$PWD/.tmp/bin/bench
(cd bench && GOWORK=off go build -trimpath -o "$binary" .)
exec "$binary" "$@"
