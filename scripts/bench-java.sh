#!/usr/bin/env bash
# Builds grpc-java's stacks for the benchmarks into .tmp/bin/bench-java, which
# starts a JVM with default settings. It needs a JDK of 17 or newer, and mvn,
# which fetches what bench/java/pom.xml names (Debian: default-jdk-headless
# maven).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
binary=$PWD/.tmp/bin/bench-java
build=$PWD/.tmp/bench-java
for command in java mvn; do
	command -v "$command" >/dev/null || { echo "bench-java: there is no $command" >&2; exit 1; }
done
version="grpc-java $(sed -nE 's|.*<grpc.version>(.*)</.*|\1|p' bench/java/pom.xml), Java $(java -version 2>&1 | sed -nE 's/.*version "([^"]+)".*/\1/p')"
newest=$(find bench/java bench/protos scripts/bench-java.sh -type f -printf '%T@\n' | sort -n | tail -n 1 | cut -d. -f1)
if [ -x "$binary" ] && [ "$(stat -c %Y "$binary")" -gt "$newest" ]; then
	exit
fi
echo "building the stacks of $version"
mkdir -p "$build" .tmp/bin
mvn -q -B -f bench/java/pom.xml -DbuildDir="$build" process-classes >"$build/mvn.log" 2>&1 ||
	{ grep ERROR "$build/mvn.log" | head -n 20 >&2; exit 1; }
printf '%s\n' '#!/bin/sh' "exec java -cp '$build/classes:$build/lib/*' bench.Main \"\$@\"" >"$binary"
chmod +x "$binary"
echo "$version" >"$binary.version"
