#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Programs talk through a session's TCP: curl and nc on sockets of this machine, our stack at end A,
# the kernel's TCP at end B. Usage: forward_test.sh FOLDER-OF-PROGRAMS
# shellcheck source=clients/cli/live_testing.sh
source "$(dirname "$0")/live_testing.sh"
LARGE=10000000
SOME=1000000

# forward LOG ARGUMENT…: in the background; its pid is in $forwarder, where it listens in $where.
forward() {
  local log=$1
  shift
  "${command[@]}" forward "$@" >"$work/$log" 2>&1 & forwarder=$!
  pids+=("$forwarder")
  where=
  [[ " $* " != *' --listen '* ]] || where=$(line_of "$work/$log" 'listening on' | sed 's/listening on //')
}
port_of() { echo "${1##*:}"; }

mkdir "$work/www"
head -c "$LARGE" /dev/urandom >"$work/www/large"
head -c "$SOME" /dev/urandom >"$work/www/file"
echo small >"$work/www/small"
/usr/bin/python3 -u -m http.server 0 --bind 127.0.0.1 --directory "$work/www" >"$work/http" 2>&1 & pids+=($!)
port=$(line_of "$work/http" 'Serving HTTP' | sed 's/.* port \([0-9]*\) .*/\1/')
id=$(t session create --a stack --b kernel --lease 5s)

echo "# curl -> OPEN of our stack -> the wire -> LISTEN of the kernel's -> an HTTP server"
listener=$(t open "$id" --end B --local :80)
forward in "$id" "$listener" --connect "127.0.0.1:$port"; in=$forwarder
forward out "$id" --listen 127.0.0.1:0 --end A --to :80; out=$forwarder url=http://$where
curl -sS --max-time 200 "$url/large" -o "$work/got"
cmp "$work/got" "$work/www/large"
line_of "$work/out" "connection [0-9]*: sent [0-9]*, received [0-9]*, OK" >/dev/null
echo "# and the other way: the kernel's TCP opens, our stack listens"
back=$(t open "$id" --end A --local :80)
forward back_in "$id" "$back" --connect "127.0.0.1:$port"
forward back_out "$id" --listen 127.0.0.1:0 --end B --to :80
curl -sS --max-time 200 "http://$where/large" -o "$work/got"
cmp "$work/got" "$work/www/large"
t capture "$id" | grep -q 'A > B .*> 192.0.2.2:80 ' || fail "nothing of A's went over the wire"
t capture "$id" | grep -q 'B > A .*> 192.0.2.1:80 ' || fail "nothing of B's went over the wire"

echo "# many after one another, and some at once; longer than the lease"
for _ in $(seq 20); do
  [ "$(curl -sS --max-time 20 "$url/small")" = small ] || fail "one of many"
done
curls=()
for i in 1 2 3 4 5; do
  curl -sS --max-time 100 "$url/file" -o "$work/got$i" & curls+=($!)
done
for i in 1 2 3 4 5; do
  exits 0 "${curls[i - 1]}" "curl $i"
  cmp "$work/got$i" "$work/www/file"
done
sleep 6
[ "$(curl -sS --max-time 20 "$url/small")" = small ] || fail "after an idle time above the lease"

echo "# each direction ends by itself"
# Whoever asks has ended its stream before the answer is made.
/usr/bin/python3 -u -c '
import socket, sys
server = socket.create_server(("127.0.0.1", 0))
print("port", server.getsockname()[1])
connection, _ = server.accept()
with open(sys.argv[1], "wb") as question:
    while octets := connection.recv(1000):
        question.write(octets)
connection.sendall(b"late answer\n")
' "$work/question" >"$work/server" & pids+=($!)
server=$!
server_port=$(line_of "$work/server" port | sed 's/port //')
l=$(t open "$id" --end A --local :90)
forward half_in "$id" "$l" --connect "127.0.0.1:$server_port" --once; half_in=$forwarder
forward half_out "$id" --listen 127.0.0.1:0 --end B --to :90 --once; half_out=$forwarder
[ "$(echo early question | nc -N 127.0.0.1 "$(port_of "$where")")" = "late answer" ] ||
  fail "the answer after our FIN: $(cat "$work/half_in" "$work/half_out")"
[ "$(cat "$work/question")" = "early question" ] || fail "the question: $(cat "$work/question")"
wait "$server" || true
exits 0 "$half_in" "half-close, LISTENER"
exits 0 "$half_out" "half-close, --listen"

echo "# a Unix socket, once, told as JSON"
forward once "$id" --listen "unix:$work/forward" --to :80 --once --json "$work/json"; once=$forwarder
curl -sS --max-time 100 --unix-socket "$work/forward" http://x/file -o "$work/got"
cmp "$work/got" "$work/www/file"
exits 0 "$once" "--once"
[ ! -e "$work/forward" ] || fail "the path is still there"
grep -q '^{.*"outcome":"OK".*}$' "$work/json" || fail "JSON: $(cat "$work/json")"

