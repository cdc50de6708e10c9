# Starting, configuring, reloading and stopping a node: what it says, and with which status it ends.

# shellcheck disable=SC2154,SC2030,SC2031 # support.bash and bats set variables, and every test is a subshell.

load support

setup() {
  prepare_test_cluster
  # Most of these tests are about nodes that are new.
  rm -rf "$CLUSTER"/node?
  cd "$BATS_TEST_TMPDIR" || return
  configuration=$CLUSTER/node1.conf
}

teardown() { kill_cluster; }

# refuses_to_start STATUS LINE: node 1 ends with the status, and says the line and nothing else.
refuses_to_start() {
  run --separate-stderr "-$1" timeout 10 "$KVNODE" --config "$configuration"
  assert_equal "$2" "$stderr"
}

# refuses_configuration LINE...: what is in the file named `configuration`.
refuses_configuration() {
  refuses_to_start 78 "kvnode: $1"
  run --separate-stderr -78 "$KVNODE" --config "$configuration" --check-config
  assert_equal "kvnode: $1" "$stderr"
  assert_equal '' "$output"
}

# status_of_node N: sets node_status to what a node ended with that this shell started.
status_of_node() {
  node_status=0
  wait "$(node_pid "$1")" || node_status=$?
}

accepts_nothing() { ! nc -z -w 1 "127.0.0.$1" 7776; }

@test "--version and --help" {
  run --separate-stderr -0 "$KVNODE" --version
  assert_matches '^kvnode [0-9]+\.[0-9]+\.[0-9]+$' "$output"
  run --separate-stderr -0 "$KVNODE" --help
  assert_equal 'usage: kvnode [--config FILE] [--state DIRECTORY] [--check-config [--quiet]]' "${lines[0]}"
  assert_equal '' "$stderr"
}

@test "arguments that mean nothing" {
  run --separate-stderr -64 "$KVNODE" --nonsense
  assert_equal "kvnode: unknown argument '--nonsense'" "${stderr_lines[0]}"
  run --separate-stderr -64 "$KVNODE" --config
  assert_equal 'kvnode: --config needs a file' "${stderr_lines[0]}"
}

@test "--check-config says what the node would own, and neither binds nor writes" {
  start_node 1
  run --separate-stderr -0 "$KVNODE" --config "$configuration" --check-config
  assert_equal '' "$stderr"
  assert_equal 'configuration is valid' "${lines[0]}"
  assert_equal 'node         node1, owns 16385 of 65536 slots by its own list' "${lines[1]}"
  assert_equal "peers        node1 (127.0.0.1:7776), node2 (127.0.0.2:7776), node3 (127.0.0.3:7776), node4 (127.0.0.4:7776)" \
    "${lines[2]}"
  assert_equal 'placement    ranges' "${lines[3]}"
  assert_equal 'reads        majority' "${lines[4]}"
  assert_matches '^fingerprint  [0-9a-f]{16}$' "${lines[5]}"
  assert_equal "data         $CLUSTER/node1" "${lines[6]}"
  "$KVNODE" --config "$CLUSTER/node2.conf" --check-config
  [ ! -e "$CLUSTER/node2" ]
}

@test "all nodes of one list have one fingerprint, and another order has another" {
  for node in 2 3 4; do assert_equal "$(fingerprint 1)" "$(fingerprint $node)"; done
  sed -i -e '/^node1=/d' "$CLUSTER/node4.conf"
  echo node1=127.0.0.1:7776 >>"$CLUSTER/node4.conf"
  [ "$(fingerprint 1)" != "$(fingerprint 4)" ]
}

@test "--check-config --quiet says only what is wrong" {
  run --separate-stderr -0 "$KVNODE" --config "$configuration" --check-config --quiet
  assert_equal '' "$output$stderr"
  echo nonsense >>"$configuration"
  run --separate-stderr -78 "$KVNODE" --config "$configuration" --check-config --quiet
  assert_matches 'nonsense: expected ' "$stderr"
}

@test "an empty directory in place of a remembered store ends in 78, and the way out is what the line says" {
  remembering() { start_node 1 sh -c 'exec "$@" --state state' sh; }
  sed -i '/^\[Peers\]/,$d' "$configuration"
  remembering
  key=$(key_owned_by 1 key)
  assert_equal "$key" "$(raw 1 "PUT $key\nvalue")"
  kill_node 1
  mv "$CLUSTER/node1" unmounted
  mkdir "$CLUSTER/node1"
  run --separate-stderr -78 timeout 10 "$KVNODE" --config "$configuration" --state state
  assert_equal "kvnode: data directory $CLUSTER/node1: holds no store, but had the store $(cat unmounted/id): mount its disk,\
 or remove state/store to begin an empty one" "$stderr"
  rmdir "$CLUSTER/node1"
  mv unmounted "$CLUSTER/node1"
  remembering
  assert_equal value "$(raw 1 "GET $key\n")"
  kill_node 1
  rm -r "$CLUSTER/node1" state/store
  remembering
  assert_equal "ERROR: GET $key: no such key" "$(raw 1 "GET $key\n")"
}

