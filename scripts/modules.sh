#!/usr/bin/env bash
# Runs a command in the folder of every module, the pinned tools apart.
# Without a command it lists the folders.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

modules() {
	git ls-files --cached --others --exclude-standard -- 'go.mod' '*/go.mod' |
		grep -vE '(^|/)(tools|testdata)/' | xargs -n 1 dirname | sort
}

if [ $# -eq 0 ]; then
	modules
	exit
fi
failed=0
for dir in $(modules); do
	(cd "$dir" && "$@") || { echo "failed in module $dir: $*" >&2; failed=1; }
done
exit "$failed"