echo "# a file, and into a file; characters, echo and discard live in the daemon"
l=$(t open "$id" --end A --local :19)
t serve "$id" "$l" chargen
c=$(t open "$id" --end B --to :19 --wait --timeout 5s)
t receive "$id" "$c" --min 74 --max 74 --timeout 5s >"$work/line"
printf ' !"#$%%&'"'"'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefg\r\n' | cmp - "$work/line"
t abort "$id" "$c" >/dev/null
# It says by its exit status that a connection did not end well.
for _ in $(seq 100); do t serve "$id" "$l" >"$work/chargen" || break; sleep 0.1; done
grep -q CONNECTION-RESET "$work/chargen" || fail "chargen: $(cat "$work/chargen")"
l=$(t open "$id" --end A --local :20)
forward source "$id" "$l" --file "$work/www/file" --once; source=$forwarder
l=$(t open "$id" --end A --local :21)
forward sink "$id" "$l" --to-file "$work/got.file" --once; sink=$forwarder
forward from "$id" --listen 127.0.0.1:0 --end B --to :20 --once; from=$where
forward into "$id" --listen 127.0.0.1:0 --end B --to :21 --once; into=$where
nc -N 127.0.0.1 "$(port_of "$from")" </dev/null | nc -N 127.0.0.1 "$(port_of "$into")"
exits 0 "$source" "--file"
exits 0 "$sink" "--to-file"
cmp "$work/got.file" "$work/www/file"
l=$(t open "$id" --end A --local :7)
t serve "$id" "$l" echo
forward echo "$id" --listen 127.0.0.1:0 --end B --to :7
[ "$(echo hello | nc -N 127.0.0.1 "$(port_of "$where")")" = hello ] || fail "echo"
l=$(t open "$id" --end A --local :9)
t serve "$id" "$l" discard
forward discard "$id" --listen 127.0.0.1:0 --end B --to :9
[ -z "$(echo hello | nc -N 127.0.0.1 "$(port_of "$where")")" ] || fail "discard"
t serve "$id" "$l" --wait --timeout 10s | grep -q 'received 6 ' || fail "discard: $(t serve "$id" "$l")"

echo "# whoever is refused is told"
forward refused "$id" --listen 127.0.0.1:0 --to :81 --once; refused=$forwarder
! curl -sS --max-time 20 "http://$where/" 2>/dev/null || fail "curl found something"
exits 1 "$refused" "refused"
grep -q 'OPEN: CONNECTION-REFUSED' "$work/refused" || fail "$(cat "$work/refused")"
l=$(t open "$id" --end A --local :22)
forward nobody "$id" "$l" --connect 127.0.0.1:1 --once; nobody=$forwarder
c=$(t open "$id" --end B --to :22 --wait --timeout 5s)
t receive "$id" "$c" --timeout 5s 2>"$work/reset" && fail "nobody: no reset"
grep -q CONNECTION-RESET "$work/reset" || fail "nobody: $(cat "$work/reset")"
exits 1 "$nobody" "nobody"
grep -q '127.0.0.1:1: cannot connect' "$work/nobody" || fail "$(cat "$work/nobody")"

echo "# misuse"
for wrong in "--listen 127.0.0.1:0" "--to :80" "$listener" "$listener --connect x:1 --file x" \
             "$listener --to-file x" "--listen 127.0.0.1:0 --to :80 --file x" "--listen nonsense --to :80"; do
  status=0
  # shellcheck disable=SC2086
  t forward "$id" $wrong >/dev/null 2>&1 || status=$?
  [ "$status" = 3 ] || fail "forward $wrong: exit status $status"
done
virtual=$(t session create --b stack --clock virtual)
status=0
t forward "$virtual" --listen 127.0.0.1:0 --to :80 2>"$work/error" || status=$?
[ "$status" = 3 ] && grep -q 'clock is virtual' "$work/error" || fail "virtual: $status $(cat "$work/error")"

echo "# Ctrl-C ends it at once, in the middle of a transfer, and leaves nothing"
curl -sS --limit-rate 100k --max-time 100 "$url/large" -o "$work/got" 2>"$work/curl" & curl=$!
line_of <(for _ in $(seq 100); do t status "$id"; sleep 0.05; done) 'A  ESTABLISHED .*:80' >/dev/null
before=$(date +%s)
kill -INT "$out"
exits 1 "$out" "interrupted in a transfer"
[ $(($(date +%s) - before)) -le 5 ] || fail "it took $(($(date +%s) - before)) s to end"
! wait "$curl" || fail "curl did not notice"
kill -INT "$in"
exits 1 "$in" "LISTENER, one of whose connections was reset"
! t status "$id" --end A | grep 'ESTABLISHED .* <-> 192.0.2.2:80' || fail "a connection is left"

echo "# the session's end ends it"
forward last "$id" --listen 127.0.0.1:0 --to :80; last=$forwarder
t session delete "$id"
exits 0 "$last" "the session's end"
echo done
