#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs the client, builds the example outside of the tree as a user would, and runs it.
# Usage: package_test.sh BUILD TCPROCTORD
set -euo pipefail
build=$1 daemon=$2
source=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || { kill "$pid" && wait "$pid" || true; }; rm -rf "$work"' EXIT

cmake --install "$build" --component client --prefix "$work/prefix" >/dev/null
# What is installed must not lead back here.
if grep -rl --include='*.cmake' -e "$build" -e "${source%/clients/cpp}" "$work/prefix"; then
  echo "the package names our own folders" >&2
  exit 1
fi
mkdir "$work/user"
cp "$source/handshake_example.cc" "$work/user/main.cc"
cat >"$work/user/CMakeLists.txt" <<'END'
cmake_minimum_required(VERSION 3.25)
project(user LANGUAGES CXX)
find_package(tcproctor 0.1 REQUIRED)
add_executable(user main.cc)
target_link_libraries(user PRIVATE tcproctor::client)
END
cmake -S "$work/user" -B "$work/user/build" -DCMAKE_PREFIX_PATH="$work/prefix" >"$work/log" || { cat "$work/log"; exit 1; }
cmake --build "$work/user/build" >"$work/log" || { cat "$work/log"; exit 1; }

"$daemon" --listen "unix:$work/socket" --exit_with_parent >"$work/daemon.log" 2>&1 &
pid=$!
for _ in $(seq 400); do
  [ -S "$work/socket" ] && break
  sleep 0.05
done
"$work/user/build/user" "unix:$work/socket" | tee "$work/output"
grep -q 'B received "hello"' "$work/output"
grep -q 'A is in TCP_STATE_TIME_WAIT' "$work/output"
