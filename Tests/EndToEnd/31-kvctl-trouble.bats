# kvctl where nodes are down, disagree or refuse.

# shellcheck disable=SC2154 # support.bash and bats set variables, and every test is a subshell.
# shellcheck disable=SC2016 # What stands in single quotes is for another shell.
# shellcheck disable=SC2002 # Where a pipe is written, a pipe is meant.

load support

KVCTL=${KVCTL:-${KVNODE%/*}/kvctl}

setup() {
  prepare_test_cluster
  cd "$BATS_TEST_TMPDIR" || return
  random_file value 3000000
}

teardown() { kill_cluster; }

kvctl() { "$KVCTL" "$@" --config "$CLUSTER/node1.conf"; }

@test "status tells in words what is down" {
  start_cluster
  kill_node 3
  run --separate-stderr kvctl status
  assert_equal 4 "$status"
  assert_matches "node3 +127.0.0.3:7776 +no" "$output"
  assert_matches "problem: node3 \\(127.0.0.3:7776\\) cannot be reached: connection refused" "$output"
  assert_equal "kvctl: STATUS: 1 problem" "$stderr"
  run --separate-stderr kvctl status --json
  python3 -m json.tool <<<"$output"
}

@test "status tells in words where nodes disagree" {
  configure 2 peers '[Peers]' 'node4=127.0.0.4:7000'
  start_cluster
  run --separate-stderr kvctl status
  assert_equal 1 "$status"
  assert_matches "problem: the peer lists differ: $(fingerprint 1) on this configuration, node1, node3 and node4; $(fingerprint 2) on node2" "$output"
}

@test "a node that is down makes a listing fail with its name" {
  start_cluster
  kvctl put some value
  kill_node 3
  run --separate-stderr kvctl ls
  assert_equal 4 "$status"
  assert_matches "node3 \\(127.0.0.3:7776\\)" "$stderr"
}

@test "a part of a listing is listed where that is asked for, and whose is missing is told" {
  local key
  start_cluster
  for key in k/{1..20}; do printf 12345 >five; kvctl put "$key" five; done
  kill_node 3
  run --separate-stderr kvctl ls --partial k/
  assert_equal 4 "$status"
  (($(wc -l <<<"$output") < 20))
  assert_equal "kvctl: LIST: the listing is incomplete, these nodes did not answer: node3" "$stderr"
}

@test "where --find tells of a value that an earlier list left on another node" {
  local key
  start_cluster
  key=$(key_owned_by 3 lost)
  kvctl put "$key" value
  kill_node 3
  mkdir -p "$(dirname "$CLUSTER/node1/$(value_path "$key")")"
  # What its owner holds too would be swept.
  mv "$CLUSTER/node3/$(value_path "$key")" "$CLUSTER/node1/$(value_path "$key")"
  kill_node 1
  start_node 1
  start_node 3
  assert_equal "" "$(kvctl where "$key" --find | grep node2 || true)"
  run --separate-stderr kvctl where "$key" --find
  assert_equal 0 "$status"
  assert_matches "also +on node1 \\(127.0.0.1:7776\\), where no GET finds it" "$output"
  assert_equal '["node1"]' "$(kvctl where "$key" --find --json | jq -c .stranded)"
  # It is counted once all that others may hold has been looked through.
  eventually 40 tells_of_stranded
}

tells_of_stranded() {
  run --separate-stderr kvctl status
  [[ $status == 1 && $output == *"problem: node1: 1 stranded value (1 to node3), which no GET finds"* ]]
}

# value_path KEY: where its value lies below the data directory of a node.
value_path() { printf 'values/%s/%s' "$(printf '%s\n' "$1" | md5sum | cut -c 1-2)" "$1"; }

@test "an owner that is down ends with 4, asked itself and through another" {
  start_cluster
  key=$(key_owned_by 3 key)
  kill_node 3
  run --separate-stderr kvctl get "$key"
  assert_equal 4 "$status"
  assert_equal "kvctl: GET $key: node3 (127.0.0.3:7776) cannot be reached: connection refused" "$stderr"
  run --separate-stderr "$KVCTL" put "$key" value --node 127.0.0.1
  assert_equal 4 "$status"
  assert_matches "node3" "$stderr"
}

@test "a value that is too large ends with the node's own words" {
  configure all limits '[Limits]' 'MaxValueSize=1M'
  start_cluster
  run --separate-stderr kvctl put large value
  assert_equal 1 "$status"
  assert_equal "kvctl: PUT large: the value has more than 1048576 bytes (MaxValueSize=)" "$stderr"
  run --separate-stderr bash -c 'cat value | "$1" put large --node 127.0.0.1' - "$KVCTL"
  assert_equal 1 "$status"
  assert_equal "kvctl: PUT large: the value has more than 1048576 bytes (MaxValueSize=)" "$stderr"
}

@test "a node that dies during a download leaves what came" {
  start_cluster
  truncate -s 512M sparse
  key=$(key_owned_by 2 key)
  kvctl put "$key" sparse
  mkfifo fifo
  # Nothing is read from the FIFO, so that the download cannot end.
  "$KVCTL" get "$key" -o fifo --config "$CLUSTER/node1.conf" 2>errors 3>&- &
  downloader=$!
  exec 8<fifo
  head -c 1000000 <&8 >/dev/null
  kill_node 2
  cat <&8 >/dev/null
  exec 8<&-
  downloader_status=0
  wait "$downloader" || downloader_status=$?
  assert_equal 4 "$downloader_status"
  assert_matches "GET $key: node2 \\(127.0.0.2:7776\\) (closed the connection too early|failed)" "$(cat errors)"
}

@test "check works while no node runs" {
  start_cluster
  key=$(key_owned_by 1 key)
  kvctl put "$key" value
  kill_cluster
  run kvctl check
  assert_equal 0 "$status"
  assert_matches "values +1" "$output"
}
