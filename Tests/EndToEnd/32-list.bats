# Listing over four nodes: in byte order, complete, page by page, while keys come and go.

# shellcheck disable=SC2154 # support.bash and bats set variables, and every test is a subshell.

load support

setup() {
  # A million files are made in memory where that file system keeps the attributes that a node needs.
  in_memory=
  cd "$BATS_TEST_TMPDIR" || return
  prepare_test_cluster
}

teardown() {
  kill_cluster
  if [[ -n $in_memory ]]; then rm -rf "$in_memory"; fi
}

# list NODE TARGET: the status is printed, the answer left in `body`.
list() { curl --silent --max-time 60 --output body --write-out '%{http_code}' "http://127.0.0.$1:7776/$2"; }

listing() { timeout 250 /usr/bin/python3 -B "$HELPERS/listing.py" "$@"; }

# put_keys KEY...: small values, made through node 1.
put_keys() {
  local key
  for key in "$@"; do printf 'upload-file = "value"\nurl = "http://127.0.0.1:7776/%s"\nnext\n' "$key"; done |
    sed '$d' >config
  echo hello >value
  curl --silent --fail --config config
}

# put_keys_of_one: some that node 1 owns.
put_keys_of_one() {
  local prefix keys=()
  for prefix in a b c d; do keys+=("$(key_owned_by 1 "$prefix-")"); done
  put_keys "${keys[@]}"
}

# keys NODE TARGET: the keys of a page, and in brackets its groups and whether another page follows.
keys() {
  list "$1" "$2" >status
  jq -r '([.values[].key] | join(" ")) + " [" + ([.prefixes[]] | join(" ")) + (if .next then " more" else "" end) + "]"' \
    body
}

assert_list() { assert_equal "$3: $2" "$3: $(keys "$1" "$3")"; }

@test "an index that is damaged while the node runs is made anew, and the listing waits for that" {
  local index
  start_node 1
  put_keys_of_one
  assert_equal 200 "$(list 1 '?list&scope=node')"
  cp body expected
  index=$CLUSTER/node1/index/data.mdb
  dd if=/dev/zero of="$index" bs=4096 seek=2 count=$(($(stat -c %s "$index") / 4096 - 2)) conv=notrunc status=none
  assert_equal 200 "$(list 1 '?list&scope=node')"
  cmp body expected
  log_has 1 'the index has failed, and is made anew'
}

@test "no keys, some keys, a prefix, a first key, a limit, groups, and where the next page goes on" {
  local next
  start_cluster
  assert_equal 200 "$(list 1 '?list')"
  assert_equal '{"values":[],"prefixes":[]}' "$(cat body)"
  put_keys b a/2 a/10 a/1 c B a aa
  for node in "${NODES[@]}"; do
    assert_list "$node" 'B a a/1 a/10 a/2 aa b c []' '?list'
    assert_list "$node" 'a a/1 a/10 a/2 aa []' 'a?list'
    assert_list "$node" 'a/1 a/10 a/2 []' 'a/?list'
    assert_list "$node" 'a/10 a/2 []' 'a/?list&from=a/10'
    assert_list "$node" 'a/2 aa b c []' '?list&from=a%2F11'
    assert_list "$node" 'B a [ more]' '?limit=2&list'
    next=$(jq -r .next body)
    assert_list "$node" 'a/1 a/10 a/2 [ more]' "?list&start=$next&limit=3"
    next=$(jq -r .next body)
    assert_list "$node" 'aa b c []' "?list&start=$next&limit=3"
    assert_list "$node" ' []' '?list&from=d'
    assert_list "$node" ' []' 'x?list'
    assert_list "$node" 'B a aa b c [a/]' '?list&delimiter=/'
    assert_list "$node" 'B a [a/ more]' '?list&delimiter=/&limit=3'
    next=$(jq -r .next body)
    assert_list "$node" 'aa b c []' "?list&delimiter=/&start=$next"
    assert_list "$node" 'a/1 a/10 a/2 []' 'a/?list&delimiter=/'
  done
  curl --silent -X DELETE http://127.0.0.3:7776/aa
  assert_list 2 'B a a/1 a/10 a/2 b c []' '?list'
}

@test "a listing tells size, tag, time and type, in JSON and in lines" {
  local etag modified
  start_cluster
  printf 12345 >value
  curl -sf -T value -H 'Content-Type: text/plain' http://127.0.0.1:7776/told%20of
  curl -sfI http://127.0.0.2:7776/told%20of >head.txt
  etag=$(tr -d '\r' <head.txt | sed -n 's/^ETag: "\(.*\)"$/\1/p')
  modified=$(date -u -d "$(tr -d '\r' <head.txt | sed -n 's/^Last-Modified: //p')" +%Y-%m-%dT%H:%M:%SZ)
  for node in "${NODES[@]}"; do
    list "$node" 'told?list' >status
    assert_equal "told%20of 5 $etag $modified text/plain" \
      "$(jq -r '.values[0] | "\(.key) \(.size) \(.etag) \(.time) \(.type)"' body)"
    list "$node" 'told?list&format=lines' >status
    assert_equal "value told%20of 5 $modified $etag text/plain end" "$(tr '\t\n' '  ' <body | sed 's/ $//')"
  done
}

