#!/bin/bash
# Builds kvnode's Debian package, installs it and shows it at work.
#
# usage: install.sh [--demo]
#
#   --demo   do not install kvnode: four nodes on 127.0.0.1…4:7776 in a temporary directory store and read a value
#            through each other, and are stopped again
#
# Without --demo: builds the packages into dist/, installs them with apt, starts the node (with systemd if that runs,
# else in the background), stores a value and reads it back. Running it again is harmless. Both install with apt what
# the build needs.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

readonly DIST=$PWD/dist

source scripts/packages.bash
source scripts/cluster.bash

main() {
  case ${1:-} in
    '') install ;;
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
  as_builder swift build --configuration release --static-swift-stdlib --product kvnode
  KVNODE=$(as_builder swift build --configuration release --static-swift-stdlib --show-bin-path)/kvnode
}

install() {
  install_build_dependencies
  require_packages "${PACKAGE_BUILD_PACKAGES[@]}" netcat-openbsd procps
  build_package
  install_package
  if [[ -d /run/systemd/system ]]; then start_by_systemd; else start_in_background; fi
  await_installed_node
  show_round_trip
  explain
}

build_package() {
  echo "building the packages into $DIST, which takes some minutes the first time"
  as_builder mkdir -p "$DIST"
  if ! as_builder env KVNODE_SCRATCH_PATH="$PWD/.build-package" packaging/build-deb.sh --output "$DIST" 2>&1 |
    as_builder tee "$DIST/build.log" | show_progress; then
    tail -n 40 "$DIST/build.log" >&2
    echo "install.sh: building the packages failed; the complete output is in $DIST/build.log" >&2
    exit 1
  fi
  packages=("$DIST/kvnode_$(newest_version)"_*.deb "$DIST/kvctl_$(newest_version)"_*.deb)
}

newest_version() { dpkg-parsechangelog --file packaging/debian/changelog --show-field Version; }

# The steps that Swift counts, in one line on a terminal, and elsewhere a line for every few.
show_progress() {
  local step shown=0
  while read -r step _; do
    [[ $step =~ ^\[[0-9]+/[0-9]+\]$ ]] || continue
    if [[ -t 1 ]]; then
      printf '\r  %-12s' "$step"
    elif ((++shown % 20 == 1)); then
      echo "  $step"
    fi
  done
  if [[ -t 1 ]]; then echo; fi
}

# apt, unlike dpkg, brings the libraries that the packages depend on.
install_package() {
  echo "installing kvnode $(newest_version)"
  apt_get install --yes --reinstall --allow-downgrades -o Dpkg::Options::=--force-confold "${packages[@]}"
}

start_by_systemd() {
  as_root systemctl start kvnode.socket kvnode-admin.socket
  as_root systemctl restart kvnode.service
}

# Where systemd does not run, as in a container, the same program binds its ports itself.
start_in_background() {
  local old
  as_root mkdir -p /var/lib/kvnode
  as_root chown kvnode:kvnode /var/lib/kvnode
  as_root chmod 0750 /var/lib/kvnode
  # What an earlier run started makes way for what was just installed.
  old=$(pgrep --exact --uid kvnode kvnode || true)
  if [[ -n $old ]]; then
    # shellcheck disable=SC2086 # One word a process.
    as_root kill $old
    timeout 100 tail --pid="${old%%$'\n'*}" --follow=descriptor /dev/null || true
  fi
  as_root touch /var/log/kvnode.log
  as_root chown kvnode /var/log/kvnode.log
  as_root setsid setpriv --reuid kvnode --regid kvnode --clear-groups --inh-caps=-all \
    sh -c 'exec /usr/sbin/kvnode >>/var/log/kvnode.log 2>&1 </dev/null' &
}

await_installed_node() {
  local attempt
  for attempt in $(seq 100); do
    if curl_health >/dev/null 2>&1; then return 0; fi
    sleep 0.1
  done
  echo "install.sh: the node does not answer on 127.0.0.1:7777 after $((attempt / 10)) s; see its log" >&2
  exit 1
}

curl_health() { printf 'GET /healthz HTTP/1.0\r\n\r\n' | nc -w 5 127.0.0.1 7777 | grep --quiet '^HTTP/1.1 200'; }

# Shows what a user would type, and does it.
show_round_trip() {
  echo
  # shellcheck disable=SC2016 # To be shown, not expanded.
  echo '    $ (echo "PUT hello"; echo "kvnode is installed") | nc -N localhost 7776'
  (echo "PUT hello"; echo "kvnode is installed") | nc -N localhost 7776 | sed 's/^/    /'
  echo '    $ echo "GET hello" | nc localhost 7776'
  echo "GET hello" | nc localhost 7776 | sed 's/^/    /'
  echo "DEL hello" | nc localhost 7776
  echo
}

explain() {
  echo "The packages for further hosts, which need no Swift, are"
  printf '    %s\n' "${packages[@]}"
  echo
  echo "The configuration is /etc/kvnode.conf. To make a cluster, install the package on every host, list all of them"
  echo "in /etc/kvnode.conf.d/cluster.conf, the same on each,"
  echo
  printf '    [Peers]\n    node1=192.0.2.11\n    node2=192.0.2.12\n'
  echo
  if [[ -d /run/systemd/system ]]; then
    echo "and run: systemctl reload kvnode"
  else
    echo "and run: pkill -HUP -x -u kvnode kvnode"
    echo "To stop the node: pkill -x -u kvnode kvnode; its log is /var/log/kvnode.log."
  fi
}

as_root() {
  if ((EUID == 0)); then "$@"; else sudo "$@"; fi
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
