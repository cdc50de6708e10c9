# Listings where each value has three copies: what is decided is listed once, whatever single nodes have missed.

# shellcheck disable=SC2154 # support.bash and bats set variables.

load support

KVCTL=${KVCTL:-${KVNODE%/*}/kvctl}

setup() {
  local node
  prepare_test_cluster
  # These nodes are new, and decide on a list with copies.
  rm -rf "$CLUSTER"/node?
  configure all copies '[Cluster]' 'Replicas=3'
  for node in "${NODES[@]}"; do launch_node "$node"; done
  for node in "${NODES[@]}"; do await_node "$node"; done
  for node in "${NODES[@]}"; do eventually 30 has_layout "$node"; done
  cd "$BATS_TEST_TMPDIR" || return
}

teardown() {
  kill_cluster
}

has_layout() { [[ $(curl --silent "http://$(node_address "$1"):$PORT/?status" | jq '.layout == 1 and .progress == null') == true ]]; }

# ask N TARGET: what node N answers, in the file body; prints the status.
ask() { curl --silent --max-time 60 --output body --write-out '%{http_code}' "http://$(node_address "$1"):$PORT/$2"; }

# put_text N KEY TEXT: stores it through node N as a type that tells the text.
put_text() {
  printf '%s' "$3" | curl --silent --fail --output answer --header "Content-Type: text/$3" --upload-file - \
    "http://$(node_address "$1"):$PORT/$2"
}

delete() { curl --silent --fail -X DELETE "http://$(node_address "$1"):$PORT/$2"; }

# assert_lists N EXPECTED [LIMIT]: page by page, node N lists these keys, each with its size and type.
assert_lists() {
  local token='' found=()
  while :; do
    assert_equal 200 "$(ask "$1" "?list&limit=${3:-1000}$token")" || { cat body >&2; return 1; }
    mapfile -t -O "${#found[@]}" found < <(jq -r '.values[] | "\(.key)=\(.size),\(.type)"' body)
    assert_equal null "$(jq -r .missing body)" || return 1
    token=$(jq -r '.next // ""' body)
    [[ $token ]] || break
    token="&start=$token"
  done
  assert_equal "through node$1: $2" "through node$1: ${found[*]}"
}

# store_keys: keys as they are while all nodes run; change_keys N: through node N, some go, some change, some come.
store_keys() {
  local number
  for number in {10..69}; do put_text $((number % 4 + 1)) "k$number" old; done
}

change_keys() {
  local number
  for number in {10..69}; do
    case $((number % 6)) in
      0 | 3) delete "$1" "k$number" ;;
      1 | 4) put_text "$1" "k$number" changed ;;
    esac
  done
  for number in {70..79}; do put_text "$1" "k$number" new; done
}

# old_keys, changed_keys: what is to be listed then.
old_keys() { printf 'k%s=3,text/old ' {10..69} | sed 's/ $//'; }

changed_keys() {
  local number
  for number in {10..69}; do
    case $((number % 6)) in
      1 | 4) printf 'k%s=7,text/changed ' "$number" ;;
      2 | 5) printf 'k%s=3,text/old ' "$number" ;;
    esac
  done
  printf 'k%s=3,text/new ' {70..79} | sed 's/ $//'
}

@test "each value is listed once through every node, and kvctl counts none twice" {
  local node
  store_keys
  for node in "${NODES[@]}"; do
    assert_lists "$node" "$(old_keys)"
    assert_lists "$node" "$(old_keys)" 7
    assert_equal 60 "$("$KVCTL" --node "$(node_address "$node"):$PORT" ls | wc -l)"
  done
  # Three copies lie on four nodes.
  assert_equal 180 "$(for node in "${NODES[@]}"; do ask "$node" '?list&scope=node&format=lines' >status; grep ^value body; done | wc -l)"
  assert_matches '^ *180 +60 values +all$' "$("$KVCTL" --config "$CLUSTER/node1.conf" du)"
  "$KVCTL" --config "$CLUSTER/node2.conf" get -r '' got 2>told
  assert_equal 60 "$(find got -type f | wc -l)"
  mkdir synced
  assert_equal 60 "$("$KVCTL" --config "$CLUSTER/node3.conf" sync --dry-run kv: synced | grep -c '^get ')"
  assert_equal 200 "$(ask 4 '?list&delimiter=0')"
  assert_equal 'k10 k20 k30 k40 k50 k60' "$(jq -r '.prefixes | join(" ")' body)"
}

@test "with one node stopped a listing is the same, and what that node misses is listed right as soon as it is back" {
  local node
  store_keys
  kill_node 2
  for node in 1 3 4; do assert_lists "$node" "$(old_keys)" 25; done
  change_keys 4
  for node in 1 3 4; do assert_lists "$node" "$(changed_keys)" 25; done
  start_node 2
  for node in "${NODES[@]}"; do
    assert_lists "$node" "$(changed_keys)"
    assert_lists "$node" "$(changed_keys)" 7
  done
}

@test "where only one other owner answers beside one that has missed something, what is decided is listed" {
  local node
  store_keys
  kill_node 2
  change_keys 4
  start_node 2
  kill_node 3
  # The first of these settles it.
  assert_lists 2 "$(changed_keys)" 7
  for node in 1 2 4; do assert_lists "$node" "$(changed_keys)"; done
  start_node 3
  kill_node 4
  for node in 1 2 3; do assert_lists "$node" "$(changed_keys)"; done
}

@test "a node that stands still does not keep a listing" {
  local node
  store_keys
  kill -STOP "$(node_pid 3)"
  for node in 1 2 4; do assert_lists "$node" "$(old_keys)"; done
  kill -CONT "$(node_pid 3)"
  assert_lists 3 "$(old_keys)"
}

@test "with two of four nodes stopped a listing fails and names them, unless it may be partial" {
  put_text 1 some old
  kill_node 2
  kill_node 3
  for node in 1 4; do
    assert_equal 503 "$(ask "$node" '?list')"
    assert_matches '^LIST: too few nodes answer: node2, node3 do not; ' "$(cat body)"
    assert_equal 200 "$(ask "$node" '?list&partial=yes')"
    assert_equal 'node2 node3' "$(jq -r '.missing | join(" ")' body)"
    assert_equal some "$(jq -r '.values[].key' body)"
  done
  start_node 2
  eventually 30 lists 1
  assert_lists 4 'some=3,text/old'
}

lists() { [[ $(ask "$1" '?list') == 200 ]]; }
