#!/usr/bin/env bash
# h2spec against our server, RUNS times (3) in plaintext and over TLS, and h2specd
# against our client: see interop/h2spec, which does the work and has the
# exceptions. The results go to .tmp/h2spec/results.txt.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD
dir=$root/.tmp/h2spec
mkdir -p "$dir"
{
	read -r h2spec
	read -r h2specd
} < <(scripts/tools.sh h2spec h2specd)
(cd interop && go build -o "$dir/check" ./h2spec && go build -o "$dir/client" ./h2spec/client)
"$dir/check" -h2spec "$h2spec" -h2specd "$h2specd" -client "$dir/client" -runs "${RUNS:-3}" | tee "$dir/results.txt"
