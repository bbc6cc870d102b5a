#!/usr/bin/env bash
# Builds tools from the versions that tools/go.mod and tools/ghz/go.mod pin,
# once per version, and prints their paths, one a line. Arguments are names:
# connectconformance, grpcurl, ghz ...; without any it lists them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD
export GOWORK=off

# package NAME prints the folder of the module that pins a tool, and its package.
package() {
	case $1 in
	connectconformance | grpcclient | grpcserver) echo tools "connectrpc.com/conformance/cmd/$1" ;;
	grpc-interop-client) echo tools google.golang.org/grpc/interop/client ;;
	grpc-interop-server) echo tools google.golang.org/grpc/interop/server ;;
	h2spec | h2specd) echo tools "github.com/summerwind/h2spec/cmd/$1" ;;
	grpcurl) echo tools github.com/fullstorydev/grpcurl/cmd/grpcurl ;;
	grpc-health-probe) echo tools github.com/grpc-ecosystem/grpc-health-probe ;;
	protoc-gen-go) echo tools google.golang.org/protobuf/cmd/protoc-gen-go ;;
	protoc-gen-go-grpc) echo tools google.golang.org/grpc/cmd/protoc-gen-go-grpc ;;
	staticcheck) echo tools honnef.co/go/tools/cmd/staticcheck ;;
	benchstat) echo tools golang.org/x/perf/cmd/benchstat ;;
	ghz) echo tools/ghz github.com/bojand/ghz/cmd/ghz ;;
	*) echo "there is no tool $1; without arguments, $0 lists them" >&2; return 1 ;;
	esac
}

if [ $# -eq 0 ]; then
	sed -nE 's/^\t([a-z0-9-]+( \| [a-z0-9-]+)*)\) echo tools.*/\1/p' "$0" | tr -d ' ' | tr '|' '\n'
	exit
fi
for name in "$@"; do
	read -r module package < <(package "$name")
	[ -n "${package:-}" ] || exit 1
	# One build for each state of the pins: a tool's dependencies count, too.
	pins=$(cat "$module/go.mod" "$module/go.sum" | git hash-object --stdin)
	binary=$root/.tmp/bin/$name-${pins:0:12}
	if [ ! -x "$binary" ]; then
		echo "building $name (once)" >&2
		mkdir -p .tmp/bin
		(cd "$module" && go build -o "$binary.$$" "$package" && mv "$binary.$$" "$binary")
	fi
	echo "$binary"
done
