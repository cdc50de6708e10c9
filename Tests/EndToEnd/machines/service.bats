#!/usr/bin/env bats
# Reload, watchdog, reboot: systemd and the node between themselves.

# nodes comes from machines.bash.
# shellcheck disable=SC2154
load machines

setup_file() {
  boot_cluster
}

teardown_file() {
  end_cluster
}

# What a test changed in the configuration does not outlive it.
teardown() {
  restore_configuration node1
  restore_configuration node2
}

restore_configuration() {
  on "$1" rm -f /etc/kvnode.conf.d/faulty.conf
  rig push "$1" "$BATS_FILE_TMPDIR/peers.conf" /etc/kvnode.conf.d/peers.conf
  on "$1" systemctl reload kvnode.service
}

@test "systemctl reload brings a changed list of peers into force, in the same process" {
  local pid key
  pid=$(property node1 MainPID)
  key=$(key_of 2 reload)
  echo cluster | put node1 node1 "$key"
  on node1 sh -c 'printf "[Peers]\nnode1=192.0.2.11:7776\n" >/etc/kvnode.conf.d/peers.conf'
  on node1 systemctl reload kvnode.service
  [[ $(get node1 node1 "$key") == 'ERROR: '* ]]
  restore_configuration node1
  [ "$(get node1 node1 "$key")" = cluster ]
  has_property node1 MainPID "$pid"
}

@test "nodes whose lists differ refuse each other and say so" {
  local key
  key=$(key_of 2 differ)
  on node2 sh -c 'echo node5=192.0.2.15:7776 >>/etc/kvnode.conf.d/peers.conf'
  on node2 systemctl reload kvnode.service
  run put node1 node1 "$key" <<<value
  echo "$output"
  [[ $output == 'ERROR: '* ]]
}

@test "a faulty configuration is refused on reload and the old one stays in force" {
  local pid key
  pid=$(property node1 MainPID)
  key=$(key_of 2 faulty)
  echo value | put node1 node1 "$key"
  on node1 sh -c 'echo "[Peers" >/etc/kvnode.conf.d/peers.conf'
  on node1 systemctl reload kvnode.service || true
  [ "$(get node1 node1 "$key")" = value ]
  has_property node1 MainPID "$pid"
  journal node1 --unit=kvnode.service --priority=err | grep peers.conf
}

@test "a faulty configuration keeps the service from starting, and mending it is enough" {
  on node1 sh -c 'printf "[Node]\nDurability=perhaps\n" >/etc/kvnode.conf.d/faulty.conf'
  fails on node1 systemctl restart kvnode.service
  # For a moment the next try has no status yet.
  eventually has_property node1 ExecMainStatus 78
  journal node1 --unit=kvnode.service | grep 'faulty.conf:2'
  # The port stays open: whoever connects meanwhile waits, and nothing gives up.
  on node1 systemctl is-active kvnode.socket
  on node1 rm /etc/kvnode.conf.d/faulty.conf
  eventually has_property node1 ActiveState active
  answers node1
}

@test "a node that stands still is replaced, and those who wait are answered" {
  local pid
  on node2 sh -c 'mkdir -p /run/systemd/system/kvnode.service.d &&
    printf "[Service]\nWatchdogSec=2s\nTimeoutAbortSec=2s\n" >/run/systemd/system/kvnode.service.d/watchdog.conf'
  on node2 systemctl daemon-reload
  on node2 systemctl restart kvnode.service
  pid=$(property node2 MainPID)
  on node2 kill -STOP "$pid"
  eventually was_replaced node2 "$pid"
  answers node2
  journal node2 --unit=kvnode.service | grep -i 'watchdog timeout'
}

@test "with the short watchdog a node at rest and a node at work stay up" {
  local pid
  pid=$(property node2 MainPID)
  head -c 64M /dev/urandom >"$BATS_TEST_TMPDIR/value"
  # Three times the watchdog's time, in requests: nothing else says that it has passed.
  for _ in {1..30}; do
    put node1 node2 "$(key_of 2 busy)" <"$BATS_TEST_TMPDIR/value"
    get node1 node2 "$(key_of 2 busy)" | cmp - "$BATS_TEST_TMPDIR/value"
  done
  has_property node2 MainPID "$pid"
  has_property node2 NRestarts 1
}

@test "a hung disk restarts the node" {
  local pid
  rig poweroff node2
  rig disk node2 64
  rig start node2
  on node2 sh -c 'mkdir -p /run/systemd/system/kvnode.service.d &&
    printf "[Service]\nWatchdogSec=2s\nTimeoutAbortSec=2s\n" >/run/systemd/system/kvnode.service.d/watchdog.conf'
  on node2 systemctl daemon-reload
  on node2 systemctl restart kvnode.service
  pid=$(property node2 MainPID)
  rig freeze node2
  # A process that hangs in the kernel dies only when the disk comes back.
  eventually has_property node2 Result watchdog || {
    rig thaw node2
    return 1
  }
  rig thaw node2
  eventually was_replaced node2 "$pid"
  answers node2
  rig poweroff node2
  rig disk node2 none
  rig start node2
}

tells_of_damage() {
  journal "$1" --unit=kvnode.service --priority=err | grep -F "$2"
}

@test "the scrub finds a flipped bit and moves the value away; the node says so and answers with an error" {
  local key path
  key=$(key_of 1 scrubbed)
  on node1 sh -c "(echo 'PUT $key'; head -c 1M /dev/urandom) | nc -N node1 7776"
  on node1 systemctl start kvnode-scrub.service
  path=$(on node1 sh -c "echo /var/lib/kvnode/values/*/$key")
  on node1 sh -c "printf 'not what was stored' | dd of='$path' bs=1 seek=500000 conv=notrunc status=none"
  fails on node1 systemctl start kvnode-scrub.service
  [ "$(on node1 systemctl show --property=ExecMainStatus --value kvnode-scrub.service)" = 3 ]
  on node1 systemctl reset-failed kvnode-scrub.service
  fails on node1 test -s "$path"
  [[ $(get node2 node1 "$key") == 'ERROR: '*'damaged'* ]]
  eventually tells_of_damage node1 "$key"
  delete node2 node1 "$key"
  [[ $(get node2 node1 "$key") == 'ERROR: '*'no such key' ]]
  on node1 systemctl start kvnode-scrub.service
}

@test "the scrub gives way to everything else" {
  run on node1 systemctl show --property=IOWeight,CPUWeight,Nice,IOSchedulingClass kvnode-scrub.service
  echo "$output"
  [[ $output == *IOWeight=10* && $output == *CPUWeight=10* && $output == *Nice=19* ]]
}

@test "a node comes back after a reboot, with its values and its peers" {
  local key
  key=$(key_of 3 reboot)
  echo value | put node1 node1 "$key"
  rig reboot node3
  on node3 systemctl is-active kvnode.socket kvnode-admin.socket
  [ "$(get node1 node2 "$key")" = value ]
}

@test "a node comes back after its machine was cut off from power" {
  local key
  key=$(key_of 3 power)
  echo value | put node1 node1 "$key"
  rig crash node3
  rig start node3
  [ "$(get node1 node2 "$key")" = value ]
}
