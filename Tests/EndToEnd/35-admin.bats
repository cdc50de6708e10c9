# What a node tells of itself on the admin port, and in its log: health, metrics, status, accesses.

# shellcheck disable=SC2154 # support.bash and bats set variables, and every test is a subshell.

load support

setup() {
  disk=
  cd "$BATS_TEST_TMPDIR" || return
  prepare_test_cluster
  own=$(key_owned_by 1 own)
  other=$(key_owned_by 3 other)
}

teardown() {
  kill_cluster
  if [[ -n $disk ]]; then umount --lazy "$disk"; fi
}

# admin NODE PATH CURL-ARGUMENT...: prints the status; leaves the head in `fields` and the body in `body`.
admin() {
  : >body
  curl --silent --max-time 30 --dump-header fields --output body --write-out '%{http_code}' "http://127.0.0.$1:7777/$2" \
    "${@:3}"
}

http() { curl --silent --max-time 30 --output body --write-out '%{http_code}' "$@"; }

url() { echo "http://127.0.0.$1:7776/$2"; }

field() { tr -d '\r' <fields | sed -n "s/^$1: //Ip"; }

# counted NODE DIALECT OPERATION OUTCOME
counted() { metric "$1" "kvnode_requests_total{dialect=\"$2\",operation=\"$3\",outcome=\"$4\"}"; }

health_is() { [[ $(admin "$1" healthz) == "$2" ]]; }

accesses() { grep -c ' op=.* access$' "$CLUSTER/node$1.log" || true; }

@test "/healthz is 200 and ok as soon as the node serves" {
  start_node 1
  assert_equal 200 "$(admin 1 healthz)"
  assert_equal ok "$(cat body)"
  assert_equal 'text/plain; charset=utf-8' "$(field Content-Type)"
  assert_equal no-store "$(field Cache-Control)"
}

@test "/healthz is 503 with the reason while values could not be stored, and metrics and status say so too" {
  # More than any disk has.
  configure 1 space '[Node]' MinFree=1000000T
  start_node 1
  assert_equal 503 "$(admin 1 healthz)"
  assert_matches '^no space: [0-9]+ bytes are free, [0-9]+ are reserved \(MinFree=\)$' "$(cat body)"
  assert_metric 1 kvnode_healthy 0
  admin 1 status
  assert_matches '^no space: ' "$(jq -r '.nodes[] | select(.node == "node1") | .health' body)"
}

@test "a full disk turns /healthz to 503, a freed one back to 200; values are read and removed meanwhile" {
  if ((EUID != 0)); then skip 'mounting needs root'; fi
  disk=$CLUSTER/node1
  truncate -s 24M image
  mkfs.ext4 -q -m 0 image
  mount -o loop image "$disk" || { disk=; skip 'mounting is not allowed here'; }
  cp -a "$FOUNDED/node1/." "$disk"
  echo small >small
  # The self-check runs three times in the time that a watchdog allows.
  start_node 1 env WATCHDOG_USEC=900000
  assert_equal 200 "$(admin 1 healthz)"
  assert_equal 201 "$(http -T small "$(url 1 "$own")")"
  head -c 100M /dev/zero >"$disk/ballast" 2>/dev/null || true
  eventually 20 health_is 1 503
  admin 1 healthz
  assert_matches '^no space: ' "$(cat body)"
  assert_metric 1 kvnode_healthy 0
  assert_equal 507 "$(http -T small "$(url 1 "$own")")"
  assert_equal 200 "$(http "$(url 1 "$own")")"
  cmp small body
  assert_equal 204 "$(http -X DELETE "$(url 1 "$own")")"
  rm "$disk/ballast"
  eventually 20 health_is 1 200
  assert_metric 1 kvnode_healthy 1
  assert_equal 201 "$(http -T small "$(url 1 "$own")")"
}