@test "a listing is whole after a kill and after an orderly restart, and finds what came by hand meanwhile" {
  local node
  start_cluster
  put_keys {1..20}
  for node in "${NODES[@]}"; do kill_node "$node"; done
  for node in "${NODES[@]}"; do launch_node "$node"; done
  for node in "${NODES[@]}"; do await_node "$node"; done
  list 1 '?list' >status
  assert_equal 20 "$(jq '.values | length' body)"
  put_keys {21..30}
  for node in "${NODES[@]}"; do kill -TERM "$(node_pid "$node")"; done
  for node in "${NODES[@]}"; do eventually 10 node_is_gone "$node"; done
  for node in "${NODES[@]}"; do
    [ -e "$CLUSTER/node$node/index/clean" ]
    launch_node "$node"
  done
  for node in "${NODES[@]}"; do await_node "$node"; done
  list 2 '?list' >status
  assert_equal 30 "$(jq '.values | length' body)"
}

@test "limits and starts that are none are refused" {
  start_cluster
  for limit in 0 -1 100001 x '' 1e3 99999999999999999999 '+5'; do
    assert_equal "$limit 400" "$limit $(list 1 "?list&limit=$limit")"
    assert_equal 'limit= is not a number from 1 to 100000' "$(cat body)"
  done
  assert_equal 400 "$(list 1 '?list&start=%4')"
  assert_equal 400 "$(list 1 '%zz?list')"
  assert_equal 200 "$(list 1 '?list&limit=100000')"
}

@test "keys of all bytes and lengths are listed as they stand in a path" {
  start_cluster
  listing odd
}

@test "values that are no keys of this layout, and keys of other nodes, are not listed" {
  start_cluster
  put_keys a b
  local shard
  shard=$(dirname "$(value_file a a)")
  touch "$shard/%41" "$shard/.hidden" "$shard/x+" "$shard/%zz" "$shard/~"
  mkdir "$shard/empty+"
  key=$(key_owned_by $((($(owner_of a) % 4) + 1)) foreign)
  touch "$shard/$key"
  # A value moved to another shard of its own node would be shown twice, or be shown though no GET finds it.
  cp "$(value_file a a)" "${shard%/*}/$(printf '%02x' $((16#${shard##*/} ^ 1)))/a"
  # What was put there by hand is looked at when the index is made anew.
  for node in "${NODES[@]}"; do
    kill_node "$node"
    start_node "$node"
  done
  assert_list 1 'a b []' '?list'
}

@test "a node that is down makes the listing fail with its name, never shorter" {
  start_cluster
  put_keys {1..40}
  kill_node 3
  for node in 1 2 4; do
    assert_equal 503 "$(list "$node" '?list')"
    assert_matches 'node3 \(127\.0\.0\.3:7776\) cannot be reached' "$(cat body)"
    # Also where none of the keys that are asked for would be there.
    assert_equal 503 "$(list "$node" '?list&limit=1')"
  done
  # Unless whoever asks says so, and then is told whose values may be missing.
  assert_equal 200 "$(list 1 '?list&partial=yes')"
  assert_equal '["node3"]' "$(jq -c .missing body)"
  (($(jq '.values | length' body) < 40))
  start_node 3
  eventually 10 listed_again
  assert_equal 40 "$(jq '.values | length' body)"
}

listed_again() { [[ $(list 1 '?list') == 200 ]]; }

@test "a node with another peer list makes the listing fail with its name" {
  # Without a layout: where there is one, the lists do not count.
  unfound_cluster
  configure 2 peers '[Peers]' node4=
  start_cluster
  assert_equal 421 "$(list 1 '?list')"
  assert_matches 'node1 and node2 have different peer lists' "$(cat body)"
}

@test "while keys come, go and are replaced, those that stay are listed exactly once" {
  start_cluster
  listing churn 37
}

@test "a million keys over four nodes, in order and complete, within 128 MiB" {
  local count=1000000 test=parts node peak
  if [[ -w /dev/shm ]]; then
    in_memory=$(mktemp -d /dev/shm/kvnode-list.XXXXXX)
    if setfattr -n user.kvnode -v x "$in_memory" 2>/dev/null; then
      CLUSTER=$in_memory
      write_configurations
    fi
  fi
  # On a disk to make them takes minutes.
  if [[ ${KVNODE_LONG:-} == 1 ]]; then test=complete; elif [[ $CLUSTER != "$in_memory" ]]; then count=200000; fi
  /usr/bin/python3 "$HELPERS/keyspace.py" "$CLUSTER" "$count"
  start_cluster
  listing "$test" "$count" 100000
  for node in "${NODES[@]}"; do
    peak=$(awk '$1 == "VmHWM:" { print $2 }' "/proc/$(node_pid "$node")/status")
    echo "node$node: $((peak >> 10)) MiB at most" >&2
    ((peak < 128 << 10))
  done
}
