# SPDX-License-Identifier: Apache-2.0
# A daemon of its own and the command against it, for tests written in bash: source it with the
# folder of the programs as $1. Sets work, a folder; t VERB … runs the command, and so does
# "${command[@]}" VERB …, whose pid in the background is that of the command itself.
set -euo pipefail
bin=$1
work=$(mktemp -d)
pids=()  # what is still to be ended
clean() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  wait
  rm -rf "$work"
}
trap clean EXIT
fail() { echo "FAILED: $*"; exit 1; }
command=("$bin/tcproctor" --address "unix:$work/socket")
t() { "${command[@]}" "$@"; }
# line_of FILE PATTERN: the first such line, when it is there.
line_of() {
  for _ in $(seq 600); do
    grep -m 1 -- "$2" "$1" 2>/dev/null && return
    sleep 0.05
  done
  fail "no \"$2\" in $1: $(cat "$1")"
}
# exits STATUS PID WHAT: that job ends with that status.
exits() {
  local status=0
  wait "$2" || status=$?
  [ "$status" = "$1" ] || fail "$3: exit status $status, not $1"
}

"$bin/tcproctord" --listen "unix:$work/socket" --exit_with_parent >"$work/daemon" 2>&1 & pids+=($!)
line_of "$work/daemon" 'listening on' >/dev/null
