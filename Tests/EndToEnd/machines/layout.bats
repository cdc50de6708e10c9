#!/usr/bin/env bats
# Hosts are added and removed while clients of both dialects write, read, delete and count through all of them, and
# while nodes are killed, cut off, installed anew and out of space: what the clients were told has to go together.

# nodes and here come from machines.bash.
# shellcheck disable=SC2154
load machines
load audit

nodes=(node1 node2 node3 node4 node5)

setup_file() {
  export BATS_TEST_TIMEOUT=1800
  boot_machines prepare_host
  patiently is_settled 0 node1 node2 node3 node4
  start_audit 1
}

teardown_file() {
  end_audit
  end_cluster
}

# A test that failed in the midst must not fail the next one for that.
teardown() {
  local node
  for node in "${nodes[@]}"; do rig join "$node"; done
}

# Four hosts that list each other, and a fifth with a small disk that waits to be one of them.
prepare_host() {
  if [ "$1" = node5 ]; then
    rig poweroff node5
    rig disk node5 1024
    rig start node5
  fi
  rig install "$1" "$KVNODE_DEB" "$KVCTL_DEB"
  # Who is cut off need not be waited for long.
  on "$1" sh -c 'printf "[Limits]\nIdleTimeout=10s\n" >/etc/kvnode.conf.d/limits.conf'
  [ "$1" = node5 ] || has_list "$1" 1 2 3 4
}

# has_list NODE NUMBER...: gives the node a list with the hosts of these numbers.
has_list() {
  local node=$1 number addresses=('' 192.0.2.11 '[2001:db8::12]:7776' node3 192.0.2.14:7776 192.0.2.15)
  local file=$BATS_FILE_TMPDIR/peers-$1.conf
  shift
  {
    echo "[Peers]"
    for number; do echo "node$number=${addresses[number]}"; done
  } >"$file"
  rig push "$node" "$file" /etc/kvnode.conf.d/peers.conf
  on "$node" systemctl reload kvnode.service
}

# How far a change has come, in percent, as node1 says; nothing where there is none.
percent() {
  told node1 progress | sed -n 's/.*: \([0-9]*\) %.*/\1/p'
}

is_beyond() {
  local percent
  percent=$(percent)
  [[ -z $percent ]] || ((percent > $1))
}

# kill_process NODE: ends the node's process, which systemd starts again.
kill_process() {
  local pid
  pid=$(property "$1" MainPID)
  on "$1" systemctl kill --signal=KILL kvnode.service
  patiently was_replaced "$1" "$pid"
}

# The same version once more: what an upgrade does.
install_anew() {
  local pid
  pid=$(property "$1" MainPID)
  on "$1" apt-get install -y -q --reinstall "/var/tmp/$(basename "$KVNODE_DEB")" "/var/tmp/$(basename "$KVCTL_DEB")" \
    >"$BATS_TEST_TMPDIR/install-$1.log" 2>&1 || {
    cat "$BATS_TEST_TMPDIR/install-$1.log" >&2
    return 1
  }
  patiently was_replaced "$1" "$pid"
}

# Leaves too little space for a value on node5, but enough for what a node writes down for itself.
fill_disk() {
  # shellcheck disable=SC2016 # The machine's shell does it.
  on node5 sh -c 'cd /var/lib/kvnode && fallocate -l $(($(df --output=avail -B1 . | tail -n 1) - 4194304)) ballast'
}

# Adds node5. Its full disk keeps the change where it is, until all that is to happen in its midst has happened.
grow() {
  local version before
  version=$(told node1 layout)
  fill_disk
  for node in "${nodes[@]}"; do has_list "$node" 1 2 3 4 5; done
  patiently tells node5 progress 'moving to *no space: *'
  [[ $(on node1 kvctl status || true) == *'no space: '* ]]
  rig sever node3
  patiently tells node1 progress '*waiting for node3*'
  rig join node3
  kill_process node2
  install_anew node1
  patiently tells node1 progress 'moving to *: * %'
  tells node5 progress '*no space: *'
  before=$(percent)
  on node5 rm /var/lib/kvnode/ballast
  patiently is_beyond "$before"
  kill_process node5
  install_anew node2
  install_anew node3
  install_anew node4
  install_anew node5
  patiently is_settled "$version" "${nodes[@]}"
}

# Removes node4 and node5, which keep their lists. That node4 is cut off keeps the change where it is.
shrink() {
  local version before
  version=$(told node1 layout)
  for node in node1 node2 node3; do has_list "$node" 1 2 3; done
  patiently tells node1 progress 'moving to *'
  rig sever node4
  patiently tells node1 progress 'moving to *waiting for node4*'
  install_anew node2
  kill_process node1
  install_anew node5
  before=$(percent)
  rig join node4
  patiently is_beyond "$before"
  kill_process node4
  install_anew node3
  install_anew node4
  install_anew node1
  patiently is_settled "$version" node1 node2 node3
}

# has_given_all NODE: it has given away all that it had, and nothing of it had to be put aside.
has_given_all() {
  local left
  left=$(on "$1" find /var/lib/kvnode -type f '(' -path '*/values/*' -o -path '*/aside/*' -o -path '*/quarantine/*' ')') &&
    [ -z "$left" ]
}

goes_by() { tells "$1" layout "$2"; }

@test "four hosts become five, with a full disk, a kill, a cut and installations in the midst" {
  grow
  clients_go_on
}

@test "five hosts become three, two leaving at once, with a cut, kills and installations in the midst" {
  shrink
  clients_go_on
}

@test "the same again and again" {
  local version
  [ -n "${KVNODE_LONG:-}" ] || skip "KVNODE_LONG is not set"
  for _ in 1 2 3 4 5; do
    version=$(told node1 layout)
    for node in node1 node2 node3 node4; do has_list "$node" 1 2 3 4; done
    patiently is_settled "$version" node1 node2 node3 node4
    grow
    shrink
  done
  clients_go_on
}

@test "hosts that left have given all away, and know the layout that is in force" {
  local node
  for node in node4 node5; do patiently has_given_all "$node"; done
  for node in "${nodes[@]}"; do patiently goes_by "$node" "$(told node1 layout)"; done
  [[ $(on node1 kvctl status) != *moving* ]]
  [ "$(on node1 kvctl status --json | jq -c '[.nodes[].layout] | unique | length')" = 1 ]
}

@test "what was acknowledged is there through every host, and every answer that was given can be explained" {
  nothing_was_wrong
}
