#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Does what README says, without a network: the package is installed into a fresh environment, used there, and
# brought up to date by the same commands.
set -euo pipefail
unset PYTHONPATH PYTEST_DISABLE_PLUGIN_AUTOLOAD
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# A copy, which nobody else changes: a build must leave the tree as it was.
mkdir -p "$work/tree/clients"
cp -r "$root/clients/python" "$work/tree/clients/"
cp -r "$root/proto" "$root/CMakeLists.txt" "$work/tree/"
cd "$work/tree"
find . | sort >"$work/before"

# The first commands of README's section, but for the daemon's build.
awk '/^## From Python/ { here = 1 } here && /^```$/ { exit } code && !/^\.\/dev/; here && /^```sh$/ { code = 1 }' \
  "$root/README.md" >"$work/install"
grep -q 'venv' "$work/install"
export PIP_QUIET=1 PIP_DISABLE_PIP_VERSION_CHECK=1
bash -e "$work/install"
find . -path ./venv -prune -o -print | sort | diff "$work/before" -
python=$work/tree/venv/bin/python
cd "$work"
"$python" - <<'END'
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
"$python" -m pytest -p no:cacheprovider --help >help
"$python" -m pytest -p no:cacheprovider --fixtures >fixtures
grep -q -- --tcproctor-targets help
grep -q '^endpoint' fixtures

# After a git pull, which need not change the version.
echo "PULLED = True" >>tree/clients/python/src/tcproctor/__init__.py
rm tree/clients/python/src/tcproctor/scapy_packets.py
(cd tree && bash -e "$work/install")
"$python" -c 'import tcproctor; assert tcproctor.PULLED'
if "$python" -c 'import tcproctor.scapy_packets' 2>/dev/null; then exit 1; fi
echo done
