#!/usr/bin/env bash
# Runs every module's tests once: under -race where a C compiler works, and
# says loudly where none does. RACE=require fails there instead; RACE=off
# leaves -race out. With CI=true a skipped test is a failure.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD
logs=$root/.tmp/test
rm -rf "$logs"
mkdir -p "$logs"

# race_works compiles and runs a cgo program under -race.
race_works() {
	local dir ok=1
	dir=$(mktemp -d "$root/.tmp/race.XXXXXX")
	printf 'module probe\n\ngo 1.26.0\n' >"$dir/go.mod"
	printf 'package main\n\nimport "C"\n\nfunc main() {}\n' >"$dir/main.go"
	(cd "$dir" && CGO_ENABLED=1 GOWORK=off go run -race .) >"$logs/race-probe.log" 2>&1 || ok=0
	rm -rf "$dir"
	[ "$ok" = 1 ]
}

# summarise prints one line per package from the output of go test -v, and all
# that a failed package said.
summarise() {
	awk '
		/^(ok|FAIL|\?|---)[ \t]/ && !/^---/ && NF >= 2 {
			if ($1 == "FAIL") for (i = (n > 400 ? n - 400 : 0); i < n; i++) print lines[i]
			if ($1 != "?") print
			n = 0
			next
		}
		/no test files\]$/ { n = 0; next }
		/^=== (RUN|PAUSE|CONT|NAME)|^ *--- PASS:/ { next }
		{ lines[n++] = $0 }
		END { for (i = (n > 400 ? n - 400 : 0); i < n; i++) if (lines[i] != "PASS" && lines[i] != "FAIL") print lines[i] }
	' "$1"
}

banner() {
	echo
	echo "!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!"
	printf '!!  %s\n' "$@"
	echo "!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!"
	echo
}

flags=()
raced=no
case ${RACE:-auto} in
off) ;;
auto | require)
	if race_works; then
		flags=(-race)
		raced=yes
	elif [ "${RACE:-auto}" = require ]; then
		banner "RACE=require, but no program can be built with -race here:" "$(tail -n 1 "$logs/race-probe.log")"
		exit 1
	fi
	;;
*)
	echo "RACE is ${RACE}; it can be auto, require or off" >&2
	exit 2
	;;
esac
warn_race() {
	[ "$raced" = yes ] || banner "The tests run WITHOUT the race detector." \
		"It needs a C compiler (Debian: apt-get install gcc libc6-dev)."
}
warn_race

status=0
for module in $(scripts/modules.sh); do
	log=$logs/module-$(echo "${module/#./root}" | tr / -).log
	echo "== tests of module $module"
	(cd "$module" && CGO_ENABLED=$([ "$raced" = yes ] && echo 1 || echo 0) \
		go test -count=1 -timeout=3m -v ${flags[@]+"${flags[@]}"} ./...) >"$log" 2>&1 || status=1
	summarise "$log"
done

# The system calls of transport/http2 are others under -race.
if [ "$raced" = yes ]; then
	echo "== without -race: ./transport/http2"
	log=$logs/module-root-transport-http2-without-race.log
	go test -count=1 -timeout=3m -v ./transport/http2 >"$log" 2>&1 || status=1
	summarise "$log"
fi

# skipped_in lists the tests that a log says were skipped.
skipped_in() { sed -nE 's/^ *--- SKIP: ([^ /]+).*/\1/p' "$1" | sort -u; }

# Some tests cannot run under -race: it allocates, and takes its time. What was
# skipped under it runs once more without.
skips=
for log in "$logs"/module-*.log; do
	names=$(skipped_in "$log")
	if [ -n "$names" ] && [ "$raced" = yes ]; then
		again=${log%.log}-without-race.log
		pattern="^($(printf '%s\n' "$names" | paste -sd '|'))\$"
		while read -r dir; do
			echo "== without -race: $(printf '%s\n' "$names" | paste -sd ' ') in $dir"
			(cd "$dir" && go test -count=1 -timeout=3m -v -run "$pattern" .) >>"$again" 2>&1 || status=1
		done < <(printf '%s\n' "$names" | while read -r name; do
			git grep -lE --untracked "^func $name\(" -- '*_test.go' | xargs -r -n 1 dirname
		done | sort -u)
		summarise "$again"
		names=$(skipped_in "$again")
	fi
	skips+=${names:+$names$'\n'}
done
passed=$(cat "$logs"/module-*.log | grep -cE '^ *--- PASS: ' || true)
skipped=$(printf '%s' "$skips" | grep -c . || true)
printf '%s' "$skips" | sed 's/^/skipped: /'

if [ "${CI:-}" = true ] && [ "$skipped" -gt 0 ]; then
	echo "CI=true: $skipped skipped tests count as failures"
	status=1
fi
warn_race
[ "$status" = 0 ] && verdict=passed || verdict=FAILED
echo "tests $verdict: $passed passed, $skipped skipped, race detector: $raced; full output in .tmp/test"
exit "$status"
