# common.sh - what the scripts share: finding what is missing, and installing only that. Sourced.

say() { printf '%s\n' "$*"; }
die() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 3; }

# The Debian package is there if what we want of it is: it may have come from elsewhere.
have() {
  case $1 in
  gcc) command -v gcc >/dev/null ;;
  libc6-dev) printf '#include <stdio.h>\n' | gcc -E - >/dev/null 2>&1 ;;
  meson) command -v meson >/dev/null ;;
  ninja-build) command -v ninja >/dev/null ;;
  pkg-config) command -v pkg-config >/dev/null ;;
  python3) command -v python3 >/dev/null ;;
  libsqlite3-dev) pkg-config --exists sqlite3 2>/dev/null ;;
  libcurl4-openssl-dev) pkg-config --exists libcurl 2>/dev/null ;;
  libyaml-dev) pkg-config --exists yaml-0.1 2>/dev/null ;;
  libonig-dev) pkg-config --exists oniguruma 2>/dev/null ;;
  libmicrohttpd-dev) pkg-config --exists libmicrohttpd 2>/dev/null ;;
  libssl-dev) pkg-config --exists libcrypto 2>/dev/null ;;
  libnats-dev) pkg-config --exists libnats 2>/dev/null ;;
  libcmocka-dev) pkg-config --exists cmocka 2>/dev/null ;;
  clang) command -v clang >/dev/null ;;
  nodejs) node -e 'process.exit(parseInt(process.versions.node) >= 18 ? 0 : 1)' 2>/dev/null ;;
  npm) command -v npm >/dev/null ;;
  openssl) command -v openssl >/dev/null ;;
  valgrind) command -v valgrind >/dev/null && printf '#include <valgrind/callgrind.h>\n' | gcc -E - >/dev/null 2>&1 ;;
  tzdata) [ -r "${TZDIR:-/usr/share/zoneinfo}/Europe/Berlin" ] ;;
  jq) command -v jq >/dev/null ;;
  gojq) command -v gojq >/dev/null ;;
  libclang-rt-14-dev) # the sanitizers of whatever clang there is
    printf 'int main(void) { return 0; }\n' |
      clang -x c -fsanitize=address,undefined -o /dev/null - >/dev/null 2>&1 ;;
  *) die "have: no rule for $1" ;;
  esac
}

# As root, or by sudo.
update_lists() {
  if ((EUID == 0)); then apt-get update -q; else sudo apt-get update -q; fi
}

# need PACKAGE...: installs those that are missing. With everything there, apt-get is not called.
need() {
  local package missing=()
  for package in "$@"; do
    have "$package" || missing+=("$package")
  done
  ((${#missing[@]})) || return 0
  command -v apt-get >/dev/null ||
    die "missing: ${missing[*]} (names of Debian packages); install them, then try again"
  local as_root=()
  if ((EUID != 0)); then
    command -v sudo >/dev/null || die "missing: ${missing[*]}; run this as root, or install sudo"
    as_root=(sudo)
  fi
  say "Installing ${missing[*]}"
  local log
  log=$(mktemp)
  if ! { "${as_root[@]}" apt-get update -q &&
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends \
      "${missing[@]}"; } >"$log" 2>&1 </dev/null; then
    tail -n 20 "$log" >&2
    rm -f "$log"
    die "apt-get failed; above are its last lines"
  fi
  rm -f "$log"
  for package in "${missing[@]}"; do
    have "$package" || die "$package was installed, but what it is for does not work"
  done
}

# unpack FOLDER PACKAGE...: the files of Debian packages below FOLDER/PACKAGE, without installing them: a server that a
# test starts itself, from a package that would start one. Fetched once; needs no rights.
unpack() {
  local folder=$1 package log
  shift
  for package in "$@"; do
    [[ -f $folder/$package/unpacked ]] && continue
    command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || {
      say "$package: not on Debian: what needs it is skipped"
      continue
    }
    say "Fetching $package"
    log=$(mktemp)
    rm -rf "${folder:?}/$package"
    mkdir -p "$folder/$package"
    if ! (cd "$folder/$package" && { apt-get download -q "$package" || { update_lists && apt-get download -q "$package"; }; } &&
      dpkg-deb -x ./*.deb . && rm ./*.deb && : >unpacked) >"$log" 2>&1 </dev/null; then
      tail -n 20 "$log" >&2
      rm -f "$log"
      die "$package could not be fetched; above are the last lines"
    fi
    rm -f "$log"
  done
}

build_needs=(gcc libc6-dev meson ninja-build pkg-config python3 libsqlite3-dev libcurl4-openssl-dev
  libyaml-dev libonig-dev libssl-dev libmicrohttpd-dev libnats-dev)

# configure FOLDER OPTION...: meson setup, once; quiet unless it fails.
configure() {
  local folder=$1 log
  shift
  [[ -f $folder/build.ninja ]] && return 0
  log=$(mktemp)
  if ! meson setup "$folder" "$@" >"$log" 2>&1; then
    tail -n 30 "$log" >&2
    rm -f "$log"
    return 1
  fi
  rm -f "$log"
}

# build FOLDER [TARGET...]: ninja; quiet unless it fails.
build() {
  local folder=$1 log
  shift
  log=$(mktemp)
  if ! ninja -C "$folder" "$@" >"$log" 2>&1; then
    grep -Ev '^(\[[0-9]+/[0-9]+\]|cc|gcc|clang) ' "$log" | tail -n 60 >&2
    rm -f "$log"
    return 1
  fi
  rm -f "$log"
}
