#!/usr/bin/env bash
# Builds the benchmark driver and the stacks in Go, with the versions of
# bench/go.mod and nothing else, and runs the driver. Arguments go to it: see
# -help and -list.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
mkdir -p .tmp/bin
bin=$PWD/.tmp/bin
cd bench
GOWORK=off go build -trimpath -o "$bin/bench" .
for program in program/*; do
	GOWORK=off go build -trimpath -o "$bin/bench-${program#*/}" "./$program"
done
cd ..
exec "$bin/bench" "$@"
