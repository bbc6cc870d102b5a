#!/usr/bin/env bash
# Python's grpcio against ours, both ways. It makes a virtual environment in
# .tmp with the pinned versions of interop/python/requirements.txt, generates
# Python's side from the same .proto files, and runs interop/python. Where there
# is no Python, it says so and fails.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD
dir=$root/.tmp/python
requirements=interop/python/requirements.txt

cannot() {
	echo "interop-python CANNOT RUN: $*" >&2
	echo "0 passed, 0 failed: nothing was checked" >&2
	exit 1
}

python=${PYTHON:-python3}
command -v "$python" >/dev/null || cannot "there is no $python (Debian: apt-get install python3 python3-venv)"
"$python" -c 'import ensurepip, venv' 2>/dev/null ||
	cannot "$python has no venv (Debian: apt-get install python3-venv)"

mkdir -p "$dir"
if ! cmp -s "$requirements" "$dir/installed.txt"; then
	echo "installing into .tmp/python/venv: $(tr '\n' ' ' <"$requirements")"
	rm -rf "$dir/venv" "$dir/installed.txt"
	"$python" -m venv "$dir/venv"
	"$dir/venv/bin/pip" install -q --disable-pip-version-check -r "$requirements" ||
		cannot "pip could not install $requirements; see above"
	cp "$requirements" "$dir/installed.txt"
fi

rm -rf "$dir/gen"
mkdir -p "$dir/gen"
for protos in examples/hello/protos interop/protos; do
	"$dir/venv/bin/python" -m grpc_tools.protoc -I "$protos" \
		--python_out="$dir/gen" --grpc_python_out="$dir/gen" "$protos"/*.proto
done

(cd examples && go build -o "$dir/" ./hello/server ./hello/client)
(cd interop && go build -o "$dir/check" ./python)
export PYTHONPATH=$dir/gen PYTHONDONTWRITEBYTECODE=1
exec "$dir/check" -python "$dir/venv/bin/python" -scripts interop/python \
	-hello-server "$dir/server" -hello-client "$dir/client"