@test "a file that is not there" {
  configuration=$PWD/absent.conf
  refuses_configuration "$PWD/absent.conf: cannot be read: No such file or directory"
}

@test "a bad value: one line with file, line and what was expected" {
  line=$(($(wc -l <"$configuration") + 2))
  printf '[Limits]\nIdleTimeout=soon\n' >>"$configuration"
  refuses_configuration "$configuration:$line: IdleTimeout=soon: expected a time span such as 10s or 1min 30s, in ms, s, min or h"
}

@test "a bad value in a drop-in names the drop-in" {
  configure 1 50-limits '[Limits]' '# a comment' 'MaxValueSize=1Q'
  refuses_configuration "$configuration.d/50-limits.conf:3: MaxValueSize=1Q: expected a size such as 128M: a number of bytes, or a number and one of K, M, G, T"
}

@test "a line that is no assignment" {
  configure 1 50-bad '[Node]' 'Durability full'
  refuses_configuration "$configuration.d/50-bad.conf:2: Durability full: expected Key=value, [Section] or a comment"
}

@test "several problems are a line each, and each line is kvnode's" {
  configure 1 50-bad '[Node]' Durability=most MinFree=some
  refuses_configuration "$configuration.d/50-bad.conf:2: Durability=most: expected full or relaxed
kvnode: $configuration.d/50-bad.conf:3: MinFree=some: expected a percentage such as 2% or a size such as 10G"
}

@test "what is odd beside an error is told before it, in the same form" {
  configure 1 50-bad '[Node]' MinimumFree=1G MinFree=some
  run --separate-stderr -78 "$KVNODE" --config "$configuration" --check-config
  assert_equal 2 "${#stderr_lines[@]}"
  assert_matches "^kvnode: warning: $configuration.d/50-bad.conf:2: MinimumFree=1G: unknown key in \\[Node\\]" "${stderr_lines[0]}"
  assert_matches "^kvnode: $configuration.d/50-bad.conf:3: MinFree=some: expected" "${stderr_lines[1]}"
}

@test "a peer whose name stands for no address is warned of by --check-config, which ends well all the same" {
  printf 'node5=nowhere.invalid\nnode6=localhost:7786\n' >>"$configuration"
  for quiet in '' --quiet; do
    # shellcheck disable=SC2086 # No word where it is empty.
    run --separate-stderr -0 "$KVNODE" --config "$configuration" --check-config $quiet
    assert_matches "^kvnode: warning: \\[Peers\\] node5 \\(nowhere.invalid:7776\\): cannot resolve 'nowhere.invalid': " "$stderr"
    assert_equal 1 "${#stderr_lines[@]}"
  done
}

@test "unknown keys and sections are warned of, and the node starts" {
  configure 1 50-unknown '[Node]' Colour=blue '[Extras]' a=b
  start_node 1
  eventually 10 log_has 1 "kvnode: warning: $configuration.d/50-unknown.conf:2: Colour=blue: unknown key in [Node], ignored; known are Name,"
  eventually 10 log_has 1 "kvnode: warning: $configuration.d/50-unknown.conf:3: [Extras]: unknown section, ignored; known are [Node], [Cluster], [Peers], [Limits]"
  run --separate-stderr -0 "$KVNODE" --config "$configuration" --check-config
  assert_equal 2 "${#stderr_lines[@]}"
}

@test "drop-ins are read after the file, in the order of their names, and only *.conf" {
  configure 1 20-second '[Node]' "DataDirectory=$CLUSTER/second"
  configure 1 10-first '[Node]' "DataDirectory=$CLUSTER/first"
  echo 'not read' >"$configuration.d/30-third.conf.dpkg-old"
  echo 'not read' >"$configuration.d/.40-hidden.conf"
  run -0 "$KVNODE" --config "$configuration" --check-config
  assert_equal "data         $CLUSTER/second" "${lines[6]}"
}

@test "the node's own name is not in [Peers]" {
  sed -i 's/^Name=.*/Name=node9/' "$configuration"
  refuses_configuration "$configuration:2: Name=node9: expected a name in [Peers], which has node1, node2, node3, node4; correct it here, or add node9 to [Peers] on every node"
}

