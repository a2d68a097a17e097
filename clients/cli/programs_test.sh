#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Real programs through `forward`, a live capture, and the shell. Usage: programs_test.sh TCPROCTOR TCPROCTORD
set -euo pipefail
tcproctor=$1 daemon=$2
work=$(mktemp -d)
pids=()
clean() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  wait
  rm -rf "$work"
}
trap clean EXIT
fail() { echo "FAILED: $*"; exit 1; }
t() { "$tcproctor" --address "unix:$work/socket" "$@"; }
# line_of FILE PATTERN: the first such line, when it is there.
line_of() {
  for _ in $(seq 400); do
    grep -m 1 -- "$2" "$1" 2>/dev/null && return
    sleep 0.05
  done
  fail "no \"$2\" in $1: $(cat "$1")"
}

"$daemon" --listen "unix:$work/socket" >"$work/daemon" 2>&1 & pids+=($!)
line_of "$work/daemon" 'listening on' >/dev/null
mkdir "$work/www"
head -c 3000000 /dev/urandom >"$work/www/file"
/usr/bin/python3 -u -m http.server 0 --bind 127.0.0.1 --directory "$work/www" >"$work/http" 2>&1 & pids+=($!)
port=$(line_of "$work/http" 'Serving HTTP' | sed 's/.* port \([0-9]*\) .*/\1/')

# curl → our stack (A) → the wire → the kernel's TCP (B) → an HTTP server
id=$(t session create --a stack --b kernel --lease 1m)
listener=$(t open "$id" --end B --local :80)
t forward "$id" "$listener" --connect "127.0.0.1:$port" >"$work/in" 2>&1 & pids+=($!)
t forward "$id" --listen 127.0.0.1:0 --end A --to :80 >"$work/out" 2>&1 & out=$!; pids+=("$out")
url=$(line_of "$work/out" 'listening on' | sed 's/listening on //')
curl -sS --max-time 60 "http://$url/file" -o "$work/got"
cmp "$work/got" "$work/www/file"
echo "curl through both TCPs: 3000000 octets, the same"
curls=()
for i in 1 2 3 4; do curl -sS --max-time 60 "http://$url/file" -o "$work/got$i" & curls+=($!); done
wait "${curls[@]}"
for i in 1 2 3 4; do cmp "$work/got$i" "$work/www/file"; done
line_of "$work/out" 'connection [0-9]*: sent [0-9]*, received 3000[0-9]*, OK' >/dev/null
t capture "$id" | grep -q 'A > B .* len' || fail "nothing went over the wire"

# A Unix socket, once; the exit status tells how it went.
t forward "$id" --listen "unix:$work/forward" --to :80 --once >"$work/once" 2>&1 & once=$!
line_of "$work/once" 'listening on' >/dev/null
curl -sS --max-time 60 --unix-socket "$work/forward" http://x/file -o "$work/got"
cmp "$work/got" "$work/www/file"
wait "$once" || fail "--once: $?"

# Files and characters at our own TCP's listener, the kernel's TCP as the client.
l=$(t open "$id" --end A --local :19)
t forward "$id" "$l" --chargen >"$work/chargen" 2>&1 & pids+=($!)
c=$(t open "$id" --end B --to :19 --wait --timeout 5s)
t receive "$id" "$c" --timeout 5s | head -c 74 >"$work/line"
printf ' !"#$%%&'"'"'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefg\r\n' | cmp - "$work/line"
t abort "$id" "$c" >/dev/null
line_of "$work/chargen" CONNECTION-RESET >/dev/null
l=$(t open "$id" --end A --local :20)
t forward "$id" "$l" --file "$work/www/file" --once >"$work/file.log" 2>&1 & source=$!
l=$(t open "$id" --end A --local :21)
t forward "$id" "$l" --to-file "$work/got.file" --once >"$work/sink.log" 2>&1 & sink=$!
t forward "$id" --listen 127.0.0.1:0 --end B --to :20 --once >"$work/from" 2>&1 & pids+=($!)
t forward "$id" --listen 127.0.0.1:0 --end B --to :21 --once >"$work/into" 2>&1 & pids+=($!)
from=$(line_of "$work/from" 'listening on' | sed 's/.*://') into=$(line_of "$work/into" 'listening on' | sed 's/.*://')
nc -N 127.0.0.1 "$from" </dev/null | nc -N 127.0.0.1 "$into"
wait "$source" || fail "--file: $(cat "$work/file.log")"
wait "$sink" || fail "--to-file: $(cat "$work/sink.log")"
cmp "$work/got.file" "$work/www/file"

# Nobody listens there: curl is told.
t forward "$id" --listen 127.0.0.1:0 --to :81 --once >"$work/refused" 2>&1 & refused=$!
url=$(line_of "$work/refused" 'listening on' | sed 's/listening on //')
! curl -sS --max-time 20 "http://$url/" 2>"$work/curl" || fail "curl found something"
status=0; wait "$refused" || status=$?
[ "$status" = 1 ] || fail "refused: exit status $status"
grep -q 'OPEN: CONNECTION-REFUSED' "$work/refused" || fail "$(cat "$work/refused")"

# Ctrl-C ends it in order.
kill -INT "$out"
wait "$out" || fail "interrupted: $?"

# A virtual clock cannot be used by programs.
virtual=$(t session create --b stack --clock virtual)
status=0; t forward "$virtual" --listen 127.0.0.1:0 --to :80 2>"$work/error" || status=$?
[ "$status" = 3 ] && grep -q 'clock is virtual' "$work/error" || fail "virtual: $status $(cat "$work/error")"

# A live capture: the reader has seen three packets while the session goes on, and leaves.
live=$(t session create --a scripted --b kernel)
t open "$live" --end B --local :80 >/dev/null
t capture "$live" --follow -w - 2>/dev/null | tcpdump -n -c 2 -r - >"$work/tcpdump" 2>/dev/null & reader=$!
t inject "$live" --from A --sport 4000 --dport 80 --flags S --seq 100 >/dev/null
wait "$reader" || true
grep -q 'Flags \[S\], seq 100' "$work/tcpdump" && grep -q 'Flags \[S.\].*ack 101' "$work/tcpdump" ||
  fail "tcpdump: $(cat "$work/tcpdump")"

# The shell: calls and packets, and what they did.
t shell --b kernel >"$work/shell" <<'END'
open --end B --local :80
# a remark
A> S sport 4000 dport 80 seq 100 mss 1460
wait 10ms
status
A> S sport
nonsense
END
for wanted in '^> open --end B' '== B 1 LISTEN' 'S seq 100 win 65535 <mss 1460> len 0  injected' 'S. seq [0-9]* ack 101' \
              'SYN-RECEIVED'; do
  grep -q -- "$wanted" "$work/shell" || fail "shell: no $wanted in $(cat "$work/shell")"
done
[ -z "$(t session list | grep 'tcproctor shell')" ] || fail "the shell left its session"
t session list --output json | grep -q '"sessions"' || fail "--output json"
echo done
