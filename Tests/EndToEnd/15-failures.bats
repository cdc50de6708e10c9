# What breaks: owners, relays and clients that die, hang, refuse or disagree. Nothing partial is ever stored, and
# whoever asked learns of it by an error or a reset.

# shellcheck disable=SC2154 # support.bash and bats set variables, and every test is a subshell.

load support

setup() {
  prepare_test_cluster
  cd "$BATS_TEST_TMPDIR" || return
  # Of the tests' two ends, node 1 is asked and node 2 owns the key.
  key=$(key_owned_by 2 key)
}

teardown() { kill_cluster; }

# get_fails_with LINE, put_fails_with LINE: asked of node 1, about the key, within a few seconds.
get_fails_with() { assert_equal "ERROR: GET $key: $1" "$(echo "GET $key" | timeout 5 nc 127.0.0.1 7776)"; }
put_fails_with() { assert_equal "ERROR: PUT $key: $1" "$(raw 1 "PUT $key\nvalue")"; }

# start_putting N: begins a PUT of the key through node N, and returns once the owner has a part of the value.
start_putting() {
  start_client putter "127.0.0.$1" text="PUT $key\\n" bytes=4000000 await="$PWD/go-on" "${@:2}"
  eventually 10 has_staged 2 1000000
}

# start_getting N: begins a GET of a large value through node N, and returns once its first bytes have come.
start_getting() {
  truncate -s 256M value
  put 2 "$key" value
  start_client getter "127.0.0.$1" text="GET $key\\n" read=1000 touch="$PWD/begun" await="$PWD/go-on" read
  eventually 10 test -e begun
}

absent() {
  local node
  for node in 1 2; do assert_equal "ERROR: GET $key: no such key" "$(get "$node" "$key")"; done
}

# accepts_nothing N: node N's port is not listened on.
accepts_nothing() { ! nc -z -w 1 "127.0.0.$1" 7776; }

@test "the owner is down: the error names it and its address, at once" {
  for node in 1 3 4; do start_node $node; done
  get_fails_with 'node2 (127.0.0.2:7776) cannot be reached: connection refused'
  put_fails_with 'node2 (127.0.0.2:7776) cannot be reached: connection refused'
  assert_equal "ERROR: DEL $key: node2 (127.0.0.2:7776) cannot be reached: connection refused" "$(del 1 "$key")"
}

@test "the owner is down: its client that sends megabytes gets the error, not a reset" {
  start_node 1
  head -c 16M /dev/zero >value
  assert_equal "ERROR: PUT $key: node2 (127.0.0.2:7776) cannot be reached: connection refused" \
    "$(put 1 "$key" value)"
}

@test "one node down leaves the keys of the others as they were" {
  start_cluster
  echo value >value
  kill_node 2
  for owner in 1 3 4; do
    other=$(key_owned_by $owner other)
    assert_equal "$other" "$(put 1 "$other" value)"
    for node in 1 3 4; do get $node "$other" | cmp - value; done
  done
}

@test "the owner's host does not answer: an error after ConnectTimeout=" {
  configure 1 timeouts '[Limits]' ConnectTimeout=300ms
  start_node 1
  setpriv --pdeathsig KILL /usr/bin/python3 "$HELPERS/deaf.py" 127.0.0.2 "$PWD/deaf" 3>&- </dev/null &
  eventually 10 test -e deaf
  get_fails_with 'node2 (127.0.0.2:7776) cannot be reached: no answer within 0.3 seconds (ConnectTimeout=)'
  put_fails_with 'node2 (127.0.0.2:7776) cannot be reached: no answer within 0.3 seconds (ConnectTimeout=)'
}

@test "the owner has no room: PUT is refused before the value is sent, DEL works" {
  configure 2 space '[Node]' MinFree=1000T
  start_cluster
  for node in 1 2; do
    assert_matches "^ERROR: PUT $key: no space: [0-9]+ bytes are free, 1099511627776000 are reserved \\(MinFree=\\)$" \
      "$(raw $node "PUT $key\nvalue")"
    assert_matches "^ERROR: PUT $key: no space: [0-9]+ bytes are free, 7 more are needed, 1099511627776000 are reserved \\(MinFree=\\)$" \
      "$(raw $node "PUT $key 7\nvalue")"
  done
  echo value >"$(value_file "$key" "$key")"
  del 1 "$key"
  absent
  staging_is_empty 2
}

@test "the owner hangs before it answers: an error after IdleTimeout=" {
  configure 1 timeouts '[Limits]' IdleTimeout=1s
  start_node 1
  start_node 2
  kill -STOP "$(node_pid 2)"
  get_fails_with 'node2 (127.0.0.2:7776) did not answer in time (IdleTimeout=)'
  put_fails_with 'node2 (127.0.0.2:7776) did not answer in time (IdleTimeout=)'
  kill -CONT "$(node_pid 2)"
  eventually 10 node_answers 2
  eventually 10 absent
}

