#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What bash and zsh complete. Usage: completion_test.sh TCPROCTOR
set -euo pipefail
tcproctor=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$tcproctor" completion bash >"$work/bash"
"$tcproctor" completion zsh >"$work/_tcproctor"
# A daemon's sessions, without a daemon.
mkdir "$work/bin"
printf '#!/bin/sh\n[ "$1 $2" = "session list" ] && echo "s17  A stack  B kernel"\n' >"$work/bin/tcproctor"
chmod +x "$work/bin/tcproctor"
export PATH=$work/bin:$PATH
status=0

# bash_completes EXPECTED WORD…: the last word is the one to be completed; EXPECTED are words among
# those offered, with a "!" before one that must not be.
bash_completes() {
  local expected=$1 offered word
  shift
  offered=" $(bash --norc -c '
    source "$1"
    shift
    COMP_WORDS=(tcproctor "$@")
    COMP_CWORD=$#
    _tcproctor
    echo ${COMPREPLY[*]}' - "$work/bash" "$@") "
  for word in $expected; do
    case $word in
      !*) [[ $offered != *" ${word#!} "* ]] || { echo "bash: tcproctor $*: offers ${word#!}"; status=1; } ;;
      *) [[ $offered == *" $word "* ]] || { echo "bash: tcproctor $*: $word is not in:$offered"; status=1; } ;;
    esac
  done
}

bash_completes 'session serve send shell status !run' s
bash_completes 'create exec delete' session ''
bash_completes 'create !delete' session c
bash_completes '--lease --a --address --output !--sport' session create --
bash_completes '--sport --flags --json !--lease' inject s17 --
bash_completes 'A B' inject s17 --from ''
bash_completes 'table json' status --output ''
bash_completes 's17' status ''
bash_completes '!s17' session create ''
bash_completes 'sink source echo' serve s17 1 ''
bash_completes 'bash zsh' completion ''
bash_completes 'inject' help inj
bash_completes 'renew' help session r

# Every verb, with its flags.
"$tcproctor" help | sed -n 's/^  \([a-z]\+\( [a-z]\+\)\?\) .*/\1/p' >"$work/verbs"
[ "$(wc -l <"$work/verbs")" -gt 15 ]
while read -r verb; do
  # shellcheck disable=SC2086
  bash_completes '--address --json --help' $verb --
done <"$work/verbs"

# zsh, as at a terminal of its own.
zsh_completes() {
  local line=$1 expected=$2
  zsh -f -c '
    zmodload zsh/zpty
    zpty shell zsh -f -i
    zpty -w shell "PS1= ; autoload -U compinit; compinit -u -D; source $1; LISTMAX=0; echo rea""dy"
    zpty -r shell out "*ready*"
    zpty -w -n shell "$2"$'"'\\t\\t'"'
    sleep 0.7
    zpty -w -n shell $'"'\\C-u'"'
    zpty -w shell "echo do""ne"
    zpty -r shell out "*done*"
    print -r -- "$out"' - "$work/_tcproctor" "$line" >"$work/out" 2>&1
  for word in $expected; do
    grep -q -- "$word" "$work/out" || { echo "zsh: $line: $word is not in:"; cat "$work/out"; status=1; }
  done
}
zsh_completes 'tcproctor se' 'session serve send'
zsh_completes 'tcproctor session c' 'session create'
zsh_completes 'tcproctor inject s17 --se' 'segment'
zsh_completes 'tcproctor serve s17 1 ' 'sink source echo'
exit "$status"
