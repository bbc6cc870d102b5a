#!/usr/bin/env bash
# The interoperation tests with grpc-go, both ways, plain and over TLS, and the
# HTTP/2 faults towards our client. grpc-go's own client is built as it is, from
# the module proxy; its server by a program of ours that listens on the loopback
# interface only. Arguments go to interop/grpc/run.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
bin=$PWD/.tmp/interop
mkdir -p "$bin"
cd interop/grpc
# Without the workspace, so that grpc-go gets the versions that it asks for.
export GOWORK=off
go build -o "$bin/run" ./run
go build -o "$bin/client" ./client
go build -o "$bin/server" ./server
go build -o "$bin/compat-client" ./compat/client
go build -o "$bin/compat-server" ./compat/server
go build -o "$bin/grpcgo-server" ./grpcgo/server
go build -o "$bin/grpcgo-client" google.golang.org/grpc/interop/client
echo "grpc-go $(go list -m -f '{{.Version}}' google.golang.org/grpc)"
exec "$bin/run" -bin "$bin" "$@"
