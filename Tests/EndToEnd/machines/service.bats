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

# says_that_it_differs NODE: its status line tells that its list is not what is in force.
says_that_it_differs() {
  [[ $(property "$1" StatusText) == *'[Peers] differs from the layout in force: '* ]]
}

@test "systemctl reload takes up a changed list of peers, in the same process, and says what it waits for" {
  local pid key
  pid=$(property node1 MainPID)
  key=$(key_of 2 reload)
  echo cluster | put node1 node1 "$key"
  on node1 sh -c 'printf "[Peers]\nnode1=192.0.2.11:7776\n" >/etc/kvnode.conf.d/peers.conf'
  on node1 systemctl reload kvnode.service
  eventually says_that_it_differs node1
  # One host's list changes nothing.
  [ "$(get node1 node1 "$key")" = cluster ]
  restore_configuration node1
  [ "$(get node1 node1 "$key")" = cluster ]
  has_property node1 MainPID "$pid"
}

@test "a host whose list differs goes on by what all have agreed on, and says so" {
  local key
  key=$(key_of 2 differ)
  on node2 sh -c 'echo node5=192.0.2.15:7776 >>/etc/kvnode.conf.d/peers.conf'
  on node2 systemctl reload kvnode.service
  eventually says_that_it_differs node2
  [ "$(echo value | put node1 node1 "$key")" = "$key" ]
  [ "$(get node1 node2 "$key")" = value ]
}

@test "a faulty configuration is refused on reload and the old one stays in force" {
  local pid key
  pid=$(property node1 MainPID)
  key=$(key_of 2 faulty)
  echo value | put node1 node1 "$key"
  on node1 sh -c 'echo "[Peers" >/etc/kvnode.conf.d/peers.conf'
  fails on node1 systemctl reload kvnode.service
  has_property node1 ActiveState active
  [[ $(on node1 systemctl status --no-pager kvnode.service) == *'peers.conf:1: [Peers: expected '* ]]
  [ "$(get node1 node1 "$key")" = value ]
  # It says so until a good one is read.
  [[ $(property node1 StatusText) == *'Attention: configuration refused at '*'peers.conf:1: [Peers: expected '* ]]
  [[ $(health node1) == 'HTTP/1.1 200 '*'ok'*'configuration refused at '*'peers.conf:1: '* ]]
  [[ $(admin_page node1 metrics) == *'kvnode_configuration_refused 1'*'kvnode_configuration_refusals_total 1'* ]]
  restore_configuration node1
  [[ $(property node1 StatusText) != *refused* ]]
  [[ $(health node1) != *refused* ]]
  has_property node1 MainPID "$pid"
  journal node1 --unit=kvnode.service --priority=err | grep peers.conf
}

admin_page() { on "$1" sh -c "printf 'GET /$2 HTTP/1.0\r\n\r\n' | nc -N 127.0.0.1 7777"; }

health() { admin_page "$1" healthz; }

@test "a faulty configuration ends the service in the state failed, its ports closed, until it is mended and started" {
  on node1 sh -c 'printf "[Node]\nDurability=perhaps\n" >/etc/kvnode.conf.d/faulty.conf'
  fails on node1 systemctl restart kvnode.service
  # For a moment the next try has no status yet.
  eventually has_property node1 ExecMainStatus 78
  journal node1 --unit=kvnode.service | grep 'faulty.conf:2'
  eventually has_property node1 ActiveState failed
  [[ $(on node1 systemctl status --no-pager kvnode.service) == *'faulty.conf:2: Durability=perhaps: expected '* ]]
  [[ $(echo 'GET absent' | on node2 timeout 30 nc -v -N node1 7776 2>&1) == *refused* ]]
  has_property node1 ActiveState failed
  has_property node1 NRestarts 0
  on node1 rm /etc/kvnode.conf.d/faulty.conf
  on node1 systemctl start kvnode.service
  on node1 systemctl is-active kvnode.service kvnode.socket kvnode-admin.socket
  answers node1
}

@test "an empty directory in place of the store, as of a disk that is not mounted, is not served" {
  local key
  key=$(key_of 1 unmounted)
  echo value | put node1 node1 "$key"
  on node1 systemctl stop kvnode.service
  on node1 sh -c 'mv /var/lib/kvnode /var/lib/kvnode.away && mkdir /var/lib/kvnode'
  fails on node1 systemctl start kvnode.service
  eventually has_property node1 ActiveState failed
  [[ $(on node1 systemctl status --no-pager kvnode.service) == *'mount its disk, or remove /var/lib/kvnode-state/store'* ]]
  [ -z "$(on node1 ls /var/lib/kvnode)" ]
  on node1 sh -c 'rmdir /var/lib/kvnode && mv /var/lib/kvnode.away /var/lib/kvnode'
  on node1 systemctl start kvnode.service
  [ "$(get node1 node1 "$key")" = value ]
}

@test "a store of another layout ends the service in the state failed, until it is mended and started" {
  on node1 systemctl stop kvnode.service
  on node1 sh -c 'cp -p /var/lib/kvnode/format /root/format && echo "kvnode 2" >/var/lib/kvnode/format'
  fails on node1 systemctl start kvnode.service
  eventually has_property node1 ActiveState failed
  has_property node1 ExecMainStatus 78
  [[ $(on node1 systemctl status --no-pager kvnode.service) == *"its file 'format' says 'kvnode 2"* ]]
  on node1 sh -c 'cat /root/format >/var/lib/kvnode/format'
  on node1 systemctl start kvnode.service
  answers node1
}

@test "the units wait for the disk with the values" {
  [[ $(property node1 RequiresMountsFor) == */var/lib/kvnode* ]]
  [[ $(on node1 systemctl show --property=RequiresMountsFor --value kvnode-scrub.service) == */var/lib/kvnode* ]]
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
  # An empty disk, and meant to be.
  rig forget node2
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
  rig forget node2
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
  tells_of_check() { [[ $(admin_page node1 metrics) == *'kvnode_last_check_exit_status 3'* ]]; }
  eventually tells_of_check
  tells_of_quarantine() { [[ $(health node1) == *'1 damaged value lies in quarantine/'* ]]; }
  eventually tells_of_quarantine
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
