# Changes of the layout where values have several copies, and disks that are lost, under clients. The processes that get
# values are killed in the midst.

# shellcheck disable=SC2154 # support.bash and bats set variables.

load support

KVCTL=${KVCTL:-${KVNODE%/*}/kvctl}

setup_file() { export BATS_TEST_TIMEOUT=1500; }

setup() {
  prepare_test_cluster
  rm -rf "$CLUSTER"/node?
}

teardown() {
  kill_cluster
}

# steps STEP...: see helpers/copies.py.
steps() {
  run python3 "$HELPERS/copies.py" "$KVNODE" "$BATS_TEST_TMPDIR" 1 "$@"
  echo "$output"
  for node in 1 2 3 4 5; do tail -n 5 "$BATS_TEST_TMPDIR/node$node.log" 2>/dev/null || true; done
  assert_equal 0 "$status"
}

# list N COPIES HOST...: has node N list these nodes and ask for so many copies, from its next start or reload on.
list() {
  local node=$1 copies=$2 peer
  shift 2
  {
    sed '/^\[Cluster\]/,$d; /^\[Peers\]/,$d' "$CLUSTER/node$node.conf"
    printf '[Cluster]\nReplicas=%s\n[Peers]\n' "$copies"
    for peer in "$@"; do printf 'node%s=%s:%s\n' "$peer" "$(node_address "$peer")" "$PORT"; done
  } >"$CLUSTER/new"
  mv "$CLUSTER/new" "$CLUSTER/node$node.conf"
}

reload() { kill -HUP "$(node_pid "$1")"; }

status() { curl --silent --fail "http://$(node_address "$1"):$PORT/?status" | jq -r ".$2"; }

says() { [[ $(status "$1" progress) == *"$2"* ]]; }

# is_settled VERSION N...: the nodes go by one layout later than that version, and have nothing left to do.
is_settled() {
  local version=$1 node told=()
  shift
  for node in "$@"; do
    [[ $(status "$node" progress) == null ]] || return 1
    told+=("$(status "$node" layout)")
  done
  [[ $(printf '%s\n' "${told[@]}" | sort -u | wc -l) == 1 && ${told[0]} != null ]] && ((told[0] > version))
}

# wipe N: node N is killed, and starts again with an empty disk.
wipe() {
  kill_node "$1"
  rm -rf "$CLUSTER/node$1"
  start_node "$1"
}

# copies_of KEY: on which nodes its value lies.
copies_of() { find "$CLUSTER"/node?/values -name "$1" -type f -size +0 | sed 's|/values/.*||; s|.*/node||' | sort | tr -d '\n'; }

lie_on() {
  local number
  for number in $(seq "$1"); do [[ $(copies_of "key$number") == "$2" ]] || return 1; done
}

store_many() {
  local number
  for number in $(seq "$1"); do
    printf 'value %s' "$number" >"$BATS_TEST_TMPDIR/value"
    put "$2" "key$number" "$BATS_TEST_TMPDIR/value" >>"$BATS_TEST_TMPDIR/stored"
  done
}

has_all() {
  local number
  for number in $(seq "$1"); do assert_equal "value $number" "$(get "$2" "key$number")" || return 1; done
}

@test "one host with values becomes three with a copy each, and one disk after the other is lost without any loss" {
  list 1 1
  start_node 1
  store_many 30 1
  for node in 1 2 3; do list "$node" 3 1 2 3; done
  start_node 2
  start_node 3
  reload 1
  eventually 240 is_settled 1 1 2 3
  lie_on 30 123
  for node in 1 2 3; do
    version=$(status 1 layout)
    wipe "$node"
    other=$((node % 3 + 1))
    eventually 60 says "$other" "node$node has a new disk: copies are being made"
    eventually 240 is_settled "$version" 1 2 3
    lie_on 30 123
    has_all 30 "$node"
  done
  # Nobody has to be given up for that, and who asks for it is told so.
  run "$KVCTL" --config "$CLUSTER/node1.conf" layout force --yes --accept-loss node3
  ((status != 0))
  assert_matches 'several copies are kept of each value' "$output"
}

@test "where a value lies, and what a change would move, is told of all copies" {
  for node in 1 2 3; do list "$node" 3 1 2 3; done
  for node in 1 2 3; do launch_node "$node"; done
  for node in 1 2 3; do await_node "$node"; done
  eventually 30 is_settled 0 1 2 3
  store_many 10 2
  run "$KVCTL" --config "$CLUSTER/node1.conf" where --json key1
  assert_equal '["node1","node2","node3"]' "$(jq -c '.owners | sort' <<<"$output")"
  run "$KVCTL" --config "$CLUSTER/node1.conf" where key1
  assert_equal 2 "$(grep -c '^copy   node' <<<"$output")"
  list 4 1 1 2 3
  run "$KVCTL" --config "$CLUSTER/node1.conf" layout plan --json "$CLUSTER/node4.conf"
  assert_equal '[10,0,20]' "$(jq -c '[.values, .moved_values, ([.hosts[].leaving_values] | add)]' <<<"$output")"
}

@test "from one copy to three and back under clients, while who gets values is killed" {
  steps 123x1 123x3kill again2 123x1kill
}

@test "hosts join and leave where there are three copies, under clients, while who gets values is killed" {
  steps 123x3 1234x3kill 234x3kill 2345x3
}

@test "one disk and then another is lost under clients, while the host that is filled again is killed" {
  steps 123x3 wipe2kill wipe3 wipe1kill
}
