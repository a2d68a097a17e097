#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A CA of one's own, for a trial or a test: FOLDER/ca.pem; server.pem and server.key for the names of the
# daemon's machine; NAME.pem and NAME.key for each client, with NAME as its common name, or with
# alternative names instead where they are given.
#
#   make_certificates.sh FOLDER DNS:lab.example.org,IP:192.0.2.7 ci guest robot=DNS:robot.example.org
set -euo pipefail
if [ $# -lt 2 ]; then
  echo "usage: $0 FOLDER ALTERNATIVE_NAMES_OF_THE_SERVER [CLIENT[=ALTERNATIVE_NAMES]]…" >&2
  exit 2
fi
folder=$1 server=$2
shift 2
mkdir -p "$folder"
cd "$folder"
umask 077

# make NAME SUBJECT [ARGUMENT…]
make() {
  local name=$1 subject=$2
  shift 2
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -keyout "$name.key" \
    -out "$name.pem" -subj "$subject" "$@" 2>/dev/null
}
# issue NAME ALTERNATIVE_NAMES
issue() {
  local names=()
  [ -z "$2" ] || names=(-addext "subjectAltName=$2")
  make "$1" "/CN=$1" -CA ca.pem -CAkey ca.key -addext basicConstraints=critical,CA:FALSE "${names[@]}"
}

[ -f ca.pem ] || make ca "/CN=tcproctor trial CA" -addext basicConstraints=critical,CA:TRUE
issue server "$server"
for client in "$@"; do
  names=${client#*=}
  [ "$names" != "$client" ] || names=
  issue "${client%%=*}" "$names"
done
