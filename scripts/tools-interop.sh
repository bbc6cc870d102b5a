#!/usr/bin/env bash
# Tools that users have already, against the hello server: first as it is, with
# the .proto file in hand, then with grpc-go's health and reflection services on
# it (tools/hello). What this machine lacks (h2load, curl, npm for buf) is named,
# and fails the run: nothing is left out silently. The results go to
# .tmp/tools/results.txt.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD
dir=$root/.tmp/tools
protos=examples/hello/protos
mkdir -p "$dir"
: >"$dir/results.txt"
passed=0
failed=0
servers=()
trap 'for pid in ${servers[@]+"${servers[@]}"}; do kill "$pid" 2>/dev/null || true; done' EXIT

# serve NAME PROGRAM starts a server, and sets addr to where it listens.
serve() {
	local log=$dir/$1.log i
	# Not what an earlier run has written.
	: >"$log"
	"$2" -addr 127.0.0.1:0 >>"$log" &
	servers+=($!)
	for ((i = 0; i < 100; i++)); do
		port=$(grep -oE '[0-9]+( \.\.\.)?$' "$log" | grep -oE '[0-9]+' || true)
		[ -z "$port" ] || break
		sleep 0.1
	done
	addr=127.0.0.1:$port
}

# check NAME WANT COMMAND... wants a text in what a command prints.
check() {
	local name=$1 want=$2 out status=0
	shift 2
	out=$(timeout 120 "$@" 2>&1) || status=$?
	if [ "$status" -eq 0 ] && grep -qF -- "$want" <<<"$out"; then
		passed=$((passed + 1))
		printf 'ok\t%s\n' "$name" >>"$dir/results.txt"
		echo "ok    $name"
	else
		failed=$((failed + 1))
		printf 'FAILED\t%s\n' "$name" >>"$dir/results.txt"
		echo "FAIL  $name: status $status, wanted \"$want\":"
		head -n 20 <<<"$out"
	fi
}

# have COMMAND PACKAGE tells whether there is a command; it is a failure if not.
have() {
	command -v "$1" >/dev/null && return
	failed=$((failed + 1))
	printf 'FAILED\t%s is missing\n' "$1" >>"$dir/results.txt"
	echo "FAIL  $1 is missing (Debian: apt-get install $2)"
	return 1
}

{
	read -r grpcurl
	read -r probe
	read -r ghz
} < <(scripts/tools.sh grpcurl grpc-health-probe ghz)
buf=
if have npm npm; then
	# All of its packages have exact versions. Its install scripts are not needed.
	if ! cmp -s tools/buf/package.json "$dir/buf/installed.json"; then
		rm -rf "$dir/buf"
		mkdir -p "$dir/buf"
		cp tools/buf/package.json "$dir/buf/"
		(cd "$dir/buf" && npm install --ignore-scripts --no-package-lock --no-audit --no-fund --silent &&
			cp package.json installed.json) || true
	fi
	buf=$dir/buf/node_modules/.bin/buf
fi
(cd examples && go build -o "$dir/hello-server" ./hello/server)
(cd tools/hello && GOWORK=off go build -o "$dir/hello-reflection" .)
request='{"userName":"W"}'
printf '\0\0\0\0\3\n\1W' >"$dir/hello.frame"
printf '\0\0\0\0\11\n\7Hello W' >"$dir/hello.answer"

echo "== the hello server, with the .proto file"
serve hello "$dir/hello-server"
check "grpcurl -proto" 'Hello W"' \
	"$grpcurl" -plaintext -import-path "$protos" -proto api.proto -d "$request" "$addr" Api/ApiEndpoint
[ -z "$buf" ] || check "buf curl --schema" 'Hello W"' \
	"$buf" curl --schema "$protos" --http2-prior-knowledge --protocol grpc -d "$request" "http://$addr/Api/ApiEndpoint"
check "ghz --proto, 20000 calls" "[OK]   20000 responses" \
	"$ghz" --insecure --proto "$protos/api.proto" --call Api.ApiEndpoint -d "$request" -n 20000 -c 20 "$addr"
if have h2load nghttp2-client; then
	check "h2load, 20000 calls" "20000 succeeded, 0 failed, 0 errored, 0 timeout" \
		h2load -n 20000 -c 4 -m 50 -H 'content-type: application/grpc' -H 'te: trailers' \
		-d "$dir/hello.frame" "http://$addr/Api/ApiEndpoint"
fi
if have curl curl; then
	rm -f "$dir/hello.got"
	check "curl --http2-prior-knowledge" "grpc-status: 0" \
		curl -sv --max-time 10 --http2-prior-knowledge -H 'content-type: application/grpc' -H 'te: trailers' \
		--data-binary "@$dir/hello.frame" -o "$dir/hello.got" "http://$addr/Api/ApiEndpoint"
	check "curl got the answer" "the same" bash -c 'cmp "$1" "$2" && echo the same' - "$dir/hello.got" "$dir/hello.answer"
fi

echo "== the hello server with grpc-go's reflection and health services"
serve hello-reflection "$dir/hello-reflection"
check "grpcurl list" "grpc.reflection.v1alpha.ServerReflection" "$grpcurl" -plaintext "$addr" list
check "grpcurl describe" "rpc ApiEndpoint ( .ApiRequest ) returns ( .ApiResponse );" "$grpcurl" -plaintext "$addr" describe Api
check "grpcurl, by reflection" 'Hello W"' "$grpcurl" -plaintext -d "$request" "$addr" Api/ApiEndpoint
[ -z "$buf" ] || check "buf curl, by reflection" 'Hello W"' \
	"$buf" curl --http2-prior-knowledge --protocol grpc -d "$request" "http://$addr/Api/ApiEndpoint"
check "ghz, by reflection, 2000 calls" "[OK]   2000 responses" \
	"$ghz" --insecure --call Api.ApiEndpoint -d "$request" -n 2000 -c 20 "$addr"
check "grpc-health-probe" "status: SERVING" "$probe" -addr="$addr"

echo "$passed passed, $failed failed" | tee -a "$dir/results.txt"
[ "$failed" -eq 0 ]
