#!/usr/bin/env bash
# 100000 calls of the hello example's server by nghttp2's h2load: see
# interop/h2load, which does the work.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD
if ! command -v h2load >/dev/null; then
	echo "h2load is missing (Debian: apt-get install nghttp2-client)" >&2
	exit 1
fi
mkdir -p .tmp/h2load
(cd examples && go build -o "$root/.tmp/h2load/hello-server" ./hello/server)
(cd interop && go build -o "$root/.tmp/h2load/h2load" ./h2load)
exec .tmp/h2load/h2load -server .tmp/h2load/hello-server