@test "promtool finds nothing to object to in /metrics, before any request and after many kinds" {
  start_cluster
  curl --silent http://127.0.0.1:7777/metrics >fresh
  promtool check metrics <fresh >complaints 2>&1
  assert_equal '' "$(cat complaints)"
  admin 1 metrics
  assert_equal 'text/plain; version=0.0.4; charset=utf-8' "$(field Content-Type)"
  echo hello >value
  kill_node 4
  for key in "$own" "$other" "$(key_owned_by 4 lost)"; do
    http -T value "$(url 1 "$key")"
    http "$(url 1 "$key")"
    http "$(url 1 "$key-absent")"
    put 1 "$key" value
    get 1 "$key"
    del 1 "$key"
    http -X DELETE "$(url 1 "$key")"
    http "$(url 1 '?list')"
    http "$(url 1 '?status')"
  done >answers
  curl --silent http://127.0.0.1:7777/metrics >used
  promtool check metrics <used >complaints 2>&1
  assert_equal '' "$(cat complaints)"
  # Each sample once, and nothing that was there goes away.
  assert_equal '' "$(grep -v '^#' used | cut -d ' ' -f 1 | sort | uniq -d)"
  assert_equal '' "$(comm -23 <(grep -v '^#' fresh | cut -d ' ' -f 1 | sort) <(grep -v '^#' used | cut -d ' ' -f 1 | sort))"
}

@test "/metrics counts what was asked, how it ended and the bytes that were moved" {
  start_cluster
  head -c 1000 /dev/zero >small
  head -c 300000 /dev/zero >large
  assert_equal 201 "$(http -T small "$(url 1 "$own")")"
  assert_equal 201 "$(http -T large "$(url 1 "$other")")"
  assert_equal 204 "$(http -T - "$(url 1 "$other")" <large)"
  for _ in 1 2 3; do assert_equal 200 "$(http "$(url 1 "$own")")"; done
  assert_equal 200 "$(http "$(url 1 "$other")")"
  assert_equal 206 "$(http -r 0-99 "$(url 1 "$other")")"
  assert_equal 304 "$(http -H 'If-None-Match: *' "$(url 1 "$other")")"
  assert_equal 404 "$(http "$(url 1 "$own-absent")")"
  assert_equal 412 "$(http -T small -H 'If-None-Match: *' "$(url 1 "$own")")"
  assert_equal 200 "$(http --head "$(url 1 "$own")")"
  assert_equal 204 "$(http -X DELETE "$(url 1 "$own")")"
  assert_equal 200 "$(http "$(url 1 '?list')")"
  put 1 "$own" small >answer
  get 1 "$own" | cmp - small
  get 1 "$own-absent" >answer
  # A request is counted once it is over, which may be after its answer.
  eventually 10 has_metric 1 'kvnode_requests_total{dialect="classic",operation="GET",outcome="client_error"}' 1
  assert_equal 3 "$(counted 1 http PUT ok)"
  assert_equal 1 "$(counted 1 http PUT client_error)"
  assert_equal 6 "$(counted 1 http GET ok)"
  assert_equal 1 "$(counted 1 http GET client_error)"
  assert_equal 1 "$(counted 1 http HEAD ok)"
  assert_equal 1 "$(counted 1 http DEL ok)"
  assert_equal 1 "$(counted 1 http LIST ok)"
  assert_equal 1 "$(counted 1 classic PUT ok)"
  assert_equal 1 "$(counted 1 classic GET ok)"
  assert_metric 1 kvnode_received_bytes_total $((1000 + 300000 + 300000 + 1000))
  assert_metric 1 kvnode_sent_bytes_total $((3 * 1000 + 300000 + 100 + 1000))
  assert_metric 1 'kvnode_relayed_requests_total{peer="node3"}' 5
  assert_metric 1 kvnode_requests_in_flight 0
  assert_metric 1 kvnode_store_values 1
  assert_metric 1 kvnode_store_bytes 1000
  # The owner counts what was relayed to it.
  assert_equal 2 "$(counted 3 http PUT ok)"
  assert_metric 3 kvnode_received_bytes_total 600000
  assert_metric 3 kvnode_sent_bytes_total 300100
  assert_metric 3 kvnode_store_values 1
  assert_metric 3 kvnode_store_bytes 300000
  assert_metric 3 'kvnode_relayed_requests_total{peer="node1"}' ''
  # The histogram has every request of its operation.
  assert_metric 1 'kvnode_request_duration_seconds_count{operation="GET"}' 9
  assert_metric 1 'kvnode_request_duration_seconds_bucket{operation="GET",le="+Inf"}' 9
}

