# The layout: hosts decide on it, and values move to where it says, while clients go on.

# shellcheck disable=SC2154 # support.bash and bats set variables.

load support

setup_file() { export BATS_TEST_TIMEOUT=900; }

setup() {
  prepare_test_cluster
  # These nodes are new.
  rm -rf "$CLUSTER"/node?
}

teardown() {
  kill_cluster
}

# list N HOST...: has node N list these nodes, from its next reload on.
list() {
  local node=$1 peer
  shift
  {
    sed '/^\[Peers\]/,$d' "$CLUSTER/node$node.conf"
    echo "[Peers]"
    for peer in "$@"; do printf 'node%s=%s:%s\n' "$peer" "$(node_address "$peer")" "$PORT"; done
  } >"$CLUSTER/new"
  mv "$CLUSTER/new" "$CLUSTER/node$node.conf"
}

reload() { kill -HUP "$(node_pid "$1")"; }

# status N MEMBER: what node N says of itself.
status() { curl --silent --fail "http://$(node_address "$1"):$PORT/?status" | jq -r ".$2"; }

has_status() { [[ $(status "$1" "$2") == "$3" ]]; }

# is_settled VERSION N...: the nodes go by one layout later than that version, and have nothing left to do.
is_settled() {
  local version=$1 node told=()
  shift
  for node in "$@"; do
    has_status "$node" progress null || return 1
    told+=("$(status "$node" layout)")
  done
  [[ $(printf '%s\n' "${told[@]}" | sort -u | wc -l) == 1 && ${told[0]} != null ]] && ((told[0] > version))
}

# start_listed N...: starts nodes that list each other, and waits until they have a layout.
start_listed() {
  local node
  for node in "$@"; do list "$node" "$@"; done
  for node in "$@"; do launch_node "$node"; done
  for node in "$@"; do await_node "$node"; done
  eventually 30 is_settled 0 "$@"
}

# values_on N: how many values lie on node N.
values_on() { find "$CLUSTER/node$1/values" -type f | wc -l; }

# hold COUNT N...: so many values lie on these nodes together.
hold() {
  local count=$1 sum=0 node
  shift
  for node in "$@"; do sum=$((sum + $(values_on "$node"))); done
  ((sum == count))
}

store_many() {
  local number
  for number in $(seq "$1"); do
    printf 'value %s' "$number" >"$BATS_TEST_TMPDIR/value"
    put "$2" "key$number" "$BATS_TEST_TMPDIR/value" >>"$BATS_TEST_TMPDIR/stored"
  done
}

# has_all COUNT N: node N gives all of the values that were stored.
has_all() {
  local number
  for number in $(seq "$1"); do assert_equal "value $number" "$(get "$2" "key$number")" || return 1; done
}

@test "hosts that list each other decide on a layout, and go by it after a restart" {
  start_listed 1 2 3 4
  assert_equal 1 "$(status 1 layout)"
  assert_metric 2 kvnode_layout_version 1
  kill_node 3
  start_node 3
  eventually 30 is_settled 0 1 2 3 4
  assert_equal 1 "$(status 3 layout)"
}

@test "a host that is missing keeps new hosts from a layout, and is named" {
  for node in 1 2 3; do list "$node" 1 2 3 4; done
  for node in 1 2 3; do start_node "$node"; done
  eventually 30 has_status 1 progress "no layout yet: no answer from node4"
  assert_equal "ERROR: GET key1: no node answers for keys yet: node4 gave no answer" "$(get 2 key1)"
  start_node 4
  eventually 30 is_settled 0 1 2 3 4
  assert_equal "ERROR: GET key1: no such key" "$(get 2 key1)"
}

@test "a host joins, and its values come to it while every node gives them" {
  start_listed 1 2 3
  store_many 60 1
  for node in 1 2 3 4; do list "$node" 1 2 3 4; done
  start_node 4
  for node in 1 2 3; do reload "$node"; done
  for node in 1 2 3 4; do has_all 60 "$node"; done
  eventually 120 is_settled 1 1 2 3 4
  for node in 1 2 3 4; do has_all 60 "$node"; done
  # Each lies on one node alone, as soon as the others have let go of it.
  eventually 30 hold 60 1 2 3 4
  (($(values_on 4) > 0))
  for number in $(seq 60); do test -e "$(value_file "key$number" "key$number")"; done
}

@test "a host leaves, and gives all that it has to the others" {
  start_listed 1 2 3
  store_many 40 1
  for node in 1 2; do list "$node" 1 2; done
  for node in 1 2; do reload "$node"; done
  eventually 120 is_settled 1 1 2
  eventually 30 hold 0 3
  has_all 40 1
  # It is a member no more, and relays.
  has_all 40 3
}

@test "a list that only some hosts have changes nothing, and is told of" {
  start_listed 1 2 3 4
  list 1 1 2 3
  reload 1
  eventually 30 has_status 1 progress "[Peers] differs from the layout in force: most of node1, node2, node3, node4 must list the same hosts"
  has_status 2 progress null
  assert_equal 1 "$(status 1 layout)"
}

@test "a host with a new disk is not taken for the one that had the values" {
  start_listed 1 2 3
  store_many 20 1
  kill_node 3
  mv "$CLUSTER/node3" "$CLUSTER/lost"
  start_node 3
  eventually 30 has_status 1 progress "[Peers] differs from the layout in force: node3 has another disk than before; mount that, or say that its values are lost"
  # It says so, and that a key is absent it does not say.
  number=1
  until [[ $(get 1 "key$number") == ERROR:* ]]; do number=$((number + 1)); done
  assert_matches 'ERROR: GET key[0-9]+: ' "$(get 1 "key$number")"
  [[ $(get 1 "key$number") != *'no such key' ]]
  kill_node 3
  rm -rf "$CLUSTER/node3"
  mv "$CLUSTER/lost" "$CLUSTER/node3"
  start_node 3
  eventually 30 is_settled 0 1 2 3
  has_all 20 2
}

@test "two hosts with copies of one data directory both say so, and neither answers" {
  start_listed 1 2 3
  store_many 5 1
  kill_node 2
  kill_node 3
  rm -r "$CLUSTER/node3"
  cp -a "$CLUSTER/node2" "$CLUSTER/node3"
  start_node 2
  start_node 3
  eventually 30 has_status 2 progress "node3 has a copy of this host's data directory: stop one of them"
  eventually 30 has_status 3 progress "node2 has a copy of this host's data directory: stop one of them"
  assert_matches 'has a copy of the data directory of node2' "$(get 2 key1)"
  assert_matches 'has a copy of the data directory of node3' "$(get 3 key1)"
}

@test "values that one host had before it had others move to them" {
  list 1
  sed -i '/^\[Peers\]/d' "$CLUSTER/node1.conf"
  start_node 1
  store_many 40 1
  for node in 1 2 3; do list "$node" 1 2 3; done
  start_node 2
  start_node 3
  reload 1
  eventually 120 is_settled 1 1 2 3
  for node in 1 2 3; do has_all 40 "$node"; done
  (($(values_on 2) > 0 && $(values_on 3) > 0))
}

@test "an acknowledged value outlives changes of the list and kill -9, and counters are exact" {
  local changes=2
  if [[ -n ${KVNODE_LONG:-} ]]; then changes=20; fi
  run python3 "$HELPERS/moving.py" "$KVNODE" "$BATS_TEST_TMPDIR" "$changes" 1
  echo "$output"
  ((status == 0))
}
