#!/usr/bin/env bats
# A disk that is full, a machine that is cut off.

# nodes and here come from machines.bash.
# shellcheck disable=SC2154
load machines

setup_file() {
  boot_cluster
}

teardown_file() {
  end_cluster
}

# A test that failed while the cable was out must not fail the next one.
teardown() {
  rig plug node3
}

# A value of the size in MiB, for node4's small disk, stored through node1.
put_on_small_disk() {
  head -c "$2M" /dev/zero | put node1 node1 "$(key_of 4 "$1")"
}

@test "a full disk is an error to the client, the node stays up, DEL makes room" {
  local pid
  on node4 sh -c 'mkdir /root/member && cd /var/lib/kvnode && cp -a id node layout /root/member'
  rig poweroff node4
  rig disk node4 64
  # An empty disk, and meant to be.
  rig forget node4
  rig start node4
  # For the others it is the member's, without its values.
  on node4 systemctl stop kvnode.service
  on node4 sh -c 'cp -a /root/member/. /var/lib/kvnode && rm -f /var/lib/kvnode-state/store'
  on node4 systemctl start kvnode.service
  pid=$(property node4 MainPID)
  [ "$(put_on_small_disk first 30)" = "$(key_of 4 first)" ]
  # Refused at the reserve, midway, for the length is not known; the client sends on and still reads the answer.
  run put_on_small_disk second 100
  echo "$output"
  [[ $output == 'ERROR: '*"$(key_of 4 second)"* ]]
  [[ $(get node1 node2 "$(key_of 4 second)") == 'ERROR: '* ]]
  get node1 node2 "$(key_of 4 first)" | cmp - <(head -c 30M /dev/zero)
  [ -z "$(delete node1 node1 "$(key_of 4 first)")" ]
  [ "$(put_on_small_disk third 40)" = "$(key_of 4 third)" ]
  has_property node4 MainPID "$pid"
}

@test "so is a disk that fills up to its last block" {
  local pid
  on node4 sh -c 'printf "[Node]\nMinFree=0\n" >/etc/kvnode.conf.d/reserve.conf'
  on node4 systemctl restart kvnode.service
  pid=$(property node4 MainPID)
  run put_on_small_disk fourth 100
  echo "$output"
  [[ $output == 'ERROR: '*"$(key_of 4 fourth)"* ]]
  # Nothing of it stays behind to keep the disk full.
  [ -z "$(on node4 find /var/lib/kvnode/staging -type f)" ]
  [ -z "$(delete node1 node1 "$(key_of 4 third)")" ]
  [ "$(put_on_small_disk fifth 40)" = "$(key_of 4 fifth)" ]
  has_property node4 MainPID "$pid"
  rig poweroff node4
  rig disk node4 none
  rig forget node4
  rig start node4
}

@test "a machine that is cut off is named in the error, the others answer on, and it comes back" {
  local cut here_key
  cut=$(key_of 3 cut)
  here_key=$(key_of 2 whole)
  echo value | put node1 node1 "$cut"
  echo value | put node1 node1 "$here_key"
  rig unplug node3
  # ConnectTimeout= and some: even where connections to it were open when it went.
  run on node1 sh -c "echo GET $cut | timeout 15 nc -N node1 7776"
  echo "$output"
  [[ $output == 'ERROR: '*node3* ]]
  [ "$(get node1 node1 "$here_key")" = value ]
  rig plug node3
  eventually_gets() { [ "$(get node1 node1 "$cut")" = value ]; }
  eventually eventually_gets
}

@test "a PUT whose owner is cut off midway fails, and nothing of it is stored" {
  local key
  key=$(key_of 3 midway)
  local node
  for node in node1 node3; do
    on "$node" sh -c 'printf "[Limits]\nIdleTimeout=3s\n" >/etc/kvnode.conf.d/limits.conf'
    on "$node" systemctl restart kvnode.service
  done
  on node1 sh -c 'rm -rf /run/transfer && head -c 128M /dev/urandom >/var/tmp/big'
  on node1 systemd-run --quiet --unit=transfer-cut slow-transfer put "$key" /var/tmp/big node1
  eventually on node1 test -e "/run/transfer/$key.put.half"
  rig unplug node3
  release_transfers
  eventually on node1 test -e "/run/transfer/$key.put.result"
  rig plug node3
  [ "$(on node1 cat "/run/transfer/$key.put.result")" != "done" ]
  answers_about_it() { [[ $(get node1 node1 "$key") == 'ERROR: '* ]]; }
  eventually answers_about_it
  fails on node3 sh -c "ls /var/lib/kvnode/values/*/$key"
}