@test "a port that is taken" {
  start_node 1
  sed -i "s/^DataDirectory=.*/DataDirectory=${CLUSTER//\//\\/}\/other/" "$configuration"
  refuses_to_start 69 'kvnode: cannot listen on 127.0.0.1:7776 (Listen=): Address already in use'
}

@test "a data directory that another node uses" {
  start_node 1
  sed -i "s/^DataDirectory=.*/DataDirectory=${CLUSTER//\//\\/}\/node1/" "$CLUSTER/node2.conf"
  configuration=$CLUSTER/node2.conf
  refuses_to_start 69 "kvnode: data directory $CLUSTER/node1: another kvnode is using it"
}

@test "a data directory that is a file, or below one" {
  echo >"$CLUSTER/node1"
  refuses_to_start 78 "kvnode: data directory $CLUSTER/node1: open: Not a directory"
  sed -i "s/^DataDirectory=.*/DataDirectory=${CLUSTER//\//\\/}\/node1\/below/" "$configuration"
  refuses_to_start 78 "kvnode: data directory $CLUSTER/node1/below: mkdir: Not a directory"
}

@test "a data directory that may not be written" {
  # Root may write everywhere, unless it gives that right away.
  command=()
  if ((EUID == 0)); then command=(setpriv "--bounding-set=-dac_override,-dac_read_search"); fi
  mkdir -m 0555 "$CLUSTER/node1"
  run --separate-stderr -78 "${command[@]}" timeout 10 "$KVNODE" --config "$configuration"
  assert_matches "^kvnode: data directory $CLUSTER/node1: [a-z0-9]+: Permission denied\$" "$stderr"
}

@test "a data directory of another layout" {
  mkdir "$CLUSTER/node1"
  echo 'kvnode 2' >"$CLUSTER/node1/format"
  refuses_to_start 78 "kvnode: data directory $CLUSTER/node1: its file 'format' says 'kvnode 2\\x0a', expected 'kvnode 1'"
}

@test "a data directory whose id is none" {
  start_node 1
  kill_node 1
  echo 0123 >"$CLUSTER/node1/id"
  refuses_to_start 78 "kvnode: data directory $CLUSTER/node1: its file 'id' says '0123\\x0a', expected 32 hexadecimal digits"
}

@test "a data directory on a file system without extended attributes" {
  if ((EUID != 0)) || ! unshare --mount true 2>/dev/null; then skip "needs root and mount namespaces"; fi
  mkdir "$CLUSTER/node1"
  # shellcheck disable=SC2016 # Expanded by the shell in the namespace.
  run --separate-stderr -78 timeout 10 unshare --mount bash -c \
    'mount -t ramfs none "$1" && exec "$2" --config "$3"' _ "$CLUSTER/node1" "$KVNODE" "$configuration"
  assert_equal "kvnode: data directory $CLUSTER/node1: its file system has no user extended attributes (xattr(7)), which\
 kvnode needs" "$stderr"
}

@test "a configuration that leaves nothing to listen on" {
  configure 1 listen '[Node]' Listen=
  refuses_to_start 78 'kvnode: Listen= is empty and the service manager passed no socket'
}

@test "without [Peers] a node is on its own, and owns every key" {
  printf '[Node]\nDataDirectory=%s/node1\n' "$CLUSTER" >"$configuration"
  run -0 "$KVNODE" --config "$configuration" --check-config
  assert_matches ', owns every key$' "${lines[1]}"
  # It listens on port 7776 of every address.
  start_node 1
  for node in "${NODES[@]}"; do
    key=$(key_owned_by "$node" alone)
    assert_equal "$key" "$(raw "$node" "PUT $key\nvalue")"
    [ -e "$CLUSTER/node1/values/$(printf '%s\n' "$key" | md5sum | cut -c 1-2)/$key" ]
    assert_equal value "$(raw 3 "GET $key\n")"
  done
  assert_equal value "$(echo "GET $key" | nc ::1 7776)"
}

@test "without any file a node is on its own, on 7776, with its values in /var/lib/kvnode" {
  if ((EUID != 0)) || ! unshare --mount true 2>/dev/null; then skip "needs root and mount namespaces"; fi
  if [[ -e /etc/kvnode.conf || -e /etc/kvnode.conf.d ]]; then skip "kvnode is configured on this machine"; fi
  # shellcheck disable=SC2016 # Expanded by the shell in the namespace.
  setpriv --pdeathsig KILL unshare --mount bash -c 'mount --bind "$1" /var/lib && exec "$2"' _ "$PWD" "$KVNODE" \
    >"$CLUSTER/node1.log" 2>&1 3>&- </dev/null &
  echo $! >"$CLUSTER/node1.pid"
  await_node 1
  assert_equal key "$(raw 1 'PUT key\nvalue')"
  cmp <(printf value) "$PWD/kvnode/values/$(echo key | md5sum | cut -c 1-2)/key"
}

