#!/usr/bin/env bash
# Runs every row of the benchmarks, for less than 30 minutes, and writes
# docs/benchmarks: results.json, results.md and plots. Arguments go to the
# driver, such as -rows or -rounds. It builds the stacks in other languages
# first, and says at the end which the machine could not build.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
left_out=()
for language in cpp rust java; do
	scripts/bench-$language.sh && continue
	# An older one would measure something else than the sources.
	rm -f ".tmp/bin/bench-$language"
	left_out+=("$language")
done
revision=$(git describe --always --abbrev=12 --dirty=+ 2>/dev/null || echo unknown)
status=0
scripts/bench.sh -revision "$revision" -out docs/benchmarks "$@" || status=$?
if [ "${#left_out[@]}" -gt 0 ]; then
	echo "LEFT OUT: ${left_out[*]}; this machine could not build them, see above" >&2
fi
exit "$status"
