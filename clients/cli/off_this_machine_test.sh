#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The README's section "Off this machine", with the real daemon and the command: folder of the programs,
# make_certificates.sh.
set -euo pipefail
bin=$1 make_certificates=$2
work=$(mktemp -d)
cd "$work"
cleanup() {
  kill "$daemon" 2>/dev/null || true
  wait "$daemon" 2>/dev/null || true
  rm -rf "$work"
}
daemon=
trap cleanup EXIT
die() { echo "FAILED: $*" >&2; cat log errors >&2 2>/dev/null; exit 1; }

"$make_certificates" certificates DNS:localhost,IP:127.0.0.1 ci guest
cat >clients.textproto <<'END'
client {
  name: "ci"
  targets: [STACK, SCRIPTED]
  interfaces: "memory"
  prefixes: ["192.0.2.0/24", "2001:db8::/64"]
  quota { sessions: 2 segments_per_second: 1000 }
}
END

refused() {  # what the daemon says, and how it ends
  local status=0
  "$bin/tcproctord" "${@:2}" >log 2>&1 || status=$?
  [ "$status" = 2 ] || die "exit $status: ${*:2}"
  grep -q -- "$1" log || die "said nothing of $1: ${*:2}"
}
refused "a TCP listener needs mutual TLS" --listen 0.0.0.0:0
refused "a TCP listener needs mutual TLS" --listen 127.0.0.1:0
refused "mutual TLS needs --tls-key, --client-rules as well" --listen 0.0.0.0:0 \
  --tls-cert certificates/server.pem --tls-client-ca certificates/ca.pem

"$bin/tcproctord" --listen "unix:$work/socket,127.0.0.1:0" --tls-cert certificates/server.pem \
  --tls-key certificates/server.key --tls-client-ca certificates/ca.pem --client-rules clients.textproto \
  >log 2>&1 &
daemon=$!
for _ in $(seq 600); do
  grep -q '^listening on' log && break
  kill -0 "$daemon" || die "the daemon did not start"
  sleep 0.05
done
address=$(sed -n 's/^listening on .*, \(127.*\)/\1/p' log)
grep -q "listening on $address with mutual TLS; clients with a rule: ci" log || die "the log does not name its clients"

as() {
  "$bin/tcproctor" --address "$address" --tls-ca certificates/ca.pem --tls-cert "certificates/$1.pem" \
    --tls-key "certificates/$1.key" "${@:2}" 2>errors
}
fails() {  # what is said, then the command
  local status=0
  "${@:2}" >/dev/null 2>errors || status=$?
  [ "$status" = 3 ] || die "exit $status: ${*:2}"
  grep -q -- "$1" errors || die "said nothing of $1: ${*:2}"
}
fails_as() { fails "$1" as "${@:2}"; }

session=$(as ci session create --a scripted --b stack --link memory)
as ci open "$session" --end B --local :80 >/dev/null
as ci inject "$session" --from A --sport 4000 --dport 80 --flags S --seq 100 >/dev/null
as ci capture "$session" | grep -q 'B > A .* S\. .* ack 101' || die "no answer to the SYN"
[ "$(as ci session list | grep -c "$session")" = 1 ] || die "its session is not listed"

fails_as "targets: KERNEL" ci session create --a stack --b kernel
fails_as 'interfaces: "veth"' ci session create --a stack --b stack
fails_as "prefixes that hold 203.0.113.1" ci inject "$session" --from A --src 203.0.113.1 --dport 80 --flags S
as ci session create --a scripted --b stack --link memory >/dev/null
fails_as "sessions: the limit of 2 is reached" ci session create --a scripted --b stack --link memory
fails_as "its names are: guest" guest session list
fails "no daemon answers at $address" "$bin/tcproctor" --address "$address" session list
fails "key is not named" "$bin/tcproctor" --address "$address" --tls-ca certificates/ca.pem \
  --tls-cert certificates/ci.pem session list
fails "a Unix socket is without" "$bin/tcproctor" --address "unix:$work/socket" --tls-ca certificates/ca.pem \
  --tls-cert certificates/ci.pem --tls-key certificates/ci.key session list
fails "is for a daemon that is named" "$bin/tcproctor" --tls-ca certificates/ca.pem session list

# Who comes over the Unix socket has all.
"$bin/tcproctor" --address "unix:$work/socket" session delete "$session"
grep -q "audit: session $session of \"ci\" from ipv4:127.0.0.1:[0-9]*: scripted .* to stack .* over memory, .* s, 1 segments injected; session $session was deleted" log ||
  die "no audit line"
echo done