@test "the owner hangs in the midst of a PUT: an error after IdleTimeout=, and nothing is stored" {
  configure all timeouts '[Limits]' IdleTimeout=1s
  start_cluster
  start_client putter 127.0.0.1 text="PUT $key\\n" bytes=1000000 await="$PWD/go-on" bytes=200000000 shut read
  eventually 10 has_staged 2 500000
  kill -STOP "$(node_pid 2)"
  touch go-on
  finish_client putter
  assert_equal "ERROR: PUT $key: node2 (127.0.0.2:7776) did not answer in time (IdleTimeout=)" "$(cat putter.out)"
  kill -CONT "$(node_pid 2)"
  eventually 10 staging_is_empty 2
  absent
}

@test "the owner hangs in the midst of a GET: a reset after IdleTimeout=" {
  configure 1 timeouts '[Limits]' IdleTimeout=1s
  start_cluster
  start_getting 1
  kill -STOP "$(node_pid 2)"
  touch go-on
  finish_client getter
  assert_equal 104 "$client_status"
}

@test "the owner dies in the midst of a PUT: an error, and nothing is stored" {
  start_cluster
  start_putting 1 bytes=1000000 shut read
  kill_node 2
  touch go-on
  finish_client putter
  assert_matches "^ERROR: PUT $key: node2 \\(127\\.0\\.0\\.2:7776\\) (closed the connection without an answer|failed: .+)$" \
    "$(cat putter.out)"
  # What it had is found and removed at its next start.
  has_staged 2 1000000
  start_node 2
  staging_is_empty 2
  absent
}

@test "the owner dies in the midst of a PUT: the value that was there before stays" {
  start_cluster
  random_file before 100000
  put 1 "$key" before
  start_putting 1 shut read
  kill_node 2
  touch go-on
  finish_client putter
  start_node 2
  get 1 "$key" | cmp - before
}

@test "a client whose own node dies in the midst of its PUT gets a reset or an early end, never the key" {
  start_cluster
  start_putting 2 bytes=1000000 shut read
  kill_node 2
  touch go-on
  finish_client putter
  assert_equal 104 "$client_status"
  assert_equal '' "$(cat putter.out)"
  start_node 2
  staging_is_empty 2
  absent
}

@test "the owner dies in the midst of a GET: the client sees a reset, not an end" {
  start_cluster
  start_getting 1
  kill_node 2
  touch go-on
  finish_client getter
  assert_equal 104 "$client_status"
  (($(stat -c %s getter.out) < 256 << 20))
}

@test "a client whose own node dies in the midst of its GET sees a reset, not an end" {
  start_cluster
  start_getting 2
  kill_node 2
  touch go-on
  finish_client getter
  assert_equal 104 "$client_status"
}

@test "a client that resets its connection in the midst of a PUT stores nothing" {
  start_cluster
  for node in 1 2; do
    start_putting $node reset
    touch go-on
    finish_client putter
    eventually 10 staging_is_empty 2
    absent
    rm go-on
  done
}

@test "a client that resets after its last byte, before its end of stream, stores nothing" {
  start_cluster
  for node in 1 2; do
    start_client putter 127.0.0.$node text="PUT $key\\n" bytes=4000000 await="$PWD/go-on" reset
    eventually 10 has_staged 2 4000000
    touch go-on
    finish_client putter
    eventually 10 log_has $node 'connection reset'
    eventually 10 staging_is_empty 2
    absent
    rm go-on
  done
}

@test "a PUT of stated length is answered without an end of stream, unless more bytes have come" {
  local node
  start_cluster
  for node in 1 2; do
    start_client putter 127.0.0.$node text="PUT $key 4000000\\n" bytes=4000000 read
    finish_client putter
    assert_equal 0 "$client_status"
    assert_equal "$key" "$(cat putter.out)"
    del 3 "$key"
    # Of nothing, too; and all at once, so that the byte too many is there when the value ends.
    start_client putter 127.0.0.$node text="PUT $key 0\\n" read
    finish_client putter
    assert_equal "$key" "$(cat putter.out)"
    del 3 "$key"
    start_client putter 127.0.0.$node text="PUT $key 5\\n123456" read
    finish_client putter
    assert_equal "ERROR: PUT $key: more than the stated 5 bytes arrived" "$(cat putter.out)"
    absent
  done
}

@test "netcat-traditional, which cannot half-close, stores a value of stated length" {
  local netcat
  netcat=$(command -v nc.traditional) || skip 'no nc.traditional'
  start_cluster
  head -c 3000000 /dev/urandom >value
  assert_equal "$key" "$( (echo "PUT $key 3000000"; cat value) | timeout 20 "$netcat" 127.0.0.1 7776)"
  get 2 "$key" | cmp - value
}

