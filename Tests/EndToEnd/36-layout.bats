# The layout: hosts decide on it, and values move to where it says, while clients go on.

# shellcheck disable=SC2154 # support.bash and bats set variables.

load support

KVCTL=${KVCTL:-${KVNODE%/*}/kvctl}

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

# place N LINE [HOST WORDS]: node N's file asks for that placement, and says WORDS behind the address of HOST.
place() {
  sed -i "/^\[Cluster\]/,/^$/d; 1i [Cluster]\nPlacement=$2\n" "$CLUSTER/node$1.conf"
  if [[ -n ${3-} ]]; then sed -i "s/^\(node$3=[^ ]*\).*/\1 $4/" "$CLUSTER/node$1.conf"; fi
}

# layout_of N [ARGUMENT...]: kvctl layout on the host of node N.
layout_of() { "$KVCTL" --config "$CLUSTER/node$1.conf" layout "${@:2}"; }

# put_values COUNT, has_values COUNT N...: keys v1 and so on, through the first node; and all of them through each.
put_values() {
  local number
  for ((number = 1; number <= $1; number++)); do
    echo "value $number" | curl --silent --fail --upload-file - "http://$(node_address 1):$PORT/v$number"
  done
}

has_values() {
  local node number
  for node in "${@:2}"; do
    for ((number = 1; number <= $1; number++)); do
      assert_equal "value $number" "$(get "$node" "v$number")"
    done
  done
}

# lies_where_told COUNT N...: each value lies on the node that kvctl names, and on no other.
lies_where_told() {
  local number owner
  for ((number = 1; number <= $1; number++)); do
    owner=$("$KVCTL" --config "$CLUSTER/node$2.conf" where --json "v$number" | jq -r .owner)
    assert_equal "$CLUSTER/$owner/values/" "$(find "$CLUSTER"/node?/values -name "v$number" | sed 's|/values/.*|/values/|')"
  done
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

@test "two wishes that half of the hosts have each change nothing, and whose they are is told" {
  start_listed 1 2 3 4
  store_many 8 1
  for node in 1 2; do list "$node" 1 2 3; done
  for node in 3 4; do list "$node" 1 2 4; done
  for node in 1 2 3 4; do reload "$node"; done
  eventually 30 status_says 1 'most of node1, node2, node3, node4 must list the same hosts'
  eventually 30 status_says 4 'most of node1, node2, node3, node4 must list the same hosts'
  assert_equal 2 "$(layout_of 1 --json | jq '[.hosts[].wish] | unique | length')"
  # Half of them are put back to what is in force, which the others are not enough to change.
  for node in 1 2; do list "$node" 1 2 3 4; done
  for node in 1 2; do reload "$node"; done
  eventually 30 has_status 1 progress null
  status_says 4 'differs from the layout in force'
  assert_equal 1 "$(status 4 layout)"
  has_all 8 3
}

@test "a host with another address is the member that it was, and nothing moves" {
  start_listed 1 2 3
  store_many 12 1
  kill_node 3
  for node in 1 2 3; do sed -i 's/^node3=.*/node3=127.0.0.9:7776/' "$CLUSTER/node$node.conf"; done
  sed -i "s/^Listen=.*/Listen=127.0.0.9:7776/" "$CLUSTER/node3.conf"
  reload 1
  reload 2
  launch_node 3
  eventually 30 has_all 12 1
  has_all 12 2
  assert_equal 1 "$(status 1 layout)"
  assert_equal 1 "$(curl --silent http://127.0.0.9:7776/?status | jq .layout)"
  hold 12 1 2 3
}

@test "a dead host that is taken out of the list is waited for by name, and its values are refused, not denied" {
  start_listed 1 2 3
  put_values 12
  kill_node 3
  for node in 1 2; do list "$node" 1 2; done
  for node in 1 2; do reload "$node"; done
  eventually 60 status_says 1 node3
  [[ $(codes 12 1) != *404* ]]
  start_node 3
  eventually 120 is_settled 1 1 2
  has_values 12 1
}

@test "a host with a new disk is not taken for the one that had the values" {
  start_listed 1 2 3
  store_many 20 1
  kill_node 3
  mv "$CLUSTER/node3" "$CLUSTER/lost"
  start_node 3
  eventually 30 has_status 1 progress "[Peers] differs from the layout in force: node3 has another disk than before; mount that, or give up what was on it (kvctl layout force --accept-loss node3)"
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

@test "a data directory that was put back has no vote before all others have said what it has forgotten" {
  start_listed 1 2 3
  store_many 10 1
  kill_node 2
  cp -a "$CLUSTER/node2" "$CLUSTER/backup"
  start_node 2
  eventually 30 is_settled 0 1 2 3
  kill_node 2
  kill_node 3
  rm -r "$CLUSTER/node2"
  mv "$CLUSTER/backup" "$CLUSTER/node2"
  start_node 2
  eventually 30 has_status 2 progress "this host's data directory is older than the others remember it, so it has no vote: all of them are being asked for what it has forgotten"
  eventually 30 has_status 1 progress "node2's data directory is older than this host remembers it: it has no vote before all others have told it what it has forgotten"
  grep -q '^votes withheld$' "$CLUSTER/node2/node"
  # What a later process knows too, whatever it is told.
  kill_node 2
  kill_node 1
  start_node 2
  eventually 30 has_status 2 progress "this host's data directory is older than the others remember it, so it has no vote: all of them are being asked for what it has forgotten"
  start_node 1
  start_node 3
  eventually 30 is_settled 0 1 2 3
  if grep -q withheld "$CLUSTER/node2/node"; then return 1; fi
  has_all 10 2
  # Its vote counts again: without it the two would not be most of the three.
  kill_node 3
  eventually 60 force_third
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

# start_elder N: something that answers in the place of node N as a node of package version 0.1.0 does.
start_elder() {
  setpriv --pdeathsig KILL /usr/bin/python3 "$HELPERS/elder.py" "$(node_address "$1")" "$BATS_TEST_TMPDIR/elder" \
    >/dev/null 2>&1 3>&- </dev/null &
  echo $! >"$CLUSTER/node$1.pid"
  eventually 30 test -e "$BATS_TEST_TMPDIR/elder"
}

# has_served N...: these nodes have a value each, which they have served by their lists.
has_served() {
  local node shard
  for node; do
    shard=$(printf '%02x' $(($(slot_of "old$node") >> 8)))
    mkdir -p "$CLUSTER/node$node/values/$shard"
    echo value >"$CLUSTER/node$node/values/$shard/old$node"
  done
}

@test "a host that knows no layout is told of as such, and while there is one the lists count" {
  list 1 1 2
  start_elder 2
  start_node 1
  eventually 30 has_status 1 progress "no layout yet: node2 is of an older version that knows none; until it is upgraded, all hosts go by their lists"
  assert_matches 'node2 is of an older version' "$("$KVCTL" --config "$CLUSTER/node1.conf" layout 2>&1)"
  number=1
  until [[ $(get 1 "key$number") == *'no such key' ]]; do number=$((number + 1)); done
  kill_node 2
  eventually 30 has_status 1 progress "no layout yet: no answer from node2"
  # When it is back it is of this version.
  list 2 1 2
  start_node 2
  eventually 30 is_settled 0 1 2
}

@test "no first layout leaves out a host that may hold values, whatever the list says by now, also after a restart" {
  local node left="no layout yet: node3, which is listed no more, may hold values: list it again until there is a layout"
  has_served 1 2 3
  for node in 1 2; do list "$node" 1 2 3; done
  start_elder 3
  for node in 1 2; do start_node "$node"; done
  for node in 1 2; do eventually 30 status_says "$node" 'node3 is of an older version'; done
  for node in 1 2; do eventually 30 is_noted "$node"; done
  for node in 1 2; do list "$node" 1 2; done
  for node in 1 2; do reload "$node"; done
  for node in 1 2; do eventually 30 has_status "$node" progress "$left"; done
  # So does one whose own process has never listed it.
  for node in 1 2; do kill_node "$node"; done
  for node in 1 2; do start_node "$node"; done
  for node in 1 2; do eventually 30 has_status "$node" progress "$left"; done
  assert_equal null "$(status 1 layout)"
  # Nor does it help to leave but one.
  list 1 1
  reload 1
  left="no layout yet: node2, node3, which are listed no more, may hold values: list them again until there is a layout"
  eventually 30 has_status 1 progress "$left"
  # As the docs have it: list it, upgrade it, and take it out then.
  kill_node 3
  for node in 1 2 3; do list "$node" 1 2 3; done
  for node in 1 2; do reload "$node"; done
  start_node 3
  eventually 30 is_settled 0 1 2 3
  for node in 1 2; do list "$node" 1 2; done
  for node in 1 2; do reload "$node"; done
  eventually 120 is_settled 1 1 2
}

# is_noted N: node N's disk has noted whom it has served with.
is_noted() { grep -q node3 "$CLUSTER/node$1/layout"; }

@test "an acknowledged value outlives changes of the list and kill -9, and counters are exact" {
  local changes=2
  if [[ -n ${KVNODE_LONG:-} ]]; then changes=20; fi
  run python3 "$HELPERS/moving.py" "$KVNODE" "$BATS_TEST_TMPDIR" "$changes" 1
  echo "$output"
  ((status == 0))
}

@test "a placement by weight is taken up and left again, and every value stays" {
  local node version
  start_listed 1 2 3
  put_values 60
  for node in 1 2 3; do place "$node" rendezvous 3 "weight=2 zone=rack1"; done
  run -0 "$KVNODE" --check-config --config "$CLUSTER/node1.conf"
  assert_matches 'share        node3 50.0 % of all values' "$output"
  layout_of 1 plan "$CLUSTER/node1.conf" --json >"$BATS_TEST_TMPDIR/plan.json"
  for node in 1 2 3; do reload "$node"; done
  eventually 120 is_settled 5 1 2 3
  assert_equal rendezvous "$(layout_of 1 --json | jq -r .current.placement)"
  assert_equal "2 rack1" "$(layout_of 2 --json | jq -r '.current.members[2] | "\(.weight) \(.zone)"')"
  has_values 60 1 2 3
  eventually 30 lies_where_told 60 1
  # What was foreseen has come true.
  for node in 1 2 3; do
    assert_equal "$(values_on "$node")" \
      "$(jq ".hosts[] | select(.name == \"node$node\") | .values - .leaving_values + .arriving_values" "$BATS_TEST_TMPDIR/plan.json")"
  done
  version=$(status 1 layout)
  for node in 1 2 3; do
    place "$node" ranges
    reload "$node"
  done
  eventually 120 is_settled "$version" 1 2 3
  assert_equal ranges "$(layout_of 1 --json | jq -r .current.placement)"
  eventually 30 lies_where_told 60 1
  has_values 60 1 3
}

@test "a change that is called off goes back, and begins again only once something else was wished" {
  local node
  start_listed 1 2
  put_values 40
  run layout_of 1 cancel
  assert_equal "1 kvctl: LAYOUT: no change is under way" "$status $output"
  # Node 3 takes no value, so that the change cannot end.
  sed -i 's/^\[Node\]/&\nMinFree=99.99%/' "$CLUSTER/node3.conf"
  for node in 1 2 3; do list "$node" 1 2 3; done
  launch_node 3
  await_node 3
  for node in 1 2; do reload "$node"; done
  eventually 60 status_says 3 'no space'
  assert_equal "called off" "$(layout_of 2 cancel)"
  eventually 120 is_back 1 2
  has_members 1 "node1 node2"
  has_status 1 progress "the change that [Peers] asks for was called off: edit it"
  has_values 40 1 2
  eventually 30 lies_where_told 40 1
  for node in 1 2 3; do
    list "$node" 1 2
    if ((node < 3)); then reload "$node"; fi
  done
  eventually 30 not_refused 1
  kill_node 3
  sed -i '/^MinFree=99/d' "$CLUSTER/node3.conf"
  for node in 1 2 3; do list "$node" 1 2 3; done
  launch_node 3
  for node in 1 2; do reload "$node"; done
  eventually 120 is_settled 10 1 2 3
  has_values 40 1 2 3
}

# is_back N...: nothing is on its way any more.
is_back() {
  local node
  for node; do [[ $(layout_of "$node" --json | jq 'has("next")') == false ]] || return 1; done
}

not_refused() { [[ $(layout_of "$1" --json | jq 'has("refused")') == false ]]; }

@test "a host that is gone for good is given up, and an empty one takes its place" {
  local kept
  start_listed 1 2 3
  put_values 40
  run layout_of 1 force --accept-loss node3 --yes
  assert_matches 'LAYOUT: node3 has been heard of lately: stop it first' "$output"
  kept=$((40 - $(values_on 3)))
  kill_node 3
  rm -rf "$CLUSTER/node3"
  launch_node 3
  await_node 3
  eventually 60 status_says 1 'node3 has another disk than before'
  run layout_of 1 force --accept-loss node3 </dev/null
  assert_matches 'nothing was done' "$output"
  eventually 60 force_third
  assert_matches 'node3: .* \(33.3 % of the slots\) will be lost' "$(cat "$BATS_TEST_TMPDIR/forced")"
  assert_matches 'given up: node3' "$(cat "$BATS_TEST_TMPDIR/forced")"
  eventually 60 is_settled 1 1 2 3
  assert_equal "$kept" "$(("$(values_on 1)" + "$(values_on 2)"))"
  assert_equal "$kept" "$(codes 40 3 | grep -c 200)"
  assert_equal "$((40 - kept))" "$(codes 40 2 | grep -c 404)"
  # Nothing else has moved, and the empty host takes what is its.
  put_values 40
  has_values 40 1 2 3
  eventually 30 lies_where_told 40 1
}

# As long as it was heard of lately, it is not given up.
force_third() { layout_of 1 force --accept-loss node3 --yes >"$BATS_TEST_TMPDIR/forced" 2>&1; }

status_says() { [[ $(status "$1" progress) == *"$2"* ]]; }

# codes COUNT N: what node N answers to a GET of each key.
codes() {
  local number
  for ((number = 1; number <= $1; number++)); do
    curl --silent --output /dev/null --write-out '%{http_code}\n' "http://$(node_address "$2"):$PORT/v$number"
  done
}

@test "the one host that is left gives the others up, and they do not mix in when they come back" {
  local kept
  start_listed 1 2 3
  put_values 40
  kept=$(values_on 1)
  kill_node 2
  kill_node 3
  list 1 1
  reload 1
  eventually 60 force_others
  eventually 120 has_members 1 node1
  assert_equal "$kept" "$(codes 40 1 | grep -c 200)"
  launch_node 2
  await_node 2
  eventually 60 has_status 2 layout "$(status 1 layout)"
  # What the other had is left for a person to look at.
  eventually 60 status_counts_stranded 2
  assert_equal "$kept" "$(codes 40 2 | grep -c 200)"
  put_values 40
  has_values 40 1 2
  has_members 2 node1
}

# has_members N NAMES: the layout in force names these hosts.
has_members() { [[ $(layout_of "$1" --json | jq -r '[.current.members[].name] | join(" ")') == "$2" ]]; }

# As long as they were heard of lately, they are not given up.
force_others() { layout_of 1 force --accept-loss node2 --accept-loss node3 --yes >/dev/null 2>&1; }

status_counts_stranded() { (($(status "$1" stranded) > 0)); }

@test "one list for all lets one of two hosts go, and it relays afterwards, also when it is started again" {
  start_listed 1 2
  put_values 40
  list 1 1
  list 2 1
  run -0 "$KVNODE" --check-config --config "$CLUSTER/node2.conf"
  assert_matches "warning: .*\[Peers\] does not have this node, node2" "$output"
  reload 1
  reload 2
  eventually 120 is_settled 2 1 2
  eventually 30 holds_nothing 2
  has_values 40 1 2
  kill_node 2
  launch_node 2
  await_node 2
  has_values 40 2
  # A host that no layout has named must be in its own list.
  kill_node 2
  rm -rf "$CLUSTER/node2"
  run "$KVNODE" --check-config --config "$CLUSTER/node2.conf"
  assert_equal 78 "$status"
}

holds_nothing() { (($(values_on "$1") == 0)); }

@test "an order is given by its field alone, and with a meaning" {
  start_listed 1 2
  admin_order() { curl --silent --output "$BATS_TEST_TMPDIR/answer" --write-out '%{http_code}' -X POST "$@"; }
  local url
  url=http://$(node_address 1):7777/layout
  assert_equal 403 "$(admin_order "$url/cancel")"
  assert_equal 403 "$(admin_order "$url/force?lost=node2" -H 'Kvnode-Order: cancel')"
  assert_equal 400 "$(admin_order "$url/cancel" -H 'Kvnode-Order: cancel')"
  assert_equal "LAYOUT: no change is under way" "$(cat "$BATS_TEST_TMPDIR/answer")"
  assert_equal 400 "$(admin_order "$url/cancel?lost=node2" -H 'Kvnode-Order: cancel')"
  assert_equal 400 "$(admin_order "$url/force" -H 'Kvnode-Order: force')"
  assert_equal "LAYOUT: nobody is named who is to be given up" "$(cat "$BATS_TEST_TMPDIR/answer")"
  assert_equal 400 "$(admin_order "$url/force?lost=node9" -H 'Kvnode-Order: force')"
  assert_equal "LAYOUT: node9 is not in the layout" "$(cat "$BATS_TEST_TMPDIR/answer")"
  assert_equal 405 "$(admin_order "http://$(node_address 1):7777/status")"
  assert_equal "$(curl --silent --fail "http://$(node_address 2):$PORT/?layout" | jq -c .current)" \
    "$(curl --silent --fail "$url" | jq -c .current)"
}
