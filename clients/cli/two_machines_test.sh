#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Two machines and a router between them, as network namespaces, with a daemon on each machine:
#
#   A 192.0.2.1        192.0.2.254  R  198.51.100.254        198.51.100.1 B
#     2001:db8:a::1    :a::fe              :b::fe            2001:db8:b::1
#     .10 and ::10 are free for ends    .10 and ::10 are free for ends
#
# The suite is run on R, by mutual TLS; the other steps talk to the daemons' local sockets.
#
# Usage: two_machines_test.sh BIN STEP...; a step is a function `step_NAME` below, all of them but
# `shell` by default, and that opens a shell between the machines. FILTER: the cases of the step
# `suite`; REPORTS: a folder for what it reports.
set -euo pipefail
bin=$1
shift
work=$(mktemp -d)
A=tcpA$$ B=tcpB$$ R=tcpR$$
declare -A daemon_pid=()

clean() {
  for pid in "${daemon_pid[@]}"; do kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null || true; done
  for ns in $A $B $R; do ip netns del "$ns" 2>/dev/null || true; done
  rm -rf "$work"
}
trap clean EXIT

fail() {
  echo "FAILED: $*" >&2
  for log in "$work"/*.log; do [ -s "$log" ] && { echo "--- $log" >&2; tail -20 "$log" >&2; }; done
  exit 1
}
# WANT SUBSTRING GOT WHAT
has() { case $2 in *"$1"*) ;; *) fail "$3: want \"$1\", got: $2" ;; esac; }
# Not for what is left running: $! would be the shell of this function then.
on() { ip netns exec "$@"; }
# NS NAME=VALUE...
set_sysctls() {
  local ns=$1 setting
  shift
  for setting in "$@"; do
    on "$ns" sh -c 'echo "$2" >"/proc/sys/$(echo "$1" | tr . /)"' - "${setting%%=*}" "${setting#*=}"
  done
}
# NS ADDRESS PORT FILE: a program that takes one connection and writes down what comes.
listen() {
  ip netns exec "$1" timeout 20 python3 - "$2" "$3" "$4" <<'PY' &
import socket, sys
listener = socket.create_server((sys.argv[1], int(sys.argv[2])))
open(sys.argv[3] + ".ready", "w").close()
connection, _ = listener.accept()
with open(sys.argv[3], "wb") as out:
    while octets := connection.recv(4096):
        out.write(octets)
PY
  listener_pid=$!
  for _ in $(seq 200); do [ ! -e "$4.ready" ] || return 0; sleep 0.05; done
  fail "no listener at $2:$3"
}
a() { "$bin/tcproctor" --address "unix:$work/A.sock" "$@"; }
b() { "$bin/tcproctor" --address "unix:$work/B.sock" "$@"; }

# NS ADDRESS PORT: what a SYN meets there: open, refused or silent.
probe() {
  on "$1" python3 - "$2" "$3" <<'PY'
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=2)
    print("open")
except ConnectionRefusedError:
    print("refused")
except OSError as error:
    print("silent" if isinstance(error, TimeoutError) else error)
PY
}

# NS DEVICE IPV4 IPV6 GATEWAY4 GATEWAY6: what the machine's administrator does.
machine() {
  on "$1" ip link set lo up
  on "$1" ip link set "$2" up
  on "$1" ip address add "$3/24" dev "$2"
  on "$1" ip -6 address add "$4/64" dev "$2" nodad
  on "$1" ethtool -K "$2" rx off tx off sg off tso off gso off gro off >/dev/null
  [ -z "${5-}" ] || on "$1" ip route add default via "$5"
  [ -z "${6-}" ] || on "$1" ip -6 route add default via "$6"
}

build_network() {
  for ns in $A $B $R; do
    ip netns add "$ns"
    set_sysctls "$ns" net.ipv6.conf.default.accept_dad=0
  done
  ip link add eth0 netns $A type veth peer name ra netns $R
  ip link add eth0 netns $B type veth peer name rb netns $R
  machine $R ra 192.0.2.254 2001:db8:a::fe
  machine $R rb 198.51.100.254 2001:db8:b::fe
  machine $A eth0 192.0.2.1 2001:db8:a::1 192.0.2.254 2001:db8:a::fe
  machine $B eth0 198.51.100.1 2001:db8:b::1 198.51.100.254 2001:db8:b::fe
  set_sysctls $R net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
  # What an examination of a kernel needs; a session does not change a machine.
  set_sysctls $A net.ipv4.tcp_invalid_ratelimit=0 net.ipv4.tcp_challenge_ack_limit=2147483647 \
    net.ipv4.tcp_no_metrics_save=1 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0 \
    net.ipv4.tcp_fastopen=3 net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0
}

# What both daemons and who runs the suite need for mutual TLS.
make_certificates() {
  "$(dirname "$0")/../../server/access/make_certificates.sh" "$work/certificates" \
    IP:192.0.2.1,IP:198.51.100.1 ci
  cat >"$work/clients.textproto" <<'END'
client {
  name: "ci"
  targets: [STACK, KERNEL, SCRIPTED]
  interfaces: "eth0"
  prefixes: ["0.0.0.0/0", "::/0"]
}
END
}

# NAME NS MACHINE IPV4 IPV6 GATEWAY4 GATEWAY6: the daemon of the machine whose address is MACHINE.
start_daemon() {
  local certificates=$work/certificates
  rm -f "$work/$1.sock"
  ip netns exec "$2" "$bin/tcproctord" --listen "unix:$work/$1.sock,$3:7443" --interface eth0 \
    --interface-addresses "$4/24,$5/64" --interface-gateways "$6,$7" --exit-with-parent \
    --tls-cert "$certificates/server.pem" --tls-key "$certificates/server.key" \
    --tls-client-ca "$certificates/ca.pem" --client-rules "$work/clients.textproto" \
    >"$work/$1.log" 2>&1 &
  daemon_pid[$1]=$!
  for _ in $(seq 400); do
    [ ! -S "$work/$1.sock" ] || return 0
    sleep 0.05
  done
  fail "daemon $1 does not start"
}
start_a() { start_daemon A $A 192.0.2.1 192.0.2.10 2001:db8:a::10 192.0.2.254 2001:db8:a::fe; }
start_b() { start_daemon B $B 198.51.100.1 198.51.100.10 2001:db8:b::10 198.51.100.254 2001:db8:b::fe; }

# PORT ADDRESS...: a program on the same link and one beyond the router read 100000 octets there.
fetch_everywhere() {
  local port=$1 from address
  shift
  for from in $R $B; do
    for address in "$@"; do
      on "$from" curl -sS --max-time 10 --http0.9 -o "$work/got" "http://$address:$port/" ||
        fail "curl from $from to $address"
      [ "$(stat -c %s "$work/got")" = 100000 ] || fail "$address: $(stat -c %s "$work/got") octets"
    done
  done
}

# Our stack on A's interface: programs on the same link and beyond the router talk to it.
step_stack() {
  local id listener
  id=$(a session create --a stack --b remote --lease 1m)
  listener=$(a open "$id" --end A --local :7)
  a serve "$id" "$listener" source --bytes 100000 >/dev/null
  fetch_everywhere 7 192.0.2.10 '[2001:db8:a::10]'
  # The other way, from our stack to a program behind the router.
  listen $B 198.51.100.1 9000 "$work/got.9000"
  local c
  c=$(a open "$id" --end A --to 198.51.100.1:9000 --wait --timeout 5s)
  a send "$id" "$c" 'through a router' >/dev/null
  a close "$id" "$c" >/dev/null
  wait $listener_pid || true
  has 'through a router' "$(cat "$work/got.9000")" "a program beyond the router"
  # The machine's own address is its kernel's, and a second session cannot have ours.
  has "is this machine's own" "$(a session create --a stack --a-address 192.0.2.1/24 --b remote 2>&1)" \
    "the kernel's address"
  has "another session" "$(a session create --a stack --b remote 2>&1)" "the same address twice"
  a session delete "$id"
  # Nobody has the address any more.
  on $R ip neigh flush dev ra
  ! on $R curl -s --max-time 2 --http0.9 http://192.0.2.10:7/ || fail "192.0.2.10 outlives its session"
}

# Our stack on the machine's own address, with some ports of it.
step_shared() {
  local id listener rules
  id=$(a session create --a stack --b remote --shared-ports 7000-7099 --lease 1m)
  listener=$(a open "$id" --end A --local :7000)
  a serve "$id" "$listener" source --bytes 100000 >/dev/null
  fetch_everywhere 7000 192.0.2.1 '[2001:db8:a::1]'
  # The rest of the address is the kernel's: nobody listens there, and that is said.
  has refused "$(probe $B 192.0.2.1 8080)" "a port of the kernel's"
  # The other way, to a program beyond the router.
  listen $B 198.51.100.1 9001 "$work/got.9001"
  local c
  c=$(a open "$id" --end A --to 198.51.100.1:9001 --wait --timeout 5s)
  a send "$id" "$c" 'from the shared address' >/dev/null
  a close "$id" "$c" >/dev/null
  wait $listener_pid || true
  has 'from the shared address' "$(cat "$work/got.9001")" "a program beyond the router"
  has "is the machine's; this end has 7000..7099" "$(a open "$id" --end A --local :80 2>&1)" "port 80"
  a session delete "$id"
  has "may be chosen by the kernel" \
    "$(a session create --a stack --b remote --shared-ports 40000-40009 2>&1)" "ephemeral ports"
  # Once the session has ended the kernel answers again.
  has refused "$(probe $B 192.0.2.1 7000)" "the filter is gone"
}

# B's scripted peer against the kernel of A, through the router.
step_wire() {
  local id got
  listen $A 192.0.2.1 8080 "$work/got.8080"
  id=$(b session create --a scripted --b remote --b-address 192.0.2.1 --lease 1m)
  b inject "$id" --from A --sport 4000 --dport 8080 --flags S --seq 100 --mss 1460 >/dev/null
  sleep 0.3
  got=$(b call Wire/Log "{\"session\":\"$id\"}")
  grep -qE '"ttl": ?63' <<<"$got" || fail "no router was passed: $got"
  # B's kernel keeps quiet: no RST, and A goes on waiting.
  has SYN-RECV "$(on $A ss -tanH)" "A's connection is half open"
  [ "$(b capture "$id" | wc -l)" -ge 2 ] || fail "no SYN,ACK"
  b session delete "$id"
  kill $listener_pid 2>/dev/null && wait $listener_pid 2>/dev/null || true
  has 'nobody answers for 198.51.100.77 (ARP)' \
    "$(b session create --a scripted --b remote --b-address 198.51.100.77 2>&1)" "nobody there"
}

# Compares two reports: FILE FILE; names the cases that differ in $work/differ. On a machine that is too busy a clause is not judged in one of
# them (late, or behind one that was late): no difference, but most must be judged in both.
compare() {
  python3 - "$1" "$2" "$work/differ" <<'PY'
import json, sys
def results(file):
    # The sanity case is listed only where it does not pass.
    return {(r["case"], r["target"]): r for r in json.load(open(file))["results"]
            if (r["case"], r["verdict"]) != ("sanity", "INCONCLUSIVE")}
local, apart = results(sys.argv[1]), results(sys.argv[2])
same = skipped = 0
reasons, late, other = {}, [], []
for key, there in sorted(apart.items()):
    here = local.get(key)
    if here is None:
        other.append((key, "not run locally", there.get("reason", "")))
        continue
    mine = {c["name"]: c for c in here["clauses"]}
    for clause in there["clauses"]:
        only = "only where Endpoint and Wire are on one machine: "
        verdicts = mine[clause["name"]]["verdict"], clause["verdict"]
        if verdicts[1] == "SKIP" and only in clause["reason"]:
            skipped += 1
            reason = clause["reason"].split(only)[1]
            reasons.setdefault(reason, set()).add(key)
        elif verdicts[0] == verdicts[1] != "INCONCLUSIVE":
            same += 1
        elif "INCONCLUSIVE" in verdicts:
            late.append((key, clause["name"], *verdicts))
        else:
            other.append((key, clause["name"], *verdicts, clause.get("reason", "")))
missing = sorted(set(local) - set(apart))
print(f"{len(apart)} results; clauses: {same} with the same verdict, {skipped} for one machine only, "
      f"{len(late)} not judged, {len(other)} with another verdict")
for reason, keys in sorted(reasons.items()):
    print(f"  SKIP {len(keys)} results: {reason}")
for line in late:
    print("  LATE", *line)
for line in other:
    print("  OTHER", *line)
for key in missing:
    print("  MISSING", *key)
with open(sys.argv[3], "w") as file:
    print(",".join(sorted({line[0][0] for line in other + late} | {key[0] for key in missing})),
          file=file)
sys.exit(1 if other or missing or len(late) > same else 0)
PY
}

# FILTER: runs the suite on one machine and, from a third, on two; true: the verdicts are the same.
same_verdicts() {
  local level=${LEVEL:-may} certificates=$work/certificates
  "$bin/tcproctor" run --filter "$1" --level "$level" --target kernel,stack --seed 1 \
    --json "$work/local.json" >"$work/local.log" 2>&1 || [ $? -le 2 ] || fail "the local run"
  on $R "$bin/tcproctor" run --endpoint 192.0.2.1:7443 --wire 198.51.100.1:7443 \
    --tls-ca "$certificates/ca.pem" --tls-cert "$certificates/ci.pem" --tls-key "$certificates/ci.key" \
    --filter "$1" --level "$level" --seed 1 --json "$work/apart.json" >"$work/apart.log" 2>&1 ||
    [ $? -le 2 ] || fail "the run apart"
  if [ -n "${REPORTS-}" ]; then cp "$work"/local.* "$work"/apart.* "$REPORTS"; fi
  compare "$work/local.json" "$work/apart.json"
}

# The suite with Endpoint and Wire on two machines has the verdicts that it has on one. By default
# few cases, and those that find what a case before them has left on the machine: a path MTU and a
# cookie of Fast Open. A busy machine may make either run late, so what differs is run again.
step_suite() {
  local filter=${FILTER:-S000-2.*,PMTU-old-router,S002-2,TFO-cookie-4,TFO-no-cookie-2-octets}
  for _ in 1 2 3; do
    if same_verdicts "$filter"; then return; fi
    filter=$(cat "$work/differ")
  done
  fail "verdicts differ"
}

# What a killed daemon had on the machine is gone with it.
step_kill() {
  local id listener
  id=$(a session create --a stack --b remote --lease 1m)
  listener=$(a open "$id" --end A --local :7)
  a serve "$id" "$listener" echo >/dev/null
  id=$(a session create --a remote --a-address 198.51.100.1 --b kernel --lease 1m)
  a open "$id" --end B --local :8081 >/dev/null
  a session create --a stack --b remote --shared-ports 7000-7099 --lease 1m >/dev/null
  on $A ss -tlnH | grep -q ':8081 ' || fail "the kernel end does not listen"
  kill -9 "${daemon_pid[A]}"
  wait "${daemon_pid[A]}" 2>/dev/null || true
  ! on $A ss -tanH | grep -q ':8081 ' || fail "a socket is left: $(on $A ss -tanH)"
  [ -z "$(on $A cat /proc/net/packet | tail -n +2)" ] || fail "a packet socket is left"
  has refused "$(probe $B 192.0.2.1 7050)" "the filter is gone"
  [ "$(on $A cat /sys/class/net/eth0/flags)" = 0x1003 ] || fail "the interface is not as it was"
  start_a
  id=$(a session create --a stack --b remote --lease 1m) # the same address again, at once
  a session delete "$id"
}

step_shell() { A=$A B=$B R=$R bash; }

[ "$(id -u)" = 0 ] || fail "this test needs root"
build_network
make_certificates
start_a
start_b
for step in "${@:-stack shared wire suite kill}"; do
  for one in $step; do
    echo "== $one"
    "step_$one"
  done
done
echo "all steps passed"
