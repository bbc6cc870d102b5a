#!/usr/bin/env bash
# Builds C++ gRPC's stack for the benchmarks into .tmp/bin/bench-cpp. It needs
# g++, protoc, grpc_cpp_plugin and the libraries of gRPC (Debian: g++ pkg-config
# libgrpc++-dev protobuf-compiler protobuf-compiler-grpc).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
binary=$PWD/.tmp/bin/bench-cpp
build=$PWD/.tmp/bench-cpp
for command in g++ pkg-config protoc grpc_cpp_plugin; do
	command -v "$command" >/dev/null || { echo "bench-cpp: there is no $command" >&2; exit 1; }
done
version=$(pkg-config --modversion grpc++) || exit 1
newest=$(find bench/cpp bench/protos scripts/bench-cpp.sh -type f -printf '%T@\n' | sort -n | tail -n 1 | cut -d. -f1)
if [ -x "$binary" ] && [ -f "$binary.version" ] && [ "$(stat -c %Y "$binary")" -gt "$newest" ]; then
	exit
fi
echo "building the stack of C++ gRPC $version"
mkdir -p "$build" .tmp/bin
(cd bench && protoc --cpp_out="$build" --grpc_out="$build" --plugin=protoc-gen-grpc="$(command -v grpc_cpp_plugin)" protos/bench.proto)
# shellcheck disable=SC2046 # the flags are words
g++ -std=c++17 -O2 -DNDEBUG -I"$build" -Ibench/cpp -o "$binary" bench/cpp/*.cc "$build"/protos/*.cc \
	$(pkg-config --cflags --libs grpc++ protobuf) -lpthread
echo "C++ gRPC $version" >"$binary.version"
