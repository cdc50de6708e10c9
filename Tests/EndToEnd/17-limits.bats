# More connections than a node takes: whoever comes too late is told so, nothing spins, and service resumes.

# shellcheck disable=SC2154 # support.bash and bats set variables, and every test is a subshell.

load support

# What node 1 says to whom it has no place for.
TOO_MANY='ERROR: node1: too many connections, try again later (MaxConnections=)'

setup() {
  prepare_test_cluster
  cd "$BATS_TEST_TMPDIR" || return
  configure all timeouts '[Limits]' HeaderTimeout=60s
  key=$(key_owned_by 1 key)
  other=$(key_owned_by 2 other)
}

teardown() {
  touch "$BATS_TEST_TMPDIR/leave"
  kill_cluster
}

# start_crowd COUNT [NODE]: opens so many connections to node 1, or to that node, and keeps them, silent, until there is
# a file `leave`.
start_crowd() { gather crowd.py "127.0.0.${2:-1}" "$1"; }

# start_idlers COUNT NODE: the same, and a request is answered on each before it is idle.
start_idlers() { gather slow.py "127.0.0.$2" "$1" idle "$other"; }

# gather HELPER ARGUMENT...
gather() {
  rm -f arrived
  setpriv --pdeathsig KILL /usr/bin/python3 "$HELPERS/$1" "${@:2}" "$PWD/arrived" "$PWD/leave" \
    >crowd.out 2>crowd.err 3>&- </dev/null &
  crowd=$!
  eventually 30 test -e arrived
}

end_crowd() {
  touch leave
  wait "$crowd"
  cat crowd.err
  rm leave
}

# is_served, is_refused: node 1 answers a GET of a key that is not there, or says that it has too many.
is_served() { [[ $(timeout 10 nc 127.0.0.1 7776 <<<"GET $key") == "ERROR: GET $key: no such key" ]]; }
is_refused() { [[ $(timeout 10 nc 127.0.0.1 7776 <<<"GET $key") == "$TOO_MANY" ]]; }

# relayed: node 1 is answered by node 2.
relayed() { [[ $(raw 1 "GET $other\n") == "ERROR: GET $other: no such key" ]]; }

# The processor time that node 1 has used, in hundredths of a second.
processor_time() { sed 's/.*) //' "/proc/$(node_pid 1)/stat" | awk '{ print $12 + $13 }'; }

descriptors() { find "/proc/$(node_pid 1)/fd" -type l | wc -l; }
has_at_least_descriptors() { (($(descriptors) >= $1)); }
has_at_most_descriptors() { (($(descriptors) <= $1)); }

@test "past MaxConnections= a client is told so, and served when others have left" {
  configure 1 limits '[Limits]' MaxConnections=4
  start_node 1
  start_crowd 4
  eventually 10 is_refused
  for _ in {1..10}; do is_refused; done
  assert_equal "$TOO_MANY" "$(raw 1 "PUT $key\nvalue")"
  end_crowd
  eventually 10 is_served
  [ ! -s crowd.out ]
}

@test "a refused client that sends megabytes gets the line, not a reset" {
  configure 1 limits '[Limits]' MaxConnections=1
  start_node 1
  start_crowd 1
  eventually 10 is_refused
  head -c 16M /dev/zero >value
  assert_equal "$TOO_MANY" "$(put 1 "$key" value)"
  end_crowd
  eventually 10 is_served
}

@test "far past MaxConnections= whoever asks gets the line, and the silent give him their places" {
  configure 1 limits '[Limits]' MaxConnections=4
  start_node 1
  local before
  before=$(descriptors)
  start_crowd 300
  eventually 10 is_refused
  for _ in {1..50}; do is_refused; done
  # 4 are served, and of the others so many may keep it waiting.
  eventually 10 has_at_most_descriptors $((before + 4 + 64))
  end_crowd
  eventually 10 is_served
}

@test "a relayed request that its owner has no connection for says so" {
  configure 2 limits '[Limits]' MaxConnections=1
  start_node 1
  start_node 2
  # One client, and one value that is being relayed: clients and nodes are counted apart.
  start_client holder 127.0.0.2 text=GET await="$PWD/leave"
  eventually 10 turns_clients_away
  start_client putter 127.0.0.1 text="PUT $other\\nvalue" await="$PWD/leave" reset
  eventually 10 has_staged 2 1
  assert_equal "$(full 2)" "$(raw 1 "GET $other\n")"
  assert_equal "$(full 2)" "$(raw 1 "PUT $other\nvalue")"
  touch leave
  finish_client holder
  finish_client putter
  eventually 10 relayed
}

@test "1024 connections at once are served by default" {
  start_cluster
  start_crowd 1000
  is_served
  end_crowd
  [ ! -s crowd.out ]
}

@test "fewer open files than MaxConnections= needs: said at the start, refused in time, none lost" {
  start_node 1 prlimit --nofile=256:256
  eventually 10 log_has 1 'fewer connections than MaxConnections= fit the limit of open files'
  start_crowd 500
  eventually 10 is_refused
  end_crowd
  eventually 10 is_served
  assert_equal '' "$(cut -d ' ' -f 2- crowd.out | grep -vxF "$TOO_MANY" || true)"
}

