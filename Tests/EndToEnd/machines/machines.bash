# What the tests on machines share. A test file's setup_file calls boot_cluster, its teardown_file end_cluster.
#
# KVNODE_DEB and KVCTL_DEB are the packages under test, KVNODE_DEB_NEXT and KVCTL_DEB_NEXT the same with a higher version;
# `run` in this directory builds them and calls bats.

# A bats file's directory, which is this one.
here=$BATS_TEST_DIRNAME
nodes=(node1 node2 node3 node4)

rig() {
  "$here/rig" "$@"
}

# A command that has to fail. bats takes no notice of a failing "! command".
fails() {
  if "$@"; then
    echo "should have failed: $*" >&2
    return 1
  fi
}

# A command in a machine.
on() {
  rig exec "$@"
}

boot_cluster() {
  local node
  peers_file >"$BATS_FILE_TMPDIR/peers.conf"
  boot_machines prepare
  for node in "${nodes[@]}"; do eventually has_layout "$node"; done
}

# boot_machines COMMAND: boots one for each of nodes, and runs the command for all at once, each time with a node's name.
boot_machines() {
  local node pids=() pid
  [ -f "${KVNODE_DEB:-}" ] || {
    echo "KVNODE_DEB names no package; start the tests with $here/run" >&2
    return 1
  }
  rig down
  rig up ${#nodes[@]}
  for node in "${nodes[@]}"; do
    "$1" "$node" >"$BATS_FILE_TMPDIR/prepare-$node.log" 2>&1 3>&- &
    pids+=($!)
  done
  for pid in "${pids[@]}"; do
    wait "$pid" || {
      cat "$BATS_FILE_TMPDIR"/prepare-*.log >&2
      return 1
    }
  done
}

has_layout() { [[ $(on "$1" kvctl status --json || true) == *'"layout":'* ]]; }

end_cluster() {
  rig down
}

# The tests' clients, the package as a user would install it, and the list of peers brought in by a reload.
prepare() {
  rig push "$1" "$here/steady-client" /usr/local/bin/steady-client
  rig push "$1" "$here/slow-transfer" /usr/local/bin/slow-transfer
  rig install "$1" "$KVNODE_DEB" "$KVCTL_DEB"
  rig push "$1" "$BATS_FILE_TMPDIR/peers.conf" /etc/kvnode.conf.d/peers.conf
  on "$1" systemctl reload kvnode.service
}

# Each way to write an address is used by one of them.
peers_file() {
  printf '[Peers]\nnode1=192.0.2.11:7776\nnode2=[2001:db8::12]:7776\nnode3=node3:7776\nnode4=192.0.2.14:7776\n'
}

# The requests, asked in machine $1 of machine $2. A PUT's value is standard input.
put() {
  (echo "PUT $3" && cat) | on "$1" timeout 100 nc -N "$2" 7776
}

get() {
  echo "GET $3" | on "$1" timeout 100 nc -N "$2" 7776
}

delete() {
  echo "DEL $3" | on "$1" timeout 100 nc -N "$2" 7776
}

# A key that belongs to node number $1 of four, beginning with $2.
key_of() {
  local number=$1 key slot split=$((65536 / ${#nodes[@]})) count owner
  for ((count = 0; ; count++)); do
    key=$2-$count
    slot=$((16#$(printf '%s\n' "$key" | md5sum | head -c 4)))
    owner=$(((slot + split - 1) / split))
    # Slot 0 is the first node's too, though no lower slot rounds up to it.
    [ "$((owner > 0 ? owner : 1))" -ne "$number" ] || break
  done
  echo "$key"
}

# Tries a command until it succeeds, for a minute.
eventually() {
  local tries
  for ((tries = 0; tries < 600; tries++)); do
    ! "$@" || return 0
    sleep 0.1
  done
  echo "never came true: $*" >&2
  return 1
}

property() {
  on "$1" systemctl show --property="$2" --value kvnode.service
}

has_property() {
  [ "$(property "$1" "$2")" = "$3" ]
}

# The service runs, in another process than the one of old.
was_replaced() {
  has_property "$1" ActiveState active && ! has_property "$1" MainPID "$2"
}

# Answers a GET of an absent key in time, so it serves.
answers() {
  [[ $(get "$1" "$1" absent) == 'ERROR: '* ]]
}

# What journalctl shows in machine $1 for the other arguments, once journald has written down all it was given.
journal() {
  local node=$1
  shift
  on "$node" journalctl --sync
  on "$node" journalctl --no-pager --quiet "$@"
}

start_load() {
  local node number
  for node in "${nodes[@]}"; do
    on "$node" rm -f /run/load-stop
    for number in 1 2; do
      on "$node" systemd-run --quiet --collect --unit="load-$number" \
        steady-client run "$node-$number" "${nodes[@]}"
    done
  done
  load_goes_on
}

acknowledged_counts() {
  local node
  for node in "${nodes[@]}"; do
    on "$node" sh -c 'wc -l /var/tmp/load/*/acknowledged' | awk '$2 != "total" { print $2, $1 }'
  done
}

# Every client had five more values acknowledged than the list in the file $1 says.
has_progressed() {
  acknowledged_counts 2>/dev/null | awk -v clients=$((2 * ${#nodes[@]})) -v counts="$1" '
    BEGIN { while ((getline line < counts) > 0) { split(line, field); before[field[1]] = field[2] } }
    $2 >= before[$1] + 5 { progressed++ }
    END { exit progressed != clients }'
}

load_goes_on() {
  acknowledged_counts >"$BATS_TEST_TMPDIR/counts" 2>/dev/null || true
  eventually has_progressed "$BATS_TEST_TMPDIR/counts"
}

load_is_over() {
  ! on "$1" systemctl is-active --quiet load-1.service load-2.service
}

stop_load() {
  local node
  for node in "${nodes[@]}"; do
    on "$node" touch /run/load-stop
  done
  for node in "${nodes[@]}"; do
    eventually load_is_over "$node" || {
      on "$node" systemctl status --no-pager load-1.service load-2.service >&2
      return 1
    }
    on "$node" sh -c 'cat /var/tmp/load/*/summary' | sed 's/^/# /' >&3
  done
}

failures() {
  local node
  for node in "${nodes[@]}"; do
    on "$node" sh -c 'cat /var/tmp/load/*/failures'
  done
}

# Reads all that was acknowledged, through another machine than the one that stored it.
verify_load() {
  local index node other number pids=() pid
  for index in "${!nodes[@]}"; do
    node=${nodes[index]}
    other=${nodes[(index + 1) % ${#nodes[@]}]}
    for number in 1 2; do
      on "$node" steady-client verify "$node-$number" "$other" 3>&- &
      pids+=($!)
    done
  done
  for pid in "${pids[@]}"; do
    wait "$pid"
  done
}

# Two transfers of 128 MiB that belong to node3 and are asked for through node2 stand still halfway: one PUT and
# one GET. Both nodes have to hold out for them.
start_transfers() {
  on node1 sh -c 'rm -rf /run/transfer && head -c 128M /dev/urandom >/var/tmp/big'
  on node1 sh -c "(echo PUT $(key_of 3 got) && cat /var/tmp/big) | nc -N node3 7776"
  on node1 systemd-run --quiet --unit=transfer-put slow-transfer put "$(key_of 3 put)" /var/tmp/big node2
  on node1 systemd-run --quiet --unit=transfer-get slow-transfer get "$(key_of 3 got)" /var/tmp/big node2
  eventually on node1 test -e "/run/transfer/$(key_of 3 put).put.half" -a -e "/run/transfer/$(key_of 3 got).get.half"
}

release_transfers() {
  on node1 touch /run/transfer/released
}

transfers_done() {
  local put_key get_key
  put_key=$(key_of 3 put)
  get_key=$(key_of 3 got)
  eventually on node1 test -e "/run/transfer/$put_key.put.result" -a -e "/run/transfer/$get_key.get.result"
  on node1 head -v "/run/transfer/$put_key.put.result" "/run/transfer/$get_key.get.result"
  [ "$(on node1 cat "/run/transfer/$put_key.put.result")" = "done" ] || return 1
  [ "$(on node1 cat "/run/transfer/$get_key.get.result")" = "done" ] || return 1
  on node1 sh -c "echo GET $put_key | nc -N node4 7776 | cmp - /var/tmp/big"
}
