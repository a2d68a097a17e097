#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds the wheel as a user would, without a network, installs it into a fresh environment, uses it there.
set -euo pipefail
: "${TCPROCTOR_PYTHON:=python3}"
unset PYTHONPATH PYTEST_DISABLE_PLUGIN_AUTOLOAD
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# A copy, which nobody else changes: a build must leave the tree as it was.
mkdir -p "$work/tree/clients"
cp -r "$root/clients/python" "$work/tree/clients/"
cp -r "$root/proto" "$root/CMakeLists.txt" "$work/tree/"
(cd "$work/tree" && find . | sort) >"$work/before"

"$TCPROCTOR_PYTHON" -m venv --system-site-packages "$work/venv"
"$work/venv/bin/pip" -q --disable-pip-version-check wheel --no-index --no-build-isolation --no-deps \
  -w "$work" "$work/tree/clients/python"
(cd "$work/tree" && find . | sort) | diff "$work/before" -
"$work/venv/bin/pip" -q --disable-pip-version-check install --no-index "$work"/tcproctor-*.whl
cd "$work"
"$work/venv/bin/python" - <<'END'
import importlib.metadata
import pathlib
import tcproctor
import tcproctor.aio

folder = pathlib.Path(tcproctor.__file__).parent
assert "venv" in str(folder), folder
assert (folder / "py.typed").exists()
assert (folder / "v1/wire_pb2_grpc.py").exists()
assert not (folder / "generate.py").exists()
assert tcproctor.tcp("S.").flags == tcproctor.Flags.parse("SYN,ACK")
version = importlib.metadata.version("tcproctor")
assert f"project(tcproctor VERSION {version} " in pathlib.Path("tree/CMakeLists.txt").read_text(), version
print("tcproctor", version, "from", folder)
END
# The plugin comes with the wheel, unasked. (To files: a grep that has seen enough would break the pipe.)
"$work/venv/bin/python" -m pytest -p no:cacheprovider --help >help
"$work/venv/bin/python" -m pytest -p no:cacheprovider --fixtures >fixtures
grep -q -- --tcproctor-targets help
grep -q '^endpoint' fixtures
echo done
