#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A live capture in a pipe. Usage: follow_test.sh FOLDER-OF-PROGRAMS
# shellcheck source=clients/cli/live_testing.sh
source "$(dirname "$0")/live_testing.sh"

id=$(t session create --a scripted --b kernel)
t open "$id" --end B --local :80 >/dev/null
# It sees each segment when it is there, not when the session ends.
"${command[@]}" capture "$id" --follow -w - 2>"$work/err" | tcpdump -n -l -r - >"$work/tcpdump" 2>/dev/null & reader=$!
t inject "$id" --from A --sport 4000 --dport 80 --flags S --seq 100 >/dev/null
line_of "$work/tcpdump" 'Flags \[S\], seq 100' >/dev/null
line_of "$work/tcpdump" 'Flags \[S\.\].* ack 101' >/dev/null
t inject "$id" --from A --sport 4000 --dport 80 --flags R --seq 101 >/dev/null
line_of "$work/tcpdump" 'Flags \[R\], seq 101' >/dev/null
kill -0 "$reader" || fail "the capture has ended"

# A reader that goes away ends it, although nothing more comes.
mkfifo "$work/pipe"
"${command[@]}" capture "$id" --follow -w - >"$work/pipe" 2>"$work/gone" & capture=$!
head -c 24 <"$work/pipe" >/dev/null
exits 0 "$capture" "the reader went away"

# Text, and JSON by line, are as live.
"${command[@]}" capture "$id" --follow >"$work/text" & pids+=($!)
"${command[@]}" capture "$id" --follow --output json >"$work/json" & pids+=($!)
line_of "$work/text" ' R seq 101 ' >/dev/null
line_of "$work/json" '^{.*"sequence_number":101.*}$' >/dev/null

# Ctrl-C: what was written is a whole file.
"${command[@]}" capture "$id" --follow -w "$work/file.pcap" & capture=$!
until [ "$(tcpdump -n -r "$work/file.pcap" 2>/dev/null | wc -l)" -ge 3 ]; do sleep 0.05; done
kill -INT "$capture"
exits 0 "$capture" "Ctrl-C"
tcpdump -n -r "$work/file.pcap" 2>&1 | grep -q 'Flags \[R\]' || fail "$(tcpdump -n -r "$work/file.pcap" 2>&1)"

# Wireshark's reader sees what tcpdump's does, where it is there; the session's end ends it.
if command -v tshark >/dev/null; then
  t capture "$id" --follow -w - 2>/dev/null | tshark -l -r - >"$work/tshark" 2>/dev/null & shark=$!
  line_of "$work/tshark" '\[SYN\] Seq=0' >/dev/null
fi
t session delete "$id"
exits 0 "$reader" "the session's end"
# Each once, whatever was retransmitted in between.
[ "$(grep -c 'Flags \[S\], \|Flags \[R\], ' "$work/tcpdump")" = 2 ] || fail "$(cat "$work/tcpdump")"
[ -z "${shark:-}" ] || exits 0 "$shark" "the session's end, tshark"
echo done
