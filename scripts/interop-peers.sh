#!/usr/bin/env bash
# Peers in other languages against ours, both ways, plain and over TLS: see
# interop/internal/peer. It installs what it needs (Debian's packages as root,
# the languages' own into .tmp), builds the peers in .tmp/peers, and runs
# interop/peers.
# Usage: scripts/interop-peers.sh [LANGUAGE...], of python node cpp java rust.
# Without arguments it runs all that can be installed, and says what it leaves
# out; a language that is named must run.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD
dir=$root/.tmp/peers
bin=$dir/bin
sources=interop/peers
protos=interop/protos

# cannot says why a language cannot run; the result is a failure's.
cannot() {
	echo "cannot run: $*" >&2
	return 1
}

# debian installs packages if a command that follows -- fails, and tells whether
# it works afterwards.
debian() {
	local packages=()
	while [ "$1" != -- ]; do packages+=("$1"); shift; done
	shift
	"$@" >/dev/null 2>&1 && return
	local sudo=()
	[ "$(id -u)" = 0 ] || sudo=(sudo -n)
	if command -v apt-get >/dev/null; then
		echo "installing ${packages[*]}"
		{ ${sudo[@]+"${sudo[@]}"} apt-get update -qq &&
			${sudo[@]+"${sudo[@]}"} env DEBIAN_FRONTEND=noninteractive \
				apt-get install -y -qq --no-install-recommends "${packages[@]}"; } >"$dir/apt.log" 2>&1 ||
			cannot "apt-get could not install ${packages[*]}; see $dir/apt.log" || return
	fi
	"$@" >/dev/null 2>&1 || cannot "install the equivalents of Debian's ${packages[*]}"
}

# launcher writes a program that the checks start: its lines are the arguments.
launcher() {
	local name=$1
	shift
	printf '%s\n' '#!/bin/sh' "$@" >"$bin/$name"
	chmod +x "$bin/$name"
}

# Each language has a function that prepares it, and adds its programs to peers
# and what they are to versions.
peers=()
versions=()

prepare_python() {
	local venv=$root/.tmp/python gen=$dir/python requirements=interop/python/requirements.txt
	debian python3 python3-venv -- python3 -c 'import ensurepip, venv' || return
	mkdir -p "$venv"
	if ! cmp -s "$requirements" "$venv/installed.txt"; then
		rm -rf "$venv/venv" "$venv/installed.txt"
		python3 -m venv "$venv/venv" || return
		"$venv/venv/bin/pip" install -q --disable-pip-version-check -r "$requirements" || return
		cp "$requirements" "$venv/installed.txt"
	fi
	rm -rf "$gen"
	mkdir -p "$gen"
	"$venv/venv/bin/python" -m grpc_tools.protoc -I examples/hello/protos -I "$protos" \
		--python_out="$gen" --grpc_python_out="$gen" examples/hello/protos/api.proto "$protos/echo.proto" || return
	local program
	for program in sync aio; do
		launcher "python-$program" \
			"export PYTHONPATH='$gen:$root/interop/python' PYTHONDONTWRITEBYTECODE=1" \
			"exec '$venv/venv/bin/python' '$root/$sources/python/$program.py' \"\$@\""
		peers+=("python-$program")
	done
	versions+=("$(python3 --version), $(grep '^grpcio=' "$requirements")")
}

prepare_node() {
	debian nodejs npm -- npm --version || return
	mkdir -p "$dir/node"
	if ! cmp -s "$sources/node/package-lock.json" "$dir/node/installed.json"; then
		rm -f "$dir/node/installed.json"
		cp "$sources/node/package.json" "$sources/node/package-lock.json" "$dir/node/"
		npm --prefix "$dir/node" ci --ignore-scripts --no-audit --no-fund --loglevel=error || return
		cp "$sources/node/package-lock.json" "$dir/node/installed.json"
	fi
	launcher node \
		"export NODE_PATH='$dir/node/node_modules'" \
		"exec node '$root/$sources/node/main.js' \"\$@\""
	peers+=(node)
	versions+=("Node $(node --version), grpc-js $(node -p "require('$dir/node/node_modules/@grpc/grpc-js/package.json').version")")
}

# has_cpp tells whether C++ gRPC can be compiled with.
has_cpp() {
	command -v cmake && command -v make && command -v g++ && command -v protoc && command -v grpc_cpp_plugin &&
		pkg-config --exists grpc++
}

prepare_cpp() {
	debian g++ cmake make pkg-config libgrpc++-dev libprotobuf-dev protobuf-compiler protobuf-compiler-grpc -- has_cpp || return
	cmake -S "$sources/cpp" -B "$dir/cpp" -DCMAKE_BUILD_TYPE=Release >"$dir/cpp.log" || return
	cmake --build "$dir/cpp" --parallel 2 >>"$dir/cpp.log" || { tail -n 50 "$dir/cpp.log" >&2; return 1; }
	ln -sf ../cpp/peer "$bin/cpp"
	peers+=(cpp)
	versions+=("C++ gRPC $(pkg-config --modversion grpc++)")
}

prepare_java() {
	debian default-jdk-headless maven -- mvn --version || return
	mvn -q -B -f "$sources/java/pom.xml" -DbuildDir="$dir/java" process-classes >"$dir/java.log" 2>&1 ||
		{ grep ERROR "$dir/java.log" | head -n 20 >&2; return 1; }
	launcher java "exec java -cp '$dir/java/classes:$dir/java/lib/*' peer.Main \"\$@\""
	peers+=(java)
	versions+=("Java $(java -version 2>&1 | sed -nE 's/.*version "([^"]+)".*/\1/p'), grpc-java $(sed -nE 's|.*<grpc.version>(.*)</.*|\1|p' "$sources/java/pom.xml")")
}

prepare_rust() {
	command -v cargo >/dev/null || cannot "there is no cargo; tonic wants a newer one than Debian's" || return
	CARGO_TARGET_DIR=$dir/rust cargo build --quiet --locked --manifest-path "$sources/rust/Cargo.toml" || return
	ln -sf ../rust/debug/peer "$bin/rust"
	peers+=(rust)
	versions+=("$(rustc --version | cut -d' ' -f1-2), tonic $(sed -nE 's/^tonic = \{ version = "=([^"]+)".*/\1/p' "$sources/rust/Cargo.toml")")
}

prepare() {
	case $1 in
	python) prepare_python ;;
	node) prepare_node ;;
	cpp) prepare_cpp ;;
	java) prepare_java ;;
	rust) prepare_rust ;;
	*) cannot "there is no peer in $1" ;;
	esac
}

languages=("$@")
[ $# -gt 0 ] || languages=(python node cpp java rust)
mkdir -p "$bin"
left_out=()
for language in "${languages[@]}"; do
	prepare "$language" || left_out+=("$language")
done
go build -C interop -o "$dir/check" ./peers
status=0
"$dir/check" -dir "$bin" ${peers[@]+"${peers[@]}"} || status=1
printf 'ran: %s\n' "${versions[@]:-nothing}"
if [ "${#left_out[@]}" -gt 0 ]; then
	echo "LEFT OUT: ${left_out[*]}; see above"
	[ $# -eq 0 ] || status=1
fi
exit "$status"
