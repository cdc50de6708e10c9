#!/bin/bash
# Builds kvnode and shows it at work.
#
# usage: install.sh [--demo]
#
#   --demo   build the release and show it: four nodes on 127.0.0.1…4:7776 in a temporary directory store and read
#            a value through each other, and are stopped again
#
# Without --demo it does the same for now: there is no package to install yet.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

source scripts/packages.bash
source scripts/cluster.bash

main() {
  case ${1:-} in
    '')
      echo "Installing comes with the Debian package, which is not there yet; this builds kvnode and shows it."
      demonstrate
      ;;
    --demo) demonstrate ;;
    --help | -h) usage ;;
    *)
      usage >&2
      exit 64
      ;;
  esac
}

usage() { sed -n '2,/^set/ { s/^# \{0,1\}//p }' "${BASH_SOURCE[0]}"; }

install_build_dependencies() {
  require_swift
  require_packages "${BUILD_PACKAGES[@]}"
}

# Builds the release, which needs no Swift where it runs, and sets KVNODE to it.
build_release() {
  swift build --configuration release --static-swift-stdlib --product kvnode
  KVNODE=$(swift build --configuration release --static-swift-stdlib --show-bin-path)/kvnode
}

demonstrate() {
  install_build_dependencies
  require_packages netcat-openbsd
  build_release
  start_demonstration
  show_requests
  echo
  echo "This was a demonstration: its nodes are stopped and its files removed."
}

start_demonstration() {
  CLUSTER=$(mktemp -d)
  trap stop_demonstration EXIT
  require_free_ports
  write_configurations
  echo
  echo "Four nodes, each with its file like this one, started with: kvnode --config FILE"
  echo
  sed 's/^/    /' "$CLUSTER/node1.conf"
  start_cluster
}

stop_demonstration() {
  kill_cluster
  rm -rf "$CLUSTER"
}

# Shows what a user would type, and does it.
show_requests() {
  local value=$CLUSTER/myfile
  head -c 8M /dev/urandom >"$value"
  echo
  echo "A file is put through the first node and read back through the third; the second node owns its key:"
  echo
  echo '    $ (echo "PUT mykey2"; cat myfile) | nc -N 127.0.0.1 7776'
  (
    echo "PUT mykey2"
    cat "$value"
  ) | nc -N 127.0.0.1 7776 | sed 's/^/    /'
  # shellcheck disable=SC2016 # To be shown, not expanded.
  echo '    $ echo "GET mykey2" | nc 127.0.0.3 7776 | cmp - myfile && echo identical'
  echo "GET mykey2" | nc 127.0.0.3 7776 | cmp - "$value"
  echo '    identical'
  echo '    $ echo "DEL mykey2" | nc 127.0.0.4 7776'
  echo "DEL mykey2" | nc 127.0.0.4 7776
  echo '    $ echo "GET mykey2" | nc 127.0.0.1 7776'
  echo "GET mykey2" | nc 127.0.0.1 7776 | sed 's/^/    /'
}

main "$@"
