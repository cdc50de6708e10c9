# Clients that mean no good, or do not know better: limits hold, memory stays bounded, and everyone else is served.

# shellcheck disable=SC2154 # support.bash and bats set variables, and every test is a subshell.

load support

IDLE_COUNT=${KVNODE_IDLE_CONNECTIONS:-10000}
SLOW_COUNT=${KVNODE_SLOW_CONNECTIONS:-2000}

setup() {
  prepare_test_cluster
  cd "$BATS_TEST_TMPDIR" || return
  configure all quiet '[Node]' AccessLog=no
  configure all limits '[Limits]' MaxConnections=20000 HeaderTimeout=2s
  key=$(key_owned_by 1 key)
  other=$(key_owned_by 2 other)
  random_file value 100000
}

teardown() {
  touch "$BATS_TEST_TMPDIR/leave"
  kill_cluster
}

# With room for the descriptors of 20,000 connections, where that can be had.
RAISED=(prlimit --nofile=131072:131072)
if ! "${RAISED[@]}" true 2>/dev/null; then RAISED=(); fi

start_nodes() {
  local node
  for node in "$@"; do start_node "$node" "${RAISED[@]}"; done
}

# as_many_as COUNT: so many connections, or as many as a node takes with the open files that it may have: a node
# reckons with 6 for a connection, and 128 besides.
as_many_as() {
  local limit most
  limit=$("${RAISED[@]}" bash -c 'ulimit -Hn')
  most=$(((limit - 128) / 6 - 64))
  if ((most >= $1)); then
    echo "$1"
  else
    echo "# with $most connections and not $1: the limit of open files is $limit" >&3
    echo $most
  fi
}

# crowd COUNT MANNER KEY [HOST,...]: many slow connections, see helpers/slow.py, until end_crowd.
crowd() {
  rm -f arrived leave
  setpriv --pdeathsig KILL "${RAISED[@]}" /usr/bin/python3 "$HELPERS/slow.py" \
    "${4:-127.0.0.1}" "$1" "$2" "$3" "$PWD/arrived" "$PWD/leave" >crowd.out 2>crowd.err 3>&- </dev/null &
  crowd=$!
  eventually 60 test -e arrived
}

end_crowd() {
  touch leave
  wait "$crowd"
  cat crowd.err >&2
}

# What everyone else notices: a PUT and a GET, through owner and relay, each in a few seconds at the most.
serves_others() {
  local node
  for node in "$@"; do
    for each in "$key" "$other"; do
      assert_equal "$each" "$( (echo "PUT $each"; cat value) | timeout 5 nc -N "127.0.0.$node" 7776)"
      timeout 5 nc "127.0.0.$node" 7776 <<<"GET $each" | cmp - value
    done
  done
}

memory_mib() { awk '$1 == "VmRSS:" { print int($2 / 1024) }' "/proc/$(node_pid "$1")/status"; }

# memory_stays_below N MIB
memory_stays_below() {
  local mib
  mib=$(memory_mib "$1")
  echo "node$1 uses $mib MiB" >&2
  ((mib < $2))
}

connections() { ss -Htn state established "src 127.0.0.$1:7776" | wc -l; }
has_connections() { (($(connections "$1") >= $2)); }
has_at_most_connections() { (($(connections "$1") <= $2)); }

descriptors() { find "/proc/$(node_pid "$1")/fd" -type l | wc -l; }
has_at_most_descriptors() { (($(descriptors "$1") <= $2)); }

processor_time() { sed 's/.*) //' "/proc/$(node_pid "$1")/stat" | awk '{ print $12 + $13 }'; }

# refused_slow COUNT: so many connections to node 1 have had their time.
refused_slow() { (($(grep -c 'refused: no complete request within' "$CLUSTER/node1.log") >= $1)); }

@test "slow-loris in the classic dialect: each gets the error after HeaderTimeout=, others are served" {
  start_nodes 1 2
  crowd 500 line key
  serves_others 1 2
  # HeaderTimeout= has passed for all; those that got an error may send on for a while, to nobody.
  eventually 10 refused_slow 500
  serves_others 1 2
  end_crowd
  assert_equal '500 ended' "$(head -n 1 crowd.out)"
  assert_equal '500 ERROR: no complete request within 2.0 seconds (HeaderTimeout=)' "$(sed -n 2p crowd.out)"
  eventually 10 has_at_most_connections 1 20
}