@test "no open file left: the node does not spin, and serves again when there are" {
  start_node 1 prlimit --nofile=64:64
  start_crowd 200
  eventually 10 log_has 1 'cannot accept a connection; accepting pauses'
  before=$(processor_time)
  # A measurement, which takes its time.
  sleep 2
  spent=$(($(processor_time) - before))
  echo "processor time in 2 s: $spent hundredths" >&2
  ((spent < 40))
  # And it does not flood the log: at most the ten pauses of a second.
  (($(wc -l <"$CLUSTER/node1.log") < 400))
  end_crowd
  eventually 20 is_served
}

@test "a crowd of silent connections costs no processor time" {
  start_node 1
  start_crowd 1000
  eventually 10 has_at_least_descriptors 1000
  before=$(processor_time)
  sleep 2
  spent=$(($(processor_time) - before))
  echo "processor time in 2 s: $spent hundredths" >&2
  ((spent < 40))
  end_crowd
}

@test "connections leave no descriptor behind" {
  start_cluster
  random_file value 100000
  for _ in 1 2 3; do
    raw 1 "GET $other\n"
    put 1 "$key" value
    put 1 "$other" value
  done
  before=$(descriptors)
  for _ in {1..50}; do
    put 1 "$key" value
    put 1 "$other" value 100001
    get 1 "$other" | cmp - value
    raw 1 "HELLO\n"
  done >/dev/null
  eventually 10 has_at_most_descriptors "$before"
}

# full N: what node N says of itself to a client that it has no place for.
full() { echo "ERROR: node$1: too many connections, try again later (MaxConnections=)"; }

# store_other: a value on node 2, without the help of node 1, which keeps connections to it.
store_other() {
  echo value >value
  assert_equal "$other" "$(put 2 "$other" value)"
}

# statuses NODE COUNT: the statuses of so many GETs of node 2's key through a node, each once.
statuses() {
  local number
  for ((number = 0; number < $2; number++)); do
    curl --silent --max-time 20 --output got --write-out '%{http_code}\n' "http://127.0.0.$1:7776/$other"
  done | sort -u
}

# serves_clients: node 2 answers every one of many, those before it gone.
serves_clients() { [[ $(statuses 2 50) == 200 ]]; }

# turns_clients_away: node 2 has no place for a client, whatever words it has for it.
turns_clients_away() { [[ $(raw 2 "GET $other\n") == 'ERROR: '*'too many connections, try again later (MaxConnections=)' ]]; }

# ask_owner [twice]: sends node 2 a GET in HTTP, or two in one piece, and leaves the end of the connection to the node: it
# must come soon and be no reset. The answer goes to `asker.out`.
ask_owner() {
  local text="GET /$other HTTP/1.1\\r\\nHost: node2\\r\\n\\r\\n"
  start_client asker 127.0.0.2 text="$text${1:+$text}" read
  # Far sooner than a connection is given up on which another request may come.
  eventually 20 has_ended asker
  finish_client asker
  assert_equal 0 "$client_status"
}

has_ended() { process_is_gone "$(cat "$1.pid")"; }

# header NAME: of what ask_owner got.
header() { tr -d '\r' <asker.out | sed -n "1,/^\$/s/^$1: //Ip"; }

@test "an owner that has no place for clients still takes what other nodes relay to it" {
  configure 2 limits '[Limits]' MaxConnections=4
  start_node 1
  start_node 2
  store_other
  start_idlers 4 2
  eventually 10 turns_clients_away
  assert_equal 200 "$(statuses 1 10)"
  cmp value got
  turns_clients_away
  end_crowd
  eventually 20 serves_clients
  assert_equal 200 "$(statuses 1 50)"
}

@test "a moment of too many connections at an owner spoils no relayed request for good" {
  configure 2 limits '[Limits]' MaxConnections=4
  start_node 1
  start_node 2
  store_other
  start_idlers 4 2
  eventually 10 turns_clients_away
  # Whatever comes of these, it is over when the four have gone.
  statuses 1 5 >&2
  end_crowd
  eventually 20 serves_clients
  assert_equal 200 "$(statuses 1 50)"
}

@test "silent clients past every limit shut out no relay" {
  configure 2 limits '[Limits]' MaxConnections=8
  start_node 1
  start_node 2
  store_other
  start_crowd 200 2
  eventually 10 turns_clients_away
  assert_equal 200 "$(statuses 1 10)"
  cmp value got
  end_crowd
  eventually 20 serves_clients
  assert_equal 200 "$(statuses 1 50)"
}

@test "past every limit a client is told in its own dialect which node is full" {
  configure 2 limits '[Limits]' MaxConnections=8
  start_node 2
  store_other
  start_crowd 200 2
  eventually 10 turns_clients_away
  for _ in {1..10}; do
    ask_owner
    assert_matches '^HTTP/1\.1 503 ' "$(head -n 1 asker.out)"
    assert_equal close "$(header Connection)"
    assert_equal "$(full 2)" "ERROR: $(tail -n 1 asker.out)"
    assert_equal "$(full 2)" "$(raw 2 "GET $other\n")"
  done
  end_crowd
  eventually 20 serves_clients
}

@test "a client that is refused in HTTP is told that the connection ends, and it does" {
  configure 2 limits '[Limits]' MaxConnections=4
  start_node 2
  store_other
  start_idlers 4 2
  eventually 10 turns_clients_away
  ask_owner twice
  assert_matches '^HTTP/1\.1 503 ' "$(head -n 1 asker.out)"
  assert_equal close "$(header Connection)"
  # The second request is not answered.
  assert_equal 1 "$(grep -c '^HTTP/1\.1 ' asker.out)"
  end_crowd
  eventually 20 serves_clients
}
