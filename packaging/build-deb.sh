#!/usr/bin/env bash
# Builds kvnode's Debian package, and its package of debug symbols, from this source tree.
#
#   packaging/build-deb.sh [--output DIRECTORY]
#   packaging/build-deb.sh --repack FILE.deb --version VERSION [--output DIRECTORY]
#
# The packages go to dist/ unless --output names another directory; nothing else in the tree changes. The second
# form builds nothing: it gives the content of an existing package another version, to try an upgrade with.
#
# Environment:
#   KVNODE_SCRATCH_PATH   directory for Swift's build products; kept, so that the next build takes seconds.
#                         Default: a temporary one.
set -euo pipefail

tree=$(cd "$(dirname "$0")/.." && pwd)
output=$tree/dist
version=
repacked=

fail() {
  echo "build-deb.sh: $*" >&2
  exit 1
}

usage() {
  sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"
}

parse() {
  while [ $# -gt 0 ]; do
    case $1 in
      -h | --help)
        usage
        exit 0
        ;;
      --output | --version | --repack) [ $# -gt 1 ] || fail "$1 needs a value" ;;
      *) fail "unknown argument: $1 (--help shows the known ones)" ;;
    esac
    case $1 in
      --output) output=$2 ;;
      --version) version=$2 ;;
      --repack) repacked=$2 ;;
    esac
    shift 2
  done
  [ -z "$version" ] || [ -n "$repacked" ] || fail "--version goes with --repack; a build's is in the changelog"
  [ -n "$version" ] || [ -z "$repacked" ] || fail "--repack needs --version"
}

# Always the same directory for a user: the compiler writes source paths into what it makes, so another path would give
# another package, and make a kept KVNODE_SCRATCH_PATH useless.
make_stage() {
  stage=${TMPDIR:-/tmp}/kvnode-deb-$EUID
  [ -d "$stage" ] || mkdir -m 0700 "$stage"
  if [ ! -O "$stage" ] || [ -L "$stage" ]; then fail "$stage is somebody else's: remove it, or set TMPDIR to another directory"; fi
  # The lock stays: whoever waits for it must not be left holding a deleted file.
  exec 9>"$stage/lock"
  flock 9
  trap empty_stage EXIT
  empty_stage
}

empty_stage() {
  find "$stage" -mindepth 1 -maxdepth 1 ! -name lock -exec rm -rf {} +
}

# What git tracks or would track, as it stands in the tree now; without git, everything but build products.
list_sources() {
  cd "$tree"
  if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
    git ls-files -z --cached --others --exclude-standard
  else
    find . \( -name .git -o -name '.build*' -o -name dist \) -prune -o ! -type d -print0
  fi
}

export_sources() {
  mkdir "$stage/source"
  list_sources | while IFS= read -r -d '' file; do
    # A file deleted but not yet committed so is still listed.
    [ ! -e "$tree/$file" ] && [ ! -L "$tree/$file" ] || printf '%s\0' "$file"
  done | tar -C "$tree" --create --null --files-from=- | tar -C "$stage/source" --extract
  cp -aL "$stage/source/packaging/debian" "$stage/source/debian"
}

check_tools() {
  local tool
  for tool in dpkg-buildpackage dh; do
    command -v "$tool" >/dev/null || fail "$tool is missing: apt-get install dpkg-dev debhelper"
  done
  command -v swift >/dev/null || fail "swift is not on PATH; see https://www.swift.org/install/linux/"
}

build() {
  check_tools
  make_stage
  export_sources
  cd "$stage/source"
  SOURCE_DATE_EPOCH=$(dpkg-parsechangelog --show-field Timestamp)
  export SOURCE_DATE_EPOCH
  # What the caller chose for its own make or build must not reach this one.
  env -u MAKEFLAGS -u MAKELEVEL dpkg-buildpackage --build=binary --no-sign
  mkdir -p "$output"
  find "$stage" -maxdepth 1 -type f ! -name lock -exec mv -f -t "$output" {} +
}

repack() {
  local name architecture
  make_stage
  dpkg-deb --raw-extract "$repacked" "$stage/package"
  # kvnode wants kvctl of its own version.
  sed -i -e "s/^Version: .*/Version: $version/" -e "s/kvctl (= [^)]*)/kvctl (= $version)/" "$stage/package/DEBIAN/control"
  name=$(dpkg-deb --field "$repacked" Package)
  architecture=$(dpkg-deb --field "$repacked" Architecture)
  mkdir -p "$output"
  dpkg-deb --root-owner-group --build "$stage/package" "$output/${name}_${version}_${architecture}.deb"
}

main() {
  parse "$@"
  output=$(realpath -m "$output")
  if [ -n "$repacked" ]; then
    repacked=$(realpath "$repacked")
    repack
  else
    build
  fi
  echo "In $output:"
  find "$output" -maxdepth 1 -name '*.deb' -printf '  %f\n' | sort
}

main "$@"