@test "a request under way, one broken off, one that its owner failed and a damaged value are in /metrics" {
  start_cluster
  start_client slow 127.0.0.1 text="PUT /$own HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhello" touch="$PWD/begun" \
    await="$PWD/go" reset
  eventually 10 test -e begun
  eventually 10 has_metric 1 kvnode_requests_in_flight 1
  assert_metric 1 kvnode_connections 1
  touch go
  eventually 10 has_metric 1 kvnode_requests_in_flight 0
  assert_equal 1 "$(counted 1 http PUT reset)"
  kill_node 3
  assert_equal 503 "$(http "$(url 1 "$other")")"
  eventually 10 has_metric 1 'kvnode_relay_failures_total{peer="node3",failure="unreachable"}' 1
  assert_equal 1 "$(counted 1 http GET server_error)"
  random_file value 10000
  assert_equal 201 "$(http -T value "$(url 1 "$own")")"
  truncate -s 5000 "$(value_file "$own" "$own")"
  assert_equal 500 "$(http "$(url 1 "$own")")"
  assert_metric 1 kvnode_damaged_values_total 1
  assert_equal 500 "$(http "$(url 2 "$own")")"
  eventually 10 has_metric 2 'kvnode_relay_failures_total{peer="node1",failure="refused"}' 1
}

@test "values that were there before the start are counted, and asking does not walk the disk" {
  start_cluster
  for number in {1..200}; do
    printf 'upload-file = "value"\nurl = "http://127.0.0.%s:7776/counted-%s"\nnext\n' $((number % 4 + 1)) "$number"
  done | sed '$d' >config
  head -c 100 /dev/zero >value
  curl --silent --fail --config config
  kill_cluster
  start_cluster
  eventually 20 all_counted
  # After a start the node looks through what it has, once.
  eventually 60 asking_walks_no_disk
}

asking_walks_no_disk() {
  strace --quiet --follow-forks --trace=getdents64 --attach="$(node_pid 1)" --output=trace 3>&- &
  tracer=$!
  eventually 10 is_traced 1
  for _ in {1..10}; do admin 1 metrics; admin 1 status; done >statuses
  kill "$tracer"
  wait "$tracer" || true
  # Only /proc/self/fd is read, and not the 256 directories.
  (($(grep -c getdents64 trace) < 100))
}

all_counted() {
  local node sum=0
  for node in "${NODES[@]}"; do sum=$((sum + $(metric "$node" kvnode_store_values))); done
  ((sum == 200))
}

is_traced() { ! grep -q '^TracerPid:[[:space:]]*0$' "/proc/$(node_pid "$1")/status"; }

@test "/status is JSON with every node in order; a node that is down is in it with the reason" {
  start_cluster
  echo hello >value
  http -T value "$(url 2 "$own")"
  eventually 20 has_metric 1 kvnode_store_values 1
  for node in "${NODES[@]}"; do
    assert_equal 200 "$(admin "$node" status)"
    assert_equal application/json "$(field Content-Type)"
    assert_equal '["node1","node2","node3","node4"]' "$(jq -c '[.nodes[].node]' body)"
    assert_equal '["ok","ok","ok","ok"]' "$(jq -c '[.nodes[].health]' body)"
    assert_equal "[\"$(fingerprint 1)\"]" "$(jq -c '[.nodes[].fingerprint] | unique' body)"
    assert_equal '[1,0,0,0]' "$(jq -c '[.nodes[].values]' body)"
    assert_equal '[6,0,0,0]' "$(jq -c '[.nodes[].bytes]' body)"
    jq -e 'all(.nodes[]; .free > 0 and .total >= .free and .uptime >= 0 and .peers == 4 and (.version | length > 0))' body
  done
  kill_node 3
  assert_equal 200 "$(admin 1 status)"
  assert_equal '["node1","node2","node3","node4"]' "$(jq -c '[.nodes[].node]' body)"
  assert_matches 'node3 \(127.0.0.3:7776\) cannot be reached' "$(jq -r '.nodes[2].error' body)"
  assert_equal '["ok","ok",null,"ok"]' "$(jq -c '[.nodes[].health]' body)"
}

@test "/status shows a node with another peer list by its fingerprint" {
  configure 2 peers '[Peers]' node1=127.0.0.1:7776 node2=127.0.0.2:7776 node3=127.0.0.3:7776 node4=127.0.0.9:7776
  start_cluster
  admin 1 status
  assert_equal 2 "$(jq '[.nodes[].fingerprint] | unique | length' body)"
  assert_equal "$(fingerprint 2)" "$(jq -r '.nodes[1].fingerprint' body)"
}

