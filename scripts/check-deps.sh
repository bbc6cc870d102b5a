#!/usr/bin/env bash
# Checks each module as its users see it, without the workspace: go.mod is
# tidy, everything builds and passes vet. Then builds the root module for other
# platforms.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export GOWORK=off
status=0
for module in $(scripts/modules.sh); do
	echo "== module $module alone"
	(cd "$module" && go mod tidy -diff && go build ./... && go vet ./...) || status=1
done
for platform in linux/386 windows/amd64 darwin/arm64; do
	echo "== root module for $platform"
	CGO_ENABLED=0 GOOS=${platform%/*} GOARCH=${platform#*/} go vet ./... || status=1
done
exit "$status"
