#!/usr/bin/env bash
# connectconformance against both our ends: gRPC over HTTP/2, plaintext, TLS and
# client certificates. There is no list of known failures. A run also fails when
# it has fewer cases than it should: the runner leaves out silently what its
# configuration does not ask for. The results go to .tmp/conformance/results.txt,
# the runner's output beside it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD
dir=$root/.tmp/conformance
mkdir -p "$dir"
scripts/conformance-generate.sh --check
runner=$(scripts/tools.sh connectconformance)
(cd interop && go build -o "$dir/" ./conformance/server ./conformance/client)
: >"$dir/results.txt"
failed=0

# suite LEAST MODE CONFIG PROGRAM... runs the suite with one configuration.
suite() {
	local least=$1 mode=$2 config=$3 log=$dir/$2-$3.log status=0 cases=0 counts="no counts" start=$SECONDS
	shift 3
	"$runner" -v --conf "interop/conformance/$config.yaml" --mode "$mode" -- "$@" >"$log" 2>&1 || status=$?
	cases=$(sed -n 's/^Total cases: //p' "$log")
	counts=$(grep -E '^[0-9]+ passed, [0-9]+ failed' "$log") || counts="no counts"
	printf '%s\t%s\t%s\t%s\n' "$config" "$mode" "${cases:-0}" "$counts" >>"$dir/results.txt"
	printf '%-10s mode %-6s  %4d cases: %s, %d s\n' "$config" "$mode" "${cases:-0}" "$counts" "$((SECONDS - start))"
	if [ "$status" -ne 0 ]; then
		failed=1
		grep -A 2 '^FAILED' "$log" | head -n 60 || tail -n 20 "$log"
		echo "see ${log#"$root"/}"
	elif [ "${cases:-0}" -lt "$least" ]; then
		failed=1
		echo "there should be at least $least cases; see ${log#"$root"/}"
	fi
}

suite 570 server grpc "$dir/server"
suite 646 client grpc "$dir/client"
suite 876 server grpc-json "$dir/server"
suite 1052 client grpc-json "$dir/client"
suite 612 both grpc-json "$dir/client" ---- "$dir/server"
exit "$failed"
