#!/usr/bin/env bash
# Builds golangci-lint from its pinned module, once per version, and runs it
# over every module. Arguments go to golangci-lint run, such as --fix.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD
package=github.com/golangci/golangci-lint/v2/cmd/golangci-lint
version=$(awk '$1 == "github.com/golangci/golangci-lint/v2" { print $2 }' tools/lint/go.mod)
binary=$root/.tmp/bin/golangci-lint-$version
if [ ! -x "$binary" ]; then
	echo "building golangci-lint $version (a minute or two, once)"
	mkdir -p .tmp/bin
	(cd tools/lint && GOWORK=off go build -o "$binary" "$package")
fi
status=0
for module in $(scripts/modules.sh); do
	echo "== lint of module $module"
	(cd "$module" && "$binary" run --config "$root/.golangci.yml" "$@" ./...) || status=1
done
exit "$status"
