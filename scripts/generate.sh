#!/usr/bin/env bash
# Writes the generated code of the examples and of the interoperation checks
# again, without protoc. With --check it writes nothing and fails if it would.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD
mkdir -p .tmp/bin
go build -o .tmp/bin/yodel ./cmd/yodel
for dir in examples/hello interop interop/grpc bench; do
	options=()
	if [ "$dir" = interop/grpc ]; then
		# grpc-go has the names of gRPC's own test services.
		ours=yodel.interop.testing theirs=grpc.testing
		options=(
			--opt "service_name=$ours.TestService=$theirs.TestService"
			--opt "service_name=$ours.TestServiceMissing=$theirs.TestService"
			--opt "service_name=$ours.UnimplementedService=$theirs.UnimplementedService"
		)
	fi
	(cd "$dir" && "$root/.tmp/bin/yodel" generate "$@" ${options[@]+"${options[@]}"} protos) ||
		{ echo "in $dir: run make generate" >&2; exit 1; }
done