@test "Listen= may be repeated" {
  found_cluster
  configure 1 listen '[Node]' Listen=127.0.0.3:7776
  start_node 1
  key=$(key_owned_by 1 key)
  assert_equal "$key" "$(raw 1 "PUT $key\nvalue")"
  assert_equal value "$(raw 3 "GET $key\n")"
  accepts_nothing 2
}

@test "SIGHUP reads the configuration anew" {
  start_cluster
  key=$(key_owned_by 1 key)
  assert_equal "$key" "$(raw 1 "PUT $key\nvalue")"
  configure 1 limits '[Limits]' MaxValueSize=4
  kill -HUP "$(node_pid 1)"
  eventually 10 log_has 1 'configuration reloaded'
  assert_equal "ERROR: PUT $key: the value has more than 4 bytes (MaxValueSize=)" "$(raw 1 "PUT $key\nvalue")"
  assert_equal value "$(raw 2 "GET $key\n")"
}

@test "SIGHUP with another peer list moves the values to it" {
  start_cluster
  key=$(key_owned_by 4 moved)
  assert_equal "$key" "$(raw 1 "PUT $key\nvalue")"
  file=$(value_file "$key" "$key")
  test -e "$file"
  for node in 1 2 3; do
    sed -i '/^node4=/d' "$CLUSTER/node$node.conf"
    kill -HUP "$(node_pid "$node")"
    eventually 10 log_has "$node" "fingerprint=$(fingerprint 1)"
  done
  # Its owner was the fourth of four; the three give its slot to another, and the fourth relays.
  eventually 120 test ! -e "$file"
  for node in "${NODES[@]}"; do assert_equal value "$(raw $node "GET $key\n")"; done
}

@test "SIGHUP with a bad configuration is refused, and the old one stays in force" {
  configure 1 limits '[Limits]' MaxValueSize=4
  start_cluster
  key=$(key_owned_by 1 key)
  configure 1 limits '[Limits]' MaxValueSize=many
  kill -HUP "$(node_pid 1)"
  eventually 10 log_has 1 'the new configuration is refused, the old one stays in force'
  eventually 10 log_has 1 "$configuration.d/limits.conf:2: MaxValueSize=many: expected a size"
  assert_equal "ERROR: PUT $key: the value has more than 4 bytes (MaxValueSize=)" "$(raw 1 "PUT $key\nvalue")"
  assert_equal "$key" "$(raw 1 "PUT $key\nval")"
  # The admin port tells, and the node is in service all the same.
  curl --silent --fail http://127.0.0.1:7777/healthz >health
  assert_equal ok "$(head -n 1 health)"
  assert_matches "^configuration refused at 20.*: $configuration.d/limits.conf:2: MaxValueSize=many: " "$(tail -n 1 health)"
  curl --silent --fail http://127.0.0.1:7777/status |
    jq -e '.nodes[0].health == "ok" and (.nodes[0].attention | test("^configuration refused at .*MaxValueSize=many"))'
  assert_metric 1 kvnode_configuration_refused 1
  assert_metric 1 kvnode_configuration_refusals_total 1
  # And can be set right.
  configure 1 limits '[Limits]' MaxValueSize=5
  kill -HUP "$(node_pid 1)"
  eventually 10 log_has 1 'configuration reloaded'
  assert_equal "$key" "$(raw 1 "PUT $key\nvalue")"
  assert_equal ok "$(curl --silent --fail http://127.0.0.1:7777/healthz)"
  assert_metric 1 kvnode_configuration_refused 0
  assert_metric 1 kvnode_configuration_refusals_total 1
}

@test "SIGHUP says what takes effect at the next start only" {
  start_node 1
  configure 1 changed '[Node]' Listen= Listen=127.0.0.1:8776 AdminListen=127.0.0.1:8777 DataDirectory=/nowhere \
    Durability=relaxed MinFree=3%
  kill -HUP "$(node_pid 1)"
  eventually 10 log_has 1 'configuration reloaded'
  for key in Listen AdminListen DataDirectory Durability MinFree; do
    eventually 10 log_has 1 "$key= takes effect at the next start"
  done
}

@test "a peer that AllowedClients= and AllowedPeers= refuse is warned of" {
  configure 1 access '[Access]' AllowedClients=127.0.0.0/31
  run --separate-stderr -0 "$KVNODE" --config "$configuration" --check-config
  assert_equal "kvnode: warning: $configuration.d/access.conf:2: AllowedClients=127.0.0.0/31: refuses node2, node3, node4 of [Peers];\
 AllowedPeers= should list their addresses" "$stderr"
}

