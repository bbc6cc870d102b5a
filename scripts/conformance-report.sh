#!/usr/bin/env bash
# Writes docs/conformance.md from runs that it makes: every outside suite against
# ours, and those that can against grpc-go. It fails if one of ours does, after
# it has written what it saw. OTHERS are more make targets to run and quote, of
# those that there are (interop interop-peers).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD
dir=$root/.tmp/report
page=docs/conformance.md
mkdir -p "$dir"
status=0

version() { awk -v m="$1" '$1 == m && $2 ~ /^v/ { print $2; exit }' "${2:-tools/go.mod}"; }

# ours runs a make target, and keeps what it printed.
ours() {
	echo "== make $1"
	make "$1" 2>&1 | tee "$dir/$1.txt" || status=1
}

# The suites against grpc-go.

theirs_conformance() { # MODE
	local mode=$1 runner program
	{
		read -r runner
		read -r program
	} < <(scripts/tools.sh connectconformance "grpc$mode")
	# Its programs know neither TLS nor JSON.
	sed -E 's/(supportsTls|supportsTlsClientCerts): true/\1: false/' interop/conformance/grpc.yaml >"$dir/grpcgo.yaml"
	"$runner" -v --conf "$dir/grpcgo.yaml" --mode "$mode" -- "$program" >"$dir/grpcgo-$mode.log" 2>&1 || true
	grep -E '^[0-9]+ passed, [0-9]+ failed' "$dir/grpcgo-$mode.log"
}

# theirs_failed lists the cases that grpc-go failed.
theirs_failed() { sed -nE 's|^FAILED: (.*):$|- `\1`|p' "$dir/grpcgo-$1.log"; }

# counts runs h2spec or h2specd, and says how many cases passed.
counts() { .tmp/h2spec/check "$@" | sed -E 's/^([0-9]+) cases, ([0-9]+) passed.*/\2 of \1 passed/'; }

theirs_h2spec() {
	local h2spec port pid
	h2spec=$(scripts/tools.sh h2spec)
	(cd tools/hello && GOWORK=off go build -o "$dir/" ./grpcgo/server ./grpcgo/client)
	: >"$dir/port"
	"$dir/server" >>"$dir/port" &
	pid=$!
	for _ in {1..50}; do
		[ ! -s "$dir/port" ] || break
		sleep 0.1
	done
	port=$(cat "$dir/port")
	counts "$h2spec" -S -h 127.0.0.1 -p "$port"
	kill "$pid"
}

theirs_h2specd() {
	local h2specd
	h2specd=$(scripts/tools.sh h2specd)
	counts "$h2specd" -S -h 127.0.0.1 -f 30700 -e "$dir/client"
}

for target in conformance h2spec interop-tools; do ours "$target"; done
others=()
for target in ${OTHERS-interop interop-peers}; do
	if grep -q "^$target:" Makefile; then
		ours "$target"
		others+=("$target")
	fi
done
echo "== grpc-go"
go_server=$(theirs_conformance server)
go_client=$(theirs_conformance client)
go_h2spec=$(theirs_h2spec)
go_h2specd=$(theirs_h2specd)
echo "server: $go_server; client: $go_client; h2spec: $go_h2spec; h2specd: $go_h2specd"

# The page.

conformance_rows() {
	awk -F '\t' '{
		codecs = $1 == "grpc" ? "proto" : "proto, JSON"
		printf "| %s | %s | %s | %s |\n", $2, codecs, $3, $4
	}' .tmp/conformance/results.txt
}

h2spec_rows() {
	sed -nE 's/^(.*): ([0-9]+) cases, ([0-9]+) passed, .*/| \1 | \3 of \2 passed |/p' .tmp/h2spec/results.txt
}

exceptions() { grep -vE '^(#|$)' "interop/h2spec/exceptions-$1.txt" | sed -E 's/^([^ ]+) (.*)/- `\1`: \2/' || true; }

tools_rows() { awk -F '\t' 'NF == 2 { printf "| %s | %s |\n", $2, $1 }' .tmp/tools/results.txt; }

{
	cat <<-PAGE
		# Conformance

		What test suites and tools that others wrote say about Yodel. \`make conformance-report\` writes this page from runs that it makes, and no figure by hand. This one is of $(date -u +%F), with $(go env GOVERSION) on $(go env GOOS)/$(go env GOARCH), of commit $(git rev-parse --short HEAD).

		| suite | version |
		|---|---|
		| connectconformance | $(version connectrpc.com/conformance) |
		| h2spec, h2specd | $(version github.com/summerwind/h2spec) |
		| grpc-go, to compare with | $(version google.golang.org/grpc) |
		| grpcurl | $(version github.com/fullstorydev/grpcurl) |
		| grpc-health-probe | $(version github.com/grpc-ecosystem/grpc-health-probe) |
		| ghz | $(version github.com/bojand/ghz tools/ghz/go.mod) |
		| buf | v$(sed -nE 's|.*"@bufbuild/buf": "(.*)".*|\1|p' tools/buf/package.json) |

		The versions are pinned in [tools](../tools).

		## gRPC over HTTP/2: \`make conformance\`

		The suite of connectrpc.com drives our server with its clients (mode server), our client with its servers (mode client), and ours with ours (mode both): plaintext, TLS and client certificates; identity and gzip; unary, client, server, half-duplex and full-duplex streams. There is no list of known failures. The programs under test are [interop/conformance](../interop/conformance).

		| mode | codecs | cases | result |
		|---|---|---|---|
		$(conformance_rows)

		grpc-go, by the suite's own programs for it (plaintext and proto only):

		| mode | result |
		|---|---|
		| server | $go_server |
		| client | $go_client |

		What it fails are calls with a message too many or too few, for which gRPC's status document wants UNIMPLEMENTED:

		$(theirs_failed server)
		$(theirs_failed client)

		## HTTP/2: \`make h2spec\`

		h2spec tests servers and h2specd clients against RFC 7540; the strict cases are included.

		| under test | result |
		|---|---|
		$(h2spec_rows)
		| grpc-go's server, plaintext | $go_h2spec |
		| grpc-go's client, plaintext | $go_h2specd |

		Our exceptions: a case that is not listed fails the run, and so does one that is listed and passes.

		$(exceptions server)
		$(exceptions client)

		Our server under test hands a request on when it has ended: h2spec's requests are not gRPC's and are refused at their headers, and what comes after that may be ignored (RFC 9113 §5.1). grpc-go's is tested as it is.

		## Users' tools: \`make interop-tools\`

		| tool | result |
		|---|---|
		$(tools_rows)
	PAGE
	for target in ${others[@]+"${others[@]}"}; do
		printf '\n## `make %s`\n\n```\n' "$target"
		grep -E '[0-9]+ (of [0-9]+ )?passed|[0-9]+ failed|^ran: |LEFT OUT|FAIL' "$dir/$target.txt" || echo "no result"
		printf '```\n'
	done
} >"$dir/page.md"
# Empty lists leave more than one empty line.
cat -s "$dir/page.md" >"$page"
[ "$status" -eq 0 ] || echo "conformance-report: a suite of ours FAILED; $page says which" >&2
exit "$status"
