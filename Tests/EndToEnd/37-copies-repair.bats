# Copies come back by themselves: the owners of a key end with the very same files, whoever was away or was damaged, and
# what was deleted leaves nothing.

# shellcheck disable=SC2154 # support.bash and bats set variables.

load support

KVCTL=${KVCTL:-${KVNODE%/*}/kvctl}

setup_file() { export BATS_TEST_TIMEOUT=600; }

# Three new hosts, each of which has all values.
setup() {
  prepare_test_cluster
  rm -rf "$CLUSTER"/node?
  local node
  for node in 1 2 3; do
    sed -i "/^node4=/d; 1i [Cluster]\nReplicas=3\n" "$CLUSTER/node$node.conf"
    launch_node "$node"
  done
  for node in 1 2 3; do await_node "$node"; done
  eventually 30 is_founded
}

teardown() {
  kill_cluster
}

is_founded() {
  local node
  for node in 1 2 3; do [[ $(status "$node" layout) == 1 ]] || return 1; done
}

# status N MEMBER: what node N says of itself.
status() { curl --silent --fail "http://$(node_address "$1"):$PORT/?status" | jq -r ".$2"; }

has_status() { [[ $(status "$1" "$2") == "$3" ]]; }

tree() { "$HELPERS/tree.py" "$CLUSTER/node$1"; }

# hold_the_same [COUNT]: all hosts have the same files, so many.
hold_the_same() {
  local first
  first=$(tree 1)
  [[ $first == "$(tree 2)" && $first == "$(tree 3)" && (-z ${1-} || $(grep -c . <<<"$first") == "$1") ]]
}

# put_key N KEY BYTES: some value, through node N.
put_key() {
  head -c "$3" /dev/urandom |
    curl --silent --fail --output /dev/null --upload-file - "http://$(node_address "$1"):$PORT/$2"
}

delete_key() { curl --silent --fail --request DELETE "http://$(node_address "$1"):$PORT/$2"; }

# put_keys N FROM TO BYTES
put_keys() {
  local number
  for ((number = $2; number <= $3; number++)); do put_key "$1" "key$number" "$4" || return 1; done
}

delete_keys() {
  local number
  for ((number = $2; number <= $3; number++)); do delete_key "$1" "key$number" || return 1; done
}

# deletions_on N: how many files on node N say that something was deleted.
deletions_on() { find "$CLUSTER/node$1/values" -type f -size 0 | wc -l; }

has_deletions() { [[ $(deletions_on "$1") == "$2" ]]; }

no_deletions() { has_deletions 1 0 && has_deletions 2 0 && has_deletions 3 0; }

# file_of N KEY: where its value lies on node N.
file_of() { find "$CLUSTER/node$1/values" -name "$2"; }

status_text() { "$KVCTL" --config "$CLUSTER/node1.conf" status; }

status_has() { status_text | grep -qE -- "$1"; }

@test "a host that was down while values came, changed and went ends with the very files of the others" {
  put_keys 1 1 40 3000
  eventually 30 hold_the_same 40
  kill_node 3
  put_keys 1 21 60 70000
  put_keys 2 30 35 0
  delete_keys 2 1 10
  # It is known that copies are missing, and since when.
  eventually 30 status_has '^copies: node1: [0-9]+ keys may have fewer copies than they should, since [0-9]+ s'
  (($(metric 1 kvnode_keys_behind) > 0))
  start_node 3
  eventually 60 hold_the_same
  for node in 1 2 3; do eventually 30 has_metric "$node" kvnode_keys_behind 0; done
  (($(metric 3 kvnode_repaired_values_total) >= 40 && $(metric 3 kvnode_repaired_bytes_total) >= 2000000))
  eventually 30 log_has 3 'copies were compared with other hosts'
  # What was deleted leaves nothing once all know of it; a value of no bytes stays.
  eventually 90 hold_the_same 50
}

@test "a host that is killed again and again amid repair gets there, while others write" {
  put_keys 1 1 60 2000
  kill_node 2
  put_keys 1 41 400 20000
  delete_keys 3 1 40
  local before=60 writer
  for _ in 1 2 3; do
    start_node 2
    # Once something has come.
    eventually 30 has_more_files 2 "$before"
    before=$(find "$CLUSTER/node2/values" -type f | wc -l)
    kill_node 2
  done
  start_node 2
  put_keys 3 300 360 5000 &
  writer=$!
  delete_keys 2 100 140
  wait "$writer"
  eventually 120 no_deletions
  eventually 60 hold_the_same 319
}

has_more_files() { (($(find "$CLUSTER/node$1/values" -type f | wc -l) != $2)); }

@test "a value that a check finds damaged, and one that was cut off, are replaced by another owner's copies" {
  put_keys 1 1 3 500000
  eventually 30 hold_the_same 3
  local before
  before=$(tree 1)
  printf X | dd status=none conv=notrunc bs=1 seek=1000 of="$(file_of 2 key1)"
  if cmp -s "$(file_of 2 key1)" "$(file_of 1 key1)"; then
    printf Y | dd status=none conv=notrunc bs=1 seek=1000 of="$(file_of 2 key1)"
  fi
  run "$KVCTL" --config "$CLUSTER/node2.conf" check --repair
  ((status == 3)) || return 1
  eventually 30 hold_the_same 3
  assert_equal "$before" "$(tree 2)"
  eventually 30 has_status 2 quarantined null
  assert_equal '' "$(ls "$CLUSTER/node2/quarantine")"
  eventually 30 has_metric 2 kvnode_quarantined_files 0
  has_status 2 attention null
  assert_equal 1 "$(grep -c "a damaged value was replaced by another owner's copy" "$CLUSTER/node2.log")"
  # Whoever reads it gets it, and has it mended.
  truncate -s 1000 "$(file_of 3 key2)"
  curl --silent --fail "http://$(node_address 3):$PORT/key2" | cmp - "$(file_of 1 key2)"
  eventually 30 hold_the_same 3
  assert_equal "$before" "$(tree 3)"
}

@test "damage is found by comparing after a start, and mended while another owner is down" {
  put_keys 1 1 2 5000
  eventually 30 hold_the_same 2
  local before
  before=$(tree 1)
  kill_node 1
  kill_node 2
  truncate -s 10 "$(file_of 2 key2)"
  start_node 2
  eventually 60 mended 2 "$before"
}

mended() { [[ $(tree "$1") == "$2" ]]; }

@test "what all hosts hold as deleted is forgotten by all, and what is put again stays" {
  put_keys 1 1 20 1000
  delete_keys 2 1 20
  put_keys 3 11 20 1000
  eventually 90 no_deletions
  eventually 30 hold_the_same 10
  local node
  for node in 1 2 3; do
    assert_equal "ERROR: GET key1: no such key" "$(get "$node" key1)"
    get "$node" key15 | cmp - "$(file_of 1 key15)"
  done
  (($(metric 1 kvnode_forgotten_deletions_total) + $(metric 2 kvnode_forgotten_deletions_total) +
    $(metric 3 kvnode_forgotten_deletions_total) >= 10))
}

# was_deleted_before N SECONDS: the files on node N that say that something was deleted are so old.
was_deleted_before() {
  local newest
  newest=$(find "$CLUSTER/node$1/values" -type f -size 0 -printf '%C@\n' | sort -n | tail -n 1)
  (($(date +%s) - ${newest%.*} > $2))
}

@test "a host that was away while values were deleted keeps the others from forgetting that, and brings none back" {
  put_keys 1 1 10 1000
  eventually 30 hold_the_same 10
  kill_node 3
  delete_keys 1 1 10
  # Until then they would have forgotten it, if the third were there.
  eventually 90 was_deleted_before 1 40
  has_deletions 1 10
  has_deletions 2 10
  start_node 3
  eventually 60 no_deletions
  eventually 30 hold_the_same 0
  local node
  for node in 1 2 3; do assert_equal "ERROR: GET key1: no such key" "$(get "$node" key1)"; done
  # Nor does a start bring anything back.
  for node in 1 2 3; do kill_node "$node"; done
  for node in 1 2 3; do launch_node "$node"; done
  for node in 1 2 3; do await_node "$node"; done
  for node in 1 2 3; do eventually 30 has_metric "$node" kvnode_comparisons_total 1; done
  hold_the_same 0
}
