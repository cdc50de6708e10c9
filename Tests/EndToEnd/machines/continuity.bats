#!/usr/bin/env bats
# Eight clients on four machines PUT and GET without pause while nodes restart, reload, are upgraded and crash:
# no connection is refused, and what was acknowledged reads back.

# nodes comes from machines.bash.
# shellcheck disable=SC2154
load machines

setup_file() {
  boot_cluster
}

teardown_file() {
  end_cluster
}

# Nothing the clients saw was wrong, and everything they were promised is there.
nothing_was_lost() {
  stop_load
  run failures
  echo "$output" | head -n 40
  [ -z "$output" ] || return 1
  verify_load
}

@test "restarts lose nothing" {
  local node pid
  start_load
  for _ in 1 2 3; do
    for node in "${nodes[@]}"; do
      pid=$(property "$node" MainPID)
      on "$node" systemctl restart kvnode.service
      was_replaced "$node" "$pid"
    done
  done
  load_goes_on
  nothing_was_lost
}

@test "reloads lose nothing" {
  local node
  start_load
  for _ in 1 2 3; do
    for node in "${nodes[@]}"; do
      on "$node" systemctl reload kvnode.service
    done
  done
  load_goes_on
  nothing_was_lost
}

@test "a restart lets running transfers of 128 MiB finish" {
  local node pids=()
  start_transfers
  for node in node2 node3; do
    pids+=("$(property "$node" MainPID)")
    on "$node" systemctl restart --no-block kvnode.service
    eventually has_property "$node" ActiveState deactivating
  done
  release_transfers
  transfers_done
  eventually was_replaced node2 "${pids[0]}"
  eventually was_replaced node3 "${pids[1]}"
}

@test "an upgrade by apt loses nothing, and lets running transfers of 128 MiB finish" {
  local node version pids=() index
  version=$(dpkg-deb --field "$KVNODE_DEB_NEXT" Version)
  start_load
  start_transfers
  for node in "${nodes[@]}"; do
    pids+=("$(property "$node" MainPID)")
    rig push "$node" "$KVNODE_DEB_NEXT" /var/tmp/next.deb
    rig push "$node" "$KVCTL_DEB_NEXT" /var/tmp/next-kvctl.deb
    on "$node" systemd-run --quiet --unit=upgrade --remain-after-exit --property=Type=oneshot --no-block \
      --setenv=DEBIAN_FRONTEND=noninteractive apt-get install -y /var/tmp/next.deb /var/tmp/next-kvctl.deb
  done
  eventually has_property node3 ActiveState deactivating
  release_transfers
  transfers_done
  for index in "${!nodes[@]}"; do
    node=${nodes[index]}
    eventually on "$node" systemctl is-active --quiet upgrade.service
    [ "$(on "$node" dpkg-query --show kvnode)" = "$(printf 'kvnode\t%s' "$version")" ]
    was_replaced "$node" "${pids[index]}"
    on "$node" systemctl is-active kvnode.socket kvnode-admin.socket kvnode.service
  done
  load_goes_on
  nothing_was_lost
}

@test "a crash refuses no connection and loses nothing that was acknowledged" {
  local node pid kills=0
  start_load
  for _ in 1 2; do
    for node in "${nodes[@]}"; do
      pid=$(property "$node" MainPID)
      on "$node" systemctl kill --signal=KILL kvnode.service
      kills=$((kills + 1))
      eventually was_replaced "$node" "$pid"
    done
  done
  load_goes_on
  stop_load
  run failures
  echo "$output" | head -n 40
  [[ $output != *refused* ]]
  # Requests that the dead process was serving are cut off: at most those of all eight clients each time.
  [ ${#lines[@]} -le $((kills * 8)) ]
  verify_load
}