@test "/status of a node that is alone" {
  printf '[Node]\nName=alone\nListen=127.0.0.1:7776\nAdminListen=127.0.0.1:7777\nDataDirectory=%s\n' \
    "$CLUSTER/node1" >"$CLUSTER/node1.conf"
  start_node 1
  assert_equal 200 "$(admin 1 status)"
  assert_equal '["alone"]' "$(jq -c '[.nodes[].node]' body)"
}

@test "a node that is frozen does not hold up /status of the others for long" {
  start_cluster
  configure all idle '[Limits]' IdleTimeout=3s
  for node in "${NODES[@]}"; do kill -HUP "$(node_pid "$node")"; done
  eventually 10 log_has 1 'configuration reloaded'
  kill -STOP "$(node_pid 2)"
  SECONDS=0
  status=$(admin 1 status)
  kill -CONT "$(node_pid 2)"
  assert_equal 200 "$status"
  ((SECONDS < 15))
  assert_matches 'node2 .*did not answer in time' "$(jq -r '.nodes[1].error' body)"
}

@test "the admin port has these pages only, by GET and HEAD, and no key" {
  start_cluster
  assert_equal 404 "$(admin 1 '')"
  assert_equal 404 "$(admin 1 "$own")"
  assert_equal 404 "$(admin 1 metrics/x)"
  assert_equal 200 "$(admin 1 'metrics?name=x')"
  for method in PUT POST DELETE get; do
    assert_equal 405 "$(admin 1 metrics -X "$method")"
    assert_equal 'GET, HEAD, POST' "$(field Allow)"
  done
  assert_equal 200 "$(admin 1 healthz --head)"
  assert_equal 3 "$(field Content-Length)"
  # And these pages are keys like others on the client port.
  assert_equal 404 "$(http "$(url 1 healthz)")"
  assert_equal 2 "$(printf 'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n%.0s' 1 2 | nc -N 127.0.0.1 7777 | grep -c '200 OK')"
  assert_matches '^HTTP/1.1 400 ' "$(echo HELLO | nc -N 127.0.0.1 7777)"
  assert_matches '^HTTP/1.1 431 ' "$(head -c 20000 /dev/zero | tr '\0' x | nc -N 127.0.0.1 7777)"
  assert_equal 200 "$(admin 1 healthz)"
}

@test "AccessLog=yes writes one line a request with its fields, AccessLog=no and silence none, also after a reload" {
  start_node 1
  get 1 "$own" >answer
  assert_equal 0 "$(accesses 1)"
  kill_node 1
  rm "$CLUSTER/node1.log"
  configure all access '[Node]' AccessLog=yes
  start_cluster
  echo hello >value
  assert_equal 201 "$(http -T value "$(url 1 "$own")")"
  eventually 10 has_accesses 1 1
  line=$(grep ' op=.* access$' "$CLUSTER/node1.log")
  for part in ' client=127.0.0.1:' ' dialect=http ' " key=$own " ' op=PUT ' ' outcome=ok ' ' received_bytes=6 ' \
    ' sent_bytes=0 ' ' seconds=0.'; do
    assert_matches "$part" "$line"
  done
  get 1 "$other" >answer
  eventually 10 has_accesses 1 2
  assert_matches ' dialect=classic .*outcome=client_error peer=node3' "$(grep ' access$' "$CLUSTER/node1.log" | tail -n 1)"
  # The owner's line says who relayed it.
  assert_matches ' relayed_by=node1 ' "$(grep ' access$' "$CLUSTER/node3.log")"
  configure all access '[Node]' AccessLog=no
  kill -HUP "$(node_pid 1)"
  eventually 10 log_has 1 'configuration reloaded'
  http "$(url 1 "$own")"
  get 1 "$own" >answer
  assert_equal 2 "$(accesses 1)"
  configure all access '[Node]' AccessLog=yes
  kill -HUP "$(node_pid 1)"
  eventually 10 reloaded_twice
  http "$(url 1 "$own")"
  eventually 10 has_accesses 1 3
  assert_equal 3 "$(accesses 1)"
}

reloaded_twice() { [[ $(grep -c 'configuration reloaded' "$CLUSTER/node1.log") == 2 ]]; }
has_accesses() { (($(accesses "$1") >= $2)); }

@test "a key with line feeds and fields of its own forges nothing in the log" {
  start_node 1
  # Slot and owner do not matter: a refusal is logged with the key, too.
  http "$(url 1 'a%0aoutcome=ok%20op=DEL%20access%0aaccess')"
  eventually 10 log_has 1 'a\x0aoutcome=ok'
  assert_equal '' "$(grep -E '^(outcome|access)' "$CLUSTER/node1.log" || true)"
}