@test "SIGHUP breaks no transfer" {
  start_cluster
  key=$(key_owned_by 2 key)
  start_client putter 127.0.0.1 text="PUT $key\\n" bytes=2000000 await="$PWD/go-on" bytes=2000000 shut read
  eventually 10 has_staged 2 1000000
  for node in 1 2; do
    kill -HUP "$(node_pid $node)"
    eventually 10 log_has $node 'configuration reloaded'
  done
  touch go-on
  finish_client putter
  assert_equal "$key" "$(cat putter.out)"
}

@test "an idle node ends at SIGTERM and at SIGINT with status 0" {
  for signal in TERM INT; do
    start_cluster
    # So that there are idle connections between nodes.
    for node in "${NODES[@]}"; do raw 1 "GET $(key_owned_by "$node" key)\n"; done
    for node in "${NODES[@]}"; do kill -$signal "$(node_pid "$node")"; done
    for node in "${NODES[@]}"; do
      eventually 10 node_is_gone "$node"
      status_of_node "$node"
      assert_equal 0 "$node_status"
    done
  done
}

@test "a node ends at SIGTERM at once though others keep idle connections to it" {
  start_cluster
  key=$(key_owned_by 2 key)
  for node in 1 3 4; do raw $node "GET $key\n"; done
  kill -TERM "$(node_pid 2)"
  eventually 3 node_is_gone 2
}

@test "at SIGTERM a running PUT finishes, newcomers are refused, and the status is 0" {
  for through in 1 2; do
    start_cluster
    key=$(key_owned_by 2 key)
    start_client putter 127.0.0.$through text="PUT $key\\n" bytes=2000000 await="$PWD/go-on" bytes=2000000 shut read
    eventually 10 has_staged 2 1000000
    kill -TERM "$(node_pid $through)"
    eventually 10 accepts_nothing $through
    touch go-on
    finish_client putter
    assert_equal 0 "$client_status"
    assert_equal "$key" "$(cat putter.out)"
    eventually 10 node_is_gone $through
    status_of_node $through
    assert_equal 0 "$node_status"
    kill_cluster
    rm go-on
  done
}

@test "at SIGTERM of the owner a relayed GET finishes" {
  start_cluster
  key=$(key_owned_by 2 key)
  random_file value $((64 << 20))
  put 2 "$key" value
  start_client getter 127.0.0.1 text="GET $key\\n" read=1000 touch="$PWD/begun" await="$PWD/go-on" read
  eventually 10 test -e begun
  kill -TERM "$(node_pid 2)"
  eventually 10 accepts_nothing 2
  touch go-on
  finish_client getter
  assert_equal 0 "$client_status"
  cmp value getter.out
  eventually 10 node_is_gone 2
}

@test "what DrainTimeout= does not suffice for is reset, never ended as if it were whole" {
  configure all timeouts '[Limits]' DrainTimeout=500ms
  start_cluster
  key=$(key_owned_by 2 key)
  truncate -s 256M value
  put 2 "$key" value
  for through in 1 2; do
    start_client getter$through 127.0.0.$through text="GET $key\\n" read=1000 touch="$PWD/begun$through" \
      await="$PWD/go-on" read
    eventually 10 test -e begun$through
  done
  start_client putter 127.0.0.2 text="PUT $key\\n" bytes=2000000 await="$PWD/go-on" shut read
  eventually 10 has_staged 2 1000000
  for node in 1 2; do kill -TERM "$(node_pid $node)"; done
  for node in 1 2; do
    eventually 10 node_is_gone $node
    status_of_node $node
    assert_equal 0 "$node_status"
  done
  touch go-on
  for name in getter1 getter2 putter; do
    finish_client $name
    assert_equal 104 "$client_status"
  done
  start_node 2
  get 2 "$key" | cmp - value
}

@test "a second SIGTERM ends the node at once" {
  found_cluster
  start_node 2
  key=$(key_owned_by 2 key)
  start_client putter 127.0.0.2 text="PUT $key\\n" bytes=2000000 await="$PWD/go-on" shut read
  eventually 10 has_staged 2 1000000
  kill -TERM "$(node_pid 2)"
  eventually 10 accepts_nothing 2
  kill -TERM "$(node_pid 2)"
  eventually 5 node_is_gone 2
  status_of_node 2
  assert_equal 0 "$node_status"
  touch go-on
  finish_client putter
  assert_equal 104 "$client_status"
}
