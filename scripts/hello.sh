#!/usr/bin/env bash
# The hello example from .proto to answer: generates its code without protoc,
# builds both programs, starts the server, waits until it listens, runs the
# client, stops the server. It ends with status 0 if all of that went well.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD
bin=$root/.tmp/hello
mkdir -p "$bin"

scripts/generate.sh
(cd examples && go build -o "$bin/" ./hello/server ./hello/client)

coproc SERVER { exec "$bin/server"; }
# Bash forgets both when the server ends.
pid=$SERVER_PID
exec {lines}<&"${SERVER[0]}"
trap 'kill "$pid" 2>/dev/null || true' EXIT

# The server's first line says that it listens; if it ends before, it has said
# why on standard error, and the read fails.
if ! IFS= read -r -t 30 line <&"$lines"; then
	echo "hello: the server did not start" >&2
	exit 1
fi
printf '%s\n' "$line"

"$bin/client"

kill -TERM "$pid"
if ! wait "$pid"; then
	echo "hello: the server did not stop cleanly" >&2
	exit 1
fi
trap - EXIT
