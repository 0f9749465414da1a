#!/usr/bin/env bash
# Starts a PostgreSQL of its own, on a socket and a private port, and runs the
# command given with RAILHEAD_POSTGRES naming it. The server refuses to run as
# root, so as root it runs as the user postgres. Nothing is left behind.
set -euo pipefail

bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)
[ -n "$bin" ] || bin=$(dirname "$(command -v initdb || true)")
[ -x "$bin/initdb" ] || { echo "postgres.sh: needs PostgreSQL's server programs (Debian: postgresql)" >&2; exit 1; }

as=()
if [ "$(id -u)" = 0 ]; then as=(setpriv --reuid=postgres --regid=postgres --init-groups --); fi

dir=$(mktemp -d)
port=$(( 20000 + RANDOM % 20000 ))
stop() {
  "${as[@]}" "$bin/pg_ctl" -D "$dir/data" -m immediate stop >/dev/null 2>&1 || true
  rm -rf "$dir"
}
trap stop EXIT
[ ${#as[@]} -eq 0 ] || chown postgres "$dir"

cd "$dir"
"${as[@]}" "$bin/initdb" -D "$dir/data" -U postgres -A trust -E UTF8 --locale=C >"$dir/log" 2>&1 || { cat "$dir/log" >&2; exit 1; }
"${as[@]}" "$bin/pg_ctl" -D "$dir/data" -l "$dir/server.log" -w -t 60 \
  -o "-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories=$dir -c max_connections=200" start >/dev/null || { cat "$dir/server.log" >&2; exit 1; }
cd "$OLDPWD"

export RAILHEAD_POSTGRES="postgres://postgres@127.0.0.1:$port/postgres?sslmode=disable"
"$@"
