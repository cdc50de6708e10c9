#!/usr/bin/env bats
# Hosts of package version 0.1, which knows no layout, are upgraded one by one under load.
#
# The old package is built from the last commit before layouts, which takes minutes: with KVNODE_LONG set, or where
# KVNODE_OLD_DEB names the package, with kvctl's beside it.

# nodes and here come from machines.bash.
# shellcheck disable=SC2154
load machines
load audit

nodes=(node1 node2 node3)

readonly OLD_COMMIT=68c6499efab3fcfd183950a069a9b21b7c294404

setup_file() {
  export BATS_TEST_TIMEOUT=1800
  [ -z "$(want_of_old_package)" ] || return 0
  [ -n "${KVNODE_OLD_DEB:-}" ] || build_old_package
  KVCTL_OLD_DEB=$(find "$(dirname "$KVNODE_OLD_DEB")" -name "kvctl_$(basename "$KVNODE_OLD_DEB" | cut -d _ -f 2-)")
  export KVNODE_OLD_DEB KVCTL_OLD_DEB
  peers_of_three >"$BATS_FILE_TMPDIR/peers.conf"
  boot_machines prepare_old
  start_audit 2
  clients_go_on
}

setup() {
  local reason
  reason=$(want_of_old_package)
  [ -z "$reason" ] || skip "$reason"
}

teardown_file() {
  end_audit
  [ -n "$(want_of_old_package)" ] || end_cluster
}

# Why there is no old package, if so.
want_of_old_package() {
  if [ -n "${KVNODE_OLD_DEB:-}" ]; then
    [ -f "$KVNODE_OLD_DEB" ] || echo "KVNODE_OLD_DEB names no package"
  elif [ -z "${KVNODE_LONG:-}" ]; then
    echo "building the package of version 0.1 takes minutes, and KVNODE_LONG is not set"
  elif ! git -C "$here" cat-file -e "$OLD_COMMIT^{commit}" 2>/dev/null; then
    echo "the commit before layouts is not here, as in a shallow clone or without git"
  fi
}

build_old_package() {
  local source=$BATS_FILE_TMPDIR/old
  mkdir -p "$source"
  git -C "$here/../../.." archive "$OLD_COMMIT" | tar -x -C "$source"
  # Its products would stand in the way of the present sources'.
  env -u KVNODE_SCRATCH_PATH "$source/packaging/build-deb.sh" --output "$source/dist" >"$source/log" 2>&1 || {
    tail -n 30 "$source/log" >&2
    return 1
  }
  KVNODE_OLD_DEB=$(find "$source/dist" -name 'kvnode_*.deb')
}

peers_of_three() {
  printf '[Peers]\nnode1=192.0.2.11:7776\nnode2=[2001:db8::12]:7776\nnode3=node3:7776\n'
}

prepare_old() {
  rig install "$1" "$KVNODE_OLD_DEB" "$KVCTL_OLD_DEB"
  rig push "$1" "$BATS_FILE_TMPDIR/peers.conf" /etc/kvnode.conf.d/peers.conf
  on "$1" systemctl reload kvnode.service
}

# upgrade NODE: by apt, as docs/operating.md has it.
upgrade() {
  local pid
  pid=$(property "$1" MainPID)
  rig install "$1" "$KVNODE_DEB_NEXT" "$KVCTL_DEB_NEXT"
  patiently was_replaced "$1" "$pid"
  [ "$(on "$1" dpkg-query --show kvnode)" = "$(printf 'kvnode\t%s' "$(dpkg-deb --field "$KVNODE_DEB_NEXT" Version)")" ]
}

# still_values NODE: the names of those that nobody writes again, which lie there.
still_values() {
  on "$1" find /var/lib/kvnode/values -type f -name 'still*' -printf '%f\n' | sort
}

all_still_values() {
  local node
  for node in "${nodes[@]}"; do
    echo "$node"
    still_values "$node"
  done
}

# Each value is stored through one host, and read and deleted through another: every pair of hosts, whoever owns it.
all_pairs_serve() {
  local from to owner key
  for from in "${nodes[@]}"; do
    for to in "${nodes[@]}"; do
      for owner in 1 2 3; do
        key=$(key_of "$owner" "pair-$from-$to")
        [ "$(echo "value of $key" | put node1 "$from" "$key")" = "$key" ] || return 1
        [ "$(get node1 "$to" "$key")" = "value of $key" ] || return 1
        [ -z "$(delete node1 "$to" "$key")" ] || return 1
        [[ $(get node1 "$from" "$key") == *'no such key' ]] || return 1
      done
    done
  done
}

has_no_layout() { tells "$1" layout null; }

@test "a new host among old ones goes by the list as they do, says so, and relays both ways" {
  all_still_values >"$BATS_FILE_TMPDIR/still"
  upgrade node1
  clients_go_on
  all_pairs_serve
  has_no_layout node1
  patiently tells node1 progress '*node2, node3 are of an older version*'
  [[ $(on node1 kvctl status || true) == *'no layout yet'* ]]
}

@test "so do two, and nothing is decided as long as a listed host is old" {
  upgrade node2
  clients_go_on
  all_pairs_serve
  patiently tells node1 progress 'no layout yet: node3 is of an older version*'
  patiently tells node2 progress 'no layout yet: node3 is of an older version*'
  has_no_layout node1
  has_no_layout node2
  all_still_values | diff "$BATS_FILE_TMPDIR/still" -
}

@test "when all are new they decide on a layout by themselves, and no value moves" {
  upgrade node3
  patiently is_settled 0 "${nodes[@]}"
  for node in "${nodes[@]}"; do tells "$node" layout 1; done
  all_still_values | diff "$BATS_FILE_TMPDIR/still" -
  [ "$(grep -c ^still "$BATS_FILE_TMPDIR/still")" = 120 ]
  all_pairs_serve
  clients_go_on
}

@test "what was acknowledged before and during the upgrade is there, and every answer can be explained" {
  nothing_was_wrong
}