# Starts nodes 1 and 3, of which the first writes its log to somebody who reads none of it before there is a file `go`;
# what is read then goes to the file `log`.
start_unread() {
  mkfifo pipe
  setpriv --pdeathsig KILL /usr/bin/python3 "$HELPERS/standstill.py" pipe "$PWD/still" "$PWD/go" log 3>&- </dev/null &
  eventually 10 test -e still
  configure 1 access '[Node]' AccessLog=yes
  start_node 3
  # The shell becomes the node.
  # shellcheck disable=SC2016 # What it expands is its own.
  start_node 1 sh -c 'exec "$@" >"$0" 2>&1' "$PWD/pipe"
}

# ask_often COUNT: GETs of the node's own key and of the other's by turns; prints how often which status came.
ask_often() {
  local number
  for ((number = 0; number < $1 / 2; number++)); do printf 'url=%s\noutput=body\n' "$(url 1 "$own")" "$(url 1 "$other")"; done >urls
  # The first answer that does not come ends it.
  curl --silent --max-time 20 --fail-early --config urls --write-out '%{http_code}\n' | sort | uniq -c | xargs
}

# all_is_told COUNT: as many lines are told of as dropped as are counted, and so many requests have a line or are among
# them.
all_is_told() {
  get 1 "$own" >answer
  [[ $(dropped_in_log) == "$(metric 1 kvnode_log_lines_dropped_total)" ]] &&
    (($(grep -c ' op=.* access$' log) + $(dropped_in_log) >= $1))
}

dropped_in_log() {
  sed -n '/log lines were dropped/s/.*lines=\([0-9]*\).*/\1/p' log | awk '{ sum += $1 } END { print sum + 0 }'
}

@test "a log that nobody reads holds nothing up: lines are dropped, counted, and told of once it is read again" {
  start_unread
  echo hello >value
  assert_equal 201 "$(http -T value "$(url 1 "$own")")"
  assert_equal 201 "$(http -T value "$(url 1 "$other")")"
  assert_equal '2000 200' "$(ask_often 2000)"
  assert_equal hello "$(get 1 "$own")"
  assert_equal hello "$(get 1 "$other")"
  assert_equal 200 "$(admin 1 healthz)"
  assert_equal 200 "$(admin 1 metrics)"
  assert_matches 'TYPE kvnode_log_lines_dropped_total counter' "$(cat body)"
  assert_matches '^[1-9][0-9]*$' "$(metric 1 kvnode_log_lines_dropped_total)"
  touch go
  eventually 20 all_is_told 2004
  (($(dropped_in_log) > 0))
}

@test "a node whose log nobody reads ends on SIGTERM all the same" {
  start_unread
  # Far more than has room.
  ask_often 500 || true
  kill -TERM "$(node_pid 1)"
  eventually 20 node_is_gone 1
}

@test "values that a changed list gives to others are told of, and listed where they lie" {
  local key node
  key=$(key_owned_by 2 stranded)
  # As a list of before there were layouts has left it.
  for name in "$key" "$(key_owned_by 1 own)"; do
    echo hello >"$CLUSTER/node1/values/$(printf '%s\n' "$name" | md5sum | cut -c 1-2)/$name"
  done
  run -0 "$KVNODE" --config "$CLUSTER/node1.conf" --check-config
  assert_matches 'values       2, stranded 1 \(by the layout 1 to node2\), which no GET will find' "$output"
  start_cluster
  eventually 40 log_has 1 '1 stranded value, which no GET finds: other nodes answer for the keys'
  assert_matches 'kvnode_stranded_values\{owner="node2"\} 1' "$(curl -sf http://127.0.0.1:7777/metrics)"
  assert_equal 1 "$(curl -sf 'http://127.0.0.1:7776/?status' | jq .stranded)"
  for node in 1 3; do
    assert_equal "[\"$key\"]" \
      "$(curl -sf "http://127.0.0.$node:7776/?list&stranded=yes" | jq -c '[.values[].key]')"
  done
  assert_equal '[]' "$(curl -sf 'http://127.0.0.2:7776/?list&stranded=yes&scope=node' | jq -c '[.values[].key]')"
  assert_equal 404 "$(curl -s -o body -w '%{http_code}' "http://127.0.0.1:7776/$key")"
}
