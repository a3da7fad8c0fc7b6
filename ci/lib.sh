# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # colours for, and root from, ./dev
# Messages, quiet runs, and getting the tools that a command of ./dev needs.
# Keeps to what bash 3.2 knows, which is macOS's.

if [ -t 1 ]; then
  bold=$'\e[1m' red=$'\e[31m' green=$'\e[32m' plain=$'\e[0m'
else
  bold='' red='' green='' plain=''
fi

say() { printf '%s\n' "$bold$*$plain"; }
die() {
  printf '%s\n' "${red}dev: $*$plain" >&2
  exit 1
}

# quiet NAME COMMAND...: the output goes to build/log/NAME.log, and is shown
# only if the command fails.
quiet() {
  local log=$root/build/log/$1.log
  shift
  mkdir -p "${log%/*}"
  "$@" >"$log" 2>&1 && return
  cat "$log" >&2
  printf '%s\n' "${red}failed: $*$plain" >&2
  return 1
}

# is_present TOOL: is it there, on whatever system this is?
is_present() {
  case $1 in
    cc) command -v cc || command -v gcc || command -v cl ;;
    c++) command -v c++ || command -v g++ || command -v cl ;;
    ninja) command -v ninja || command -v ninja-build ;;
    libuv) pkg-config --exists 'libuv >= 1.44.2' ;;
    cmocka) pkg-config --exists cmocka ;;
    nng) echo '#include <nng/nng.h>' | cc -E - ;;
    zeromq) pkg-config --exists libzmq ;;
    nanomsg) pkg-config --exists nanomsg ;;
    jansson) pkg-config --exists 'jansson >= 2.11' ;;
    clang-runtime) compiles_with_sanitizers ;;
    mingw-w64) command -v x86_64-w64-mingw32-gcc ;;
    wine) command -v /usr/lib/wine/wine64 || command -v wine64 ||
      command -v wine ;;
    source-packages) command -v apt-get && command -v dpkg-source ;;
    # Its test is skipped elsewhere.
    systemd-socket-activate) ! command -v apt-get || command -v "$1" ;;
    *) command -v "$1" ;;
  esac >/dev/null 2>&1
}

compiles_with_sanitizers() {
  echo 'int main(void) { return 0; }' |
    clang -fsanitize=address,undefined -x c -o /dev/null - &&
    command -v llvm-symbolizer
}

# debian_packages TOOL: the packages that bring it.
debian_packages() {
  case $1 in
    cc) echo gcc libc6-dev ;;
    c++) echo g++ ;;
    ninja) echo ninja-build ;;
    libuv) echo libuv1-dev ;;
    cmocka) echo libcmocka-dev ;;
    nng) echo libnng-dev ;;
    zeromq) echo libzmq3-dev ;;
    nanomsg) echo libnanomsg-dev ;;
    node) echo nodejs ;;
    jansson) echo libjansson-dev ;;
    # The runtime's package has the version in its name.
    clang-runtime) apt-cache depends clang |
      sed -n 's/.*Depends: clang-\([0-9]*\)$/libclang-rt-\1-dev llvm/p' ;;
    mingw-w64) echo gcc-mingw-w64-x86-64 ;;
    wine) echo wine64 ;;
    source-packages) echo dpkg-dev xz-utils ;;
    systemd-socket-activate) echo systemd ;;
    *) echo "$1" ;;
  esac
}

missing_of() {
  local tool
  for tool; do
    is_present "$tool" || echo "$tool"
  done
}

# need TOOL...: installs what is missing where apt can, and otherwise says
# what is missing and stops.
need() {
  local missing
  missing=$(missing_of "$@")
  if [ -n "$missing" ] && command -v apt-get >/dev/null; then
    # One word a tool.
    # shellcheck disable=SC2086
    apt_install $missing
    missing=$(missing_of "$@")
  fi
  # shellcheck disable=SC2086
  [ -z "$missing" ] || die 'not found here:' $missing \
    '- install that, libraries with headers and pkg-config file, and try again'
}

# want TOOL...: as need, but goes on without what can't be had. Fails when it
# has installed something.
want() {
  local missing
  missing=$(missing_of "$@")
  # shellcheck disable=SC2086
  if [ -z "$missing" ] || ! command -v apt-get >/dev/null ||
    ! (apt_install $missing); then
    return 0
  fi
  return 1
}

# apt_install TOOL...
apt_install() {
  local tool packages=''
  say "installing $*"
  quiet apt-update as_root apt-get update
  for tool; do packages="$packages $(debian_packages "$tool")"; done
  # shellcheck disable=SC2086
  quiet apt-install as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y --no-install-recommends $packages
}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    die "this needs root or sudo: $*"
  fi
}
