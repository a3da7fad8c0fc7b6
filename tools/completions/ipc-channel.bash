# Completion of ipc-channel for bash.
# shellcheck shell=bash

# Of servers with a bare name, where the library looks for them.
_ipc_channel_names() {
  local directory=${XDG_RUNTIME_DIR-} socket name

  case $directory in /*) ;; *) directory=/tmp/ipc_channel-$EUID ;; esac
  for socket in "$directory"/*.sock; do
    name=${socket##*/}
    [ ! -S "$socket" ] || printf '%s\n' "${name%.sock}"
  done
}

_ipc_channel_options() {
  case $1 in
    listen)
      echo --frame --input --output --exec --echo --once --max-instances
      ;;
    connect) echo --frame --input --output --exec --timeout --wait ;;
    relay) echo --monitor ;;
    info) echo --json ;;
    wait) echo --timeout ;;
    call) echo --frame --timeout --wait --notify --list --json --pretty --watch ;;
    bench)
      echo --frame --size --clients --pipeline --duration --count --timeout \
        --json
      ;;
  esac
}

# What may stand behind an option of that command. Fails where none takes a
# value.
_ipc_channel_values() {
  case $2 in
    --frame)
      case $1 in call | bench) ;; *) echo none ;; esac
      printf '%s\n' native newline nul form-feed delimiter= length= \
        content-length packet
      ;;
    length) printf '%s\n' u8 u16le u16be u32le u32be u64le u64be ;;
    --input) printf '%s\n' raw quoted hex ;;
    --output) printf '%s\n' raw quoted hex json ;;
    --exec) compgen -c -- "$3" ;;
    --max-instances | --timeout | --size | --clients | --pipeline | \
      --duration | --count | delimiter) ;;
    *) return 1 ;;
  esac
}

# How many names stand before the word at hand.
_ipc_channel_count_names() {
  local i count=0

  for ((i = 2; i < COMP_CWORD; i++)); do
    case ${COMP_WORDS[i]} in
      = | :) i=$((i + 1)) ;; # "system:x" comes as three words, too
      --frame | --input | --output | --exec | --max-instances | --timeout | \
        --size | --clients | --pipeline | --duration | --count)
        [ "${COMP_WORDS[i + 1]}" = = ] || i=$((i + 1))
        ;;
      -?*) ;;
      *) count=$((count + 1)) ;;
    esac
  done
  echo "$count"
}

# Paths, and where the command is a client the names of servers that are there.
_ipc_channel_arguments() {
  case $1:$(_ipc_channel_count_names):$2 in
    *:0:/* | relay:1:/*) compgen -f -- "$2" ;;
    connect:0:* | info:0:* | wait:0:* | call:0:* | bench:0:* | relay:1:*)
      _ipc_channel_names
      ;;
  esac
}

_ipc_channel_candidates() {
  local word=$1 before=$2 command=${COMP_WORDS[1]}

  if [ "$COMP_CWORD" -eq 1 ]; then
    printf '%s\n' listen connect relay info wait call bench help \
      --help --version
  elif [ "$command" = help ]; then
    [ "$COMP_CWORD" -gt 2 ] ||
      printf '%s\n' listen connect relay info wait call bench
  elif _ipc_channel_values "$command" "$before" "$word"; then
    :
  elif [[ $word == -* ]]; then
    # shellcheck disable=SC2046
    printf '%s\n' $(_ipc_channel_options "$command") --help --version
  else
    _ipc_channel_arguments "$command" "$word"
  fi
}

_ipc_channel() {
  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
  local candidate

  # "--frame=x" comes as three words.
  if [ "$word" = = ]; then
    word=
  elif [ "$before" = = ]; then
    before=${COMP_WORDS[COMP_CWORD - 2]}
  fi
  COMPREPLY=()
  while IFS= read -r candidate; do
    case $candidate in
      "$word"*) COMPREPLY+=("$candidate") ;;
    esac
  done < <(_ipc_channel_candidates "$word" "$before")
  if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *= ]]; then
    compopt -o nospace
  fi
}

complete -F _ipc_channel ipc-channel
