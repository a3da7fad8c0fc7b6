#!/usr/bin/env bash
# The demonstration: an echo server, and a client that sends it text files of
# this repository, line by line as messages and then as plain bytes. What comes
# back must be the same. `./dev demo` builds the programs and runs this.
set -euo pipefail

if [ $# -ne 1 ]; then
  echo "usage: ${0##*/} BUILD_DIR" >&2
  exit 2
fi
programs=$(cd "$1/examples" && pwd)
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Short, since a socket's path has to fit into 103 bytes on macOS.
work=$(mktemp -d /tmp/ipc-demo-XXXXXX)
export XDG_RUNTIME_DIR=$work
server=''
clean_up() {
  stop_server
  rm -rf "$work"
}
trap clean_up EXIT

start_server() {
  local tries=0
  "$programs/echo_server" "$@" >"$work/server" 2>&1 &
  server=$!
  until grep -q '^listening on ' "$work/server"; do
    tries=$((tries + 1))
    if [ "$tries" -gt 100 ] || ! kill -0 "$server" 2>/dev/null; then
      cat "$work/server" >&2
      echo 'the echo server does not listen' >&2
      exit 1
    fi
    sleep 0.1
  done
  sed 's/^/server: /' "$work/server"
}

stop_server() {
  [ -n "$server" ] || return 0
  kill "$server" 2>/dev/null || true
  wait "$server" 2>/dev/null || true
  server=''
}

# show MARK WHO: the first lines and the last one of what went one way.
show() {
  awk -v mark="$1" -v who="$2" '
    function say(text) { printf "  %s%.62s\n", who, text }
    substr($0, 1, 1) == mark {
      last = substr($0, 2)
      if (++count <= 3) say(last)
    }
    END {
      if (count > 4) print "  ..."
      if (count > 3) say(last)
    }' "$work/talk"
}

# echo_file FILE MODE: sends it, shows the conversation, compares.
echo_file() {
  local file=$1 mode=$2 status=0
  local options=()
  [ "$mode" = messages ] || options=(raw)

  echo
  echo "$file, as $mode"
  "$programs/demo_client" demo "$file" "$work/copy" ${options[@]+"${options[@]}"} \
    >"$work/talk" || status=$?
  show '>' 'client sends '
  show '<' 'server echoes'
  if [ "$status" -ne 0 ]; then
    echo "  FAILED: the client ended with status $status"
  elif cmp "$file" "$work/copy"; then
    same=$((same + 1))
    summary="$summary$(printf '%-10s %-9s %5d sent  %5d back  %7d bytes  identical' \
      "$file" "$mode" "$(grep -c '^>' "$work/talk")" \
      "$(grep -c '^<' "$work/talk")" "$(wc -c <"$file")")
"
    return
  fi
  summary="$summary$(printf '%-10s %-9s FAILED' "$file" "$mode")
"
}

same=0
summary=''
start_server demo
for file in LICENSE README.md; do echo_file "$file" messages; done
stop_server
start_server demo raw
for file in LICENSE README.md; do echo_file "$file" bytes; done
stop_server

echo
printf '%s' "$summary"
echo 'Messages come back one for one; bytes may come back in other pieces.'
echo "$same of 4 came back as they were sent"
[ "$same" -eq 4 ]