@test "slow-loris in HTTP: each gets 408 after HeaderTimeout=, others are served" {
  start_nodes 1 2
  crowd 500 head key
  serves_others 1 2
  eventually 10 refused_slow 500
  serves_others 1 2
  end_crowd
  assert_equal '500 ended' "$(head -n 1 crowd.out)"
  assert_matches '^500 HTTP/1\.1 408 ' "$(sed -n 2p crowd.out)"
  eventually 10 has_at_most_connections 1 20
}

@test "thousands of idle connections, silent and kept alive, cost little and keep nobody out" {
  # Dealt out to as many nodes as it takes.
  most=$(as_many_as "$IDLE_COUNT")
  nodes=("${NODES[@]:0:(IDLE_COUNT + most - 1) / most}")
  count=$((IDLE_COUNT / ${#nodes[@]} > most ? most : IDLE_COUNT / ${#nodes[@]}))
  echo "# $count idle connections on each of ${#nodes[@]} nodes" >&3
  configure all limits '[Limits]' MaxConnections=20000 HeaderTimeout=120s
  start_nodes "${NODES[@]}"
  for manner in silent idle; do
    before=$(memory_mib 1)
    crowd $((count * ${#nodes[@]})) "$manner" "$key" "$(printf ',127.0.0.%s' "${nodes[@]}" | cut -c 2-)"
    for node in "${nodes[@]}"; do
      eventually 10 has_connections "$node" "$count"
    done
    serves_others "${NODES[@]}"
    # 12 KiB each, in a build for debugging.
    memory_stays_below 1 $((before + count * 12 / 1024 + 20))
    start=$(processor_time 1)
    sleep 2
    spent=$(($(processor_time 1) - start))
    echo "$manner: processor time in 2 s: $spent hundredths" >&2
    ((spent < 150))
    end_crowd
    assert_equal '0 ended' "$(head -n 1 crowd.out)"
    eventually 20 has_at_most_connections 1 20
  done
}

@test "connections that come and go, thousands of them, leave nothing behind" {
  start_nodes 1 2
  serves_others 1 2
  before=$(descriptors 1)
  setpriv --pdeathsig KILL /usr/bin/python3 - <<'EOF' &
import socket, threading
def churn():
    for number in range(1000):
        with socket.create_connection(("127.0.0.1", 7776), 20) as connection:
            if number % 2:
                connection.sendall(b"GET churn\n")
            if number % 4 == 3:
                connection.recv(100)
threads = [threading.Thread(target=churn) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
EOF
  churn=$!
  serves_others 1 2
  wait $churn
  # Node 1 keeps up to 64 connections to node 2 for the next requests.
  eventually 20 has_at_most_descriptors 1 $((before + 64))
  serves_others 1 2
}

@test "a value that never ends is refused at MaxValueSize= in every way, and nothing of it stays" {
  configure all size '[Limits]' MaxValueSize=16M
  start_nodes 1 2
  for each in "$key" "$other"; do
    (echo "PUT $each"; cat /dev/zero) | timeout 20 nc 127.0.0.1 7776 >classic.out 2>/dev/null 3>&- &
    sender=$!
    eventually 15 grep -qx "ERROR: PUT $each: the value has more than 16777216 bytes (MaxValueSize=)" classic.out
    for node in 1 2; do eventually 5 staging_is_empty $node; done
    serves_others 1
    kill $sender
    wait $sender || true
    assert_equal 413 "$(timeout 20 curl -sS -o http.out -w '%{http_code}' -T - "http://127.0.0.1:7776/$each" </dev/zero 2>curl.err)"
    assert_equal "ERROR: PUT $each: the value has more than 16777216 bytes (MaxValueSize=)" "$(raw 1 "PUT $each 99999999999999\n")"
    for node in 1 2; do eventually 5 staging_is_empty $node; done
  done
  for node in 1 2; do memory_stays_below $node 100; done
}

@test "heads and lines of any size are refused at their limit, not kept" {
  start_nodes 1
  head -c 200M /dev/zero | tr '\0' y >endless
  (printf 'GET /a HTTP/1.1\r\nHost: a\r\nX: '; cat endless) | timeout 20 nc -N 127.0.0.1 7776 >out1
  assert_matches '^HTTP/1.1 431 ' "$(head -n 1 out1)"
  (printf 'GET /'; cat endless) | timeout 20 nc -N 127.0.0.1 7776 >out2
  assert_matches '^(ERROR: the first line is longer than 4096 bytes|HTTP/1.1 431 )' "$(head -n 1 out2)"
  (printf 'GET /a HTTP/1.1\r\nHost: a\r\n'; yes $'X: y\r' | head -c 50M) | timeout 20 nc -N 127.0.0.1 7776 | head -n 1 >out3 || true
  assert_matches '^HTTP/1.1 431 ' "$(cat out3)"
  (printf 'PUT /%s HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;' "$key"; cat endless) | timeout 20 nc -N 127.0.0.1 7776 >out4
  assert_matches '^HTTP/1.1 400 ' "$(head -n 1 out4)"
  (printf 'PUT /%s HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: ' "$key"; cat endless) | timeout 20 nc -N 127.0.0.1 7776 >out5
  assert_matches '^HTTP/1.1 4(00|31) ' "$(head -n 1 out5)"
  memory_stays_below 1 100
  staging_is_empty 1
}

@test "heads in segments of one byte keep nobody out" {
  start_nodes 1 2
  setpriv --pdeathsig KILL /usr/bin/python3 "$HELPERS/drips.py" 127.0.0.1 4 'GET /a HTTP/1.1\r\nHost: a\r\nX: ' 16000 >drips.out 3>&- &
  drips=$!
  serves_others 1 2
  wait $drips
  (($(cat drips.out) >= 1))
  serves_others 1 2
}

@test "thousands of slow readers and writers do not stop a fast one, and hold no memory" {
  count=$(as_many_as "$SLOW_COUNT")
  configure all limits '[Limits]' MaxConnections=20000
  start_nodes 1 2
  truncate -s 64M large
  assert_equal "$other" "$(put 1 "$other" large)"
  large=$(key_owned_by 2 large)
  assert_equal "$large" "$(put 1 "$large" large)"
  for manner in get put; do
    # Through the relay.
    crowd "$count" $manner "$large"
    serves_others 1 2
    for node in 1 2; do memory_stays_below $node 300; done
    end_crowd
    # Some stay open between nodes, for the next request.
    eventually 20 has_at_most_connections 1 40
    eventually 20 has_at_most_connections 2 80
  done
}

@test "requests without end on connections that read no answer are not taken in" {
  start_nodes 1 2
  assert_equal "$key" "$(put 1 "$key" value)"
  crowd 200 flood "$key"
  serves_others 1 2
  memory_stays_below 1 100
  end_crowd
}

# is_answered URL: with 200, within a few seconds.
is_answered() { assert_equal 200 "$(curl --silent --max-time 5 --output got --write-out '%{http_code}' "$1")"; }

@test "clients that pipeline requests without end and read every answer, one a thread, keep nobody out" {
  # A node has so many threads that wait for connections; no request of these clients makes one wait.
  threads=$(nproc)
  threads=$((threads > 2 ? threads : 2))
  start_nodes 1
  echo small >small
  assert_equal "$key" "$(put 1 "$key" small)"
  setpriv --pdeathsig KILL /usr/bin/python3 "$HELPERS/pipeline.py" 127.0.0.1 "$threads" "$key" "$PWD/arrived" "$PWD/leave" \
    >pipeline.out 3>&- </dev/null &
  pipeline=$!
  eventually 30 test -e arrived
  for _ in {1..10}; do
    is_answered "http://127.0.0.1:7776/$key"
    cmp small got
    is_answered http://127.0.0.1:7777/healthz
  done
  touch leave
  wait $pipeline
  # They were at it, and were served as well.
  assert_equal "$threads answered, 0 ended" "$(cat pipeline.out)"
}
