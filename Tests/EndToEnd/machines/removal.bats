#!/usr/bin/env bats
# apt remove and apt purge: the service goes, the values stay.

# nodes comes from machines.bash.
# shellcheck disable=SC2154
load machines

setup_file() {
  boot_cluster
}

teardown_file() {
  end_cluster
}

refuses() {
  local output
  output=$(echo 'GET absent' | on "$1" timeout 30 nc -v -N "$2" 7776 2>&1) || true
  [[ $output == *refused* ]]
}

@test "apt remove stops the service under load, closes the ports, and keeps values and configuration" {
  echo value | put node1 node1 "$(key_of 1 kept)"
  start_load
  # A check that is under way, slow enough to be met.
  on node1 sh -c 'mkdir -p /run/systemd/system/kvnode-scrub.service.d &&
    printf "[Service]\nEnvironment=RATE=10K\n" >/run/systemd/system/kvnode-scrub.service.d/rate.conf'
  on node1 systemctl daemon-reload
  on node1 systemctl start --no-block kvnode-scrub.service
  eventually on node1 pgrep -x kvctl
  on node1 apt-get remove -y kvnode
  stop_load
  refuses node2 node1
  fails on node1 pgrep -x kvnode
  fails on node1 systemctl is-active kvnode.service kvnode.socket kvnode-admin.socket kvnode-scrub.timer \
    kvnode-scrub.service
  [ -z "$(on node1 systemctl --failed --no-legend)" ]
  on node1 test -f /etc/kvnode.conf
  on node1 sh -c "cat /var/lib/kvnode/values/*/$(key_of 1 kept)" | grep -qx value
}

@test "installed again, it serves the values it had" {
  rig install node1 "$KVNODE_DEB" "$KVCTL_DEB"
  on node1 systemctl is-active kvnode.socket kvnode-admin.socket kvnode.service
  [ "$(get node2 node2 "$(key_of 1 kept)")" = value ]
}

@test "apt purge takes the configuration and leaves the values and their owner" {
  on node1 apt-get purge -y kvnode
  refuses node2 node1
  fails on node1 test -e /etc/kvnode.conf
  on node1 sh -c "cat /var/lib/kvnode/values/*/$(key_of 1 kept)" | grep -qx value
  on node1 getent passwd kvnode
  [ -z "$(on node1 find /etc/systemd /usr/lib/systemd /usr/lib/sysusers.d /usr/share/doc -name 'kvnode*')" ]
}

@test "a service that its administrator disabled stays disabled through an upgrade" {
  on node2 systemctl disable --now kvnode.service kvnode.socket kvnode-admin.socket
  rig install node2 "$KVNODE_DEB_NEXT" "$KVCTL_DEB_NEXT"
  fails on node2 systemctl is-enabled kvnode.service
  fails on node2 systemctl is-enabled kvnode.socket
}
