#!/usr/bin/env bash
# Writes the generated code of the examples and of the interoperation checks
# again, without protoc. With --check it writes nothing and fails if it would.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD
mkdir -p .tmp/bin
go build -o .tmp/bin/yodel ./cmd/yodel
for dir in examples/hello interop; do
	(cd "$dir" && "$root/.tmp/bin/yodel" generate "$@" protos) ||
		{ echo "in $dir: run make generate" >&2; exit 1; }
done
