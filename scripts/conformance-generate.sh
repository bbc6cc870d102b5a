#!/usr/bin/env bash
# Writes the stubs of the conformance suite's protos again, or with --check fails
# if they are stale. The protos are the suite's own and name no Go package.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD
mkdir -p .tmp/bin
go build -o .tmp/bin/yodel-conformance ./cmd/yodel
cd interop/conformance
options=()
for file in connectrpc/conformance/v1/{config,service,client_compat,server_compat}.proto; do
	options+=(--opt "M$file=github.com/yodelrpc/yodel/interop/conformance/conformancepb")
done
"$root/.tmp/bin/yodel-conformance" generate "$@" "${options[@]}" -I protos protos ||
	{ echo "in interop/conformance: run scripts/conformance-generate.sh" >&2; exit 1; }