@test "a client that is killed in the midst of a PUT with a stated length stores nothing" {
  start_cluster
  for node in 1 2; do
    start_client putter 127.0.0.$node text="PUT $key 8000000\\n" bytes=4000000 await="$PWD/never"
    eventually 10 has_staged 2 1000000
    kill -KILL "$(cat putter.pid)"
    finish_client putter
    eventually 10 staging_is_empty 2
    absent
  done
}

@test "a client that is killed in the midst of a GET leaves the nodes serving" {
  start_cluster
  for node in 1 2; do
    start_getting $node
    kill -KILL "$(cat getter.pid)"
    finish_client getter
    eventually 10 log_has $node 'connection reset'
    get $node "$key" | cmp - value
    rm begun
  done
}

@test "the relay dies in the midst of a PUT: its owner stores nothing" {
  start_cluster
  start_putting 1 bytes=1000000 shut read
  kill_node 1
  touch go-on
  finish_client putter
  assert_equal 104 "$client_status"
  eventually 10 staging_is_empty 2
  start_node 1
  absent
}

@test "the relay dies in the midst of a PUT of stated length, nearly all of it sent: its owner stores nothing" {
  start_cluster
  start_client putter 127.0.0.1 text="PUT $key 4000001\\n" bytes=4000000 await="$PWD/go-on" read
  eventually 10 has_staged 2 4000000
  kill_node 1
  touch go-on
  finish_client putter
  eventually 10 staging_is_empty 2
  start_node 1
  absent
}

@test "the relay dies in the midst of a GET: the client sees a reset, and the owner goes on" {
  start_cluster
  start_getting 1
  kill_node 1
  touch go-on
  finish_client getter
  assert_equal 104 "$client_status"
  get 3 "$key" | cmp - value
}

@test "a node that was killed and started again serves what it had, also to those that knew it before" {
  start_cluster
  random_file value 5000000
  put 1 "$key" value
  get 3 "$key" | cmp - value
  for _ in 1 2 3; do
    kill_node 2
    get_fails_with 'node2 (127.0.0.2:7776) cannot be reached: connection refused'
    start_node 2
    for node in "${NODES[@]}"; do
      get "$node" "$key" | cmp - value
      assert_equal "$key" "$(put "$node" "$key" value)"
    done
  done
}

@test "a node that was restarted at once is not taken for a failure by a relay with an old connection" {
  start_cluster
  random_file value 300000
  for _ in 1 2 3; do
    assert_equal "$key" "$(put 1 "$key" value)"
    kill_node 2
    start_node 2
    assert_equal "$key" "$(put 1 "$key" value)"
    kill_node 2
    start_node 2
    get 1 "$key" | cmp - value
  done
}

@test "every node killed at once and started again" {
  start_cluster
  random_file value 1000000
  for node in "${NODES[@]}"; do put 1 "$(key_owned_by "$node" all)" value; done
  kill_cluster
  start_cluster
  for node in "${NODES[@]}"; do get 1 "$(key_owned_by "$node" all)" | cmp - value; done
}

@test "leftovers in staging/ are emptied at the start" {
  start_node 2
  kill_node 2
  echo half >"$CLUSTER/node2/staging/17"
  echo half >"$CLUSTER/node2/staging/probe"
  start_node 2
  staging_is_empty 2
}

@test "two nodes with different peer lists: the error names both fingerprints, and nothing is stored" {
  unfound_cluster
  # The same nodes in another order.
  sed -i -e '/^node[34]=/d' "$CLUSTER/node2.conf"
  configure 2 order '[Peers]' node4=127.0.0.4:7776 node3=127.0.0.3:7776
  start_cluster
  one=$(fingerprint 1)
  two=$(fingerprint 2)
  [ "$one" != "$two" ]
  assert_equal "$one" "$(fingerprint 3)"
  message="node1 and node2 have different peer lists (fingerprints $one and $two); make [Peers] the same on every node"
  get_fails_with "$message"
  put_fails_with "$message"
  assert_equal "ERROR: DEL $key: $message" "$(del 1 "$key")"
  # Those that agree go on.
  other=$(key_owned_by 3 other)
  assert_equal "$other" "$(raw 1 "PUT $other\nvalue")"
  staging_is_empty 2
}

@test "a node that takes itself for another: an error, no loop" {
  unfound_cluster
  sed -i -e 's/^Name=node2/Name=node3/' "$CLUSTER/node2.conf"
  start_node 1
  start_node 2
  get_fails_with 'node1 takes node3 for the owner, but it is node2; is Name= the same on two nodes?'
  put_fails_with 'node1 takes node3 for the owner, but it is node2; is Name= the same on two nodes?'
}
