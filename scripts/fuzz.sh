#!/usr/bin/env bash
# Runs every fuzz target of every module for a while (default 10s), as many at
# a time as there are processors.
# Usage: scripts/fuzz.sh [duration]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD
logs=$root/.tmp/fuzz

# run_one fuzzes one target and prints one line, or all its output when it fails.
run_one() {
	local duration=$1 dir=$2 name=$3 log
	log=$logs/$(echo "$dir" | tr / -)-$name.log
	cd "$root/$dir"
	for try in 1 2 3; do
		if go test -run='^$' -fuzz="^$name\$" -fuzztime="$duration" -parallel=1 . >"$log" 2>&1; then
			if grep -q 'no fuzz tests to fuzz' "$log"; then
				echo "FAIL $dir $name: the package has no such fuzz target here"
				return 1
			fi
			echo "ok   $dir $name: $(grep -oE 'execs: [0-9]+' "$log" | tail -n 1)"
			return 0
		fi
		# The fuzzing engine at times reports its own deadline as a failure
		# (golang.org/issue/75804): no input was at fault, so try again.
		if grep -q 'Failing input written' "$log" || ! grep -q 'context deadline exceeded' "$log"; then
			break
		fi
		echo "note $dir $name: the engine ran into its own deadline (try $try)"
	done
	echo "FAIL $dir $name:"
	cat "$log"
	return 1
}

if [ "${1:-}" = --one ]; then
	shift
	run_one "$@"
	exit
fi

duration=${1:-10s}
rm -rf "$logs"
mkdir -p "$logs"
targets=$(git ls-files --cached --others --exclude-standard -- '*_test.go' |
	{ xargs grep -HoE '^func Fuzz[A-Za-z0-9_]*\(' /dev/null || true; } |
	sed -E 's|^(.*)/[^/]*:func ([A-Za-z0-9_]*)\($|\1 \2|; s|^[^/ ]*:func ([A-Za-z0-9_]*)\($|. \1|' | sort -u)
if [ -z "$targets" ]; then
	echo "no fuzz target was found" >&2
	exit 1
fi
count=$(printf '%s\n' "$targets" | wc -l)
jobs=${FUZZ_JOBS:-$(getconf _NPROCESSORS_ONLN)}
echo "== $count fuzz targets, $duration each, $jobs at a time"
if ! printf '%s\n' "$targets" | xargs -P "$jobs" -L 1 scripts/fuzz.sh --one "$duration"; then
	echo "fuzzing FAILED; output in .tmp/fuzz, inputs in the packages' testdata/fuzz"
	exit 1
fi
echo "fuzzing passed: $count targets, $duration each"
