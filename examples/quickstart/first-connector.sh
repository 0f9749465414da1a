#!/usr/bin/env bash
# What somebody does who has never seen Railhead: makes a connector, builds it, tests
# it, in a folder of its own, without the repository. Every language whose toolchain
# is here is tried, in every kind; with CI=true none may be missing. It tells the
# seconds that the first connector of a language took (the bar is 60), and fails if
# anything is not green.
set -euo pipefail
railhead=$(realpath "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

# first LANG KIND: from nothing to a tested module.
first() {
  local name=first-$1-$2
  "$railhead" connector new "$name" --lang "$1" --kind "$2" >"$name.log" &&
    "$railhead" connector build "$name" -o "$name.wasm" >>"$name.log" 2>&1 &&
    "$railhead" connector test "$name" --junit "$name.xml" >>"$name.log" 2>&1
}

failed=0
while IFS=$'\t' read -r lang kinds missing; do
  if [ -n "$missing" ]; then
    echo "$lang: left out: $missing"
    [ "${CI:-}" = true ] && failed=1
    continue
  fi
  for kind in $kinds; do
    begun=$(date +%s.%N)
    if first "$lang" "$kind"; then
      seconds=$(awk -v from="$begun" -v to="$(date +%s.%N)" 'BEGIN { printf "%.1f", to - from }')
      echo "$lang $kind: $seconds s: $(tail -n 1 "first-$lang-$kind.log")"
    else
      echo "$lang $kind: not green:" >&2
      cat "first-$lang-$kind.log" >&2
      failed=1
    fi
  done
done < <("$railhead" connector languages --json | tr '{' '\n' |
  sed -nE 's/.*"kinds":"([^"]*)","lang":"([^"]*)".*"missing":"([^"]*)".*/\2\t\1\t\3/p')
exit "$failed"
