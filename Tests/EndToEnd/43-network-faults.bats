# Networks and peers that fail in every way: whoever asks gets the right error within a bounded time, and once the
# fault is gone the nodes go on by themselves.
#
# Node 1, which is asked, and the clients are in one network namespace, node 2, which owns the key, in another; a
# virtual cable joins them.

# shellcheck disable=SC2154 # support.bash and bats set variables, and every test is a subshell.

load support

setup() {
  cd "$BATS_TEST_TMPDIR" || return
  if ((EUID != 0)); then
    echo "# NOT RUN: $BATS_TEST_DESCRIPTION: network namespaces need root" >&3
    skip 'network namespaces need root'
  fi
  here=kvn$$here
  there=kvn$$there
  /usr/bin/python3 "$HELPERS/guardian.py" $$ "$PWD" "$PWD/guarded" "$here" "$there" 3>&- </dev/null &
  guardian=$!
  eventually 10 test -e guarded
  lay_cable
  CLUSTER=$PWD/cluster
  found_cluster
  write_configurations
  configure all limits '[Limits]' ConnectTimeout=500ms IdleTimeout=2s
  key=$(key_owned_by 2 key)
  own=$(key_owned_by 1 own)
  random_file value 300000
}

teardown() {
  if [[ -z ${guardian-} ]]; then return; fi
  kill "$guardian"
  wait "$guardian" || true
}

lay_cable() {
  ip netns add "$here"
  ip netns add "$there"
  ip link add near netns "$here" type veth peer name far netns "$there"
  ip -n "$here" address add 10.77.0.1/24 dev near
  ip -n "$there" address add 10.77.0.2/24 dev far
  for end in "$here lo" "$here near" "$there lo" "$there far"; do
    # shellcheck disable=SC2086 # Two words.
    set -- $end
    ip -n "$1" link set "$2" up
  done
}

in_here() { nsenter --net="/run/netns/$here" "$@"; }
in_there() { nsenter --net="/run/netns/$there" "$@"; }

# In the place of what support.bash and cluster.bash do on 127.0.0.N.
node_address() { echo "10.77.0.$1"; }
place() { if (($1 == 1)); then echo "$here"; else echo "$there"; fi; }
node_answers() { [[ $(echo HELLO | nsenter --net="/run/netns/$(place "$1")" nc -N -w 5 "10.77.0.$1" 7776 2>/dev/null) == ERROR:* ]]; }
start() { start_node "$1" nsenter --net="/run/netns/$(place "$1")"; }

start_both() {
  start 1
  start 2
}

put() { (echo "PUT $1"; cat "$2") | in_here timeout "${3:-20}" nc -N 10.77.0.1 7776; }
get() { echo "GET $1" | in_here timeout "${2:-20}" nc 10.77.0.1 7776; }
del() { echo "DEL $1" | in_here timeout "${2:-20}" nc 10.77.0.1 7776; }

background() {
  "$@" 3>&- </dev/null &
}

start_client() {
  local name=$1
  shift
  background in_here setpriv --pdeathsig KILL /usr/bin/python3 "$HELPERS/client.py" "$@" >"$name.out" 2>"$name.err"
  echo $! >"$name.pid"
}

# The other host is as if it had no power: nothing comes in or goes out, and nobody says so.
cut_off() {
  in_there nft -f - <<'EOF'
table inet fault {
  chain in { type filter hook input priority 0; iifname != "lo" drop; }
  chain out { type filter hook output priority 0; oifname != "lo" drop; }
}
EOF
}

mend() { in_there nft delete table inet fault; }

has_staged() {
  local bytes
  bytes=$(find "$CLUSTER/node2/staging" -type f -printf '%s\n' | awk '{ sum += $1 } END { print sum + 0 }')
  ((bytes >= $1))
}

# A reload makes node 1 think well of every other node.
forget_suspicions() {
  reloads=$(grep -c 'configuration reloaded' "$CLUSTER/node1.log" || true)
  kill -HUP "$(node_pid 1)"
  eventually 5 has_reloaded_again
}

has_reloaded_again() { (($(grep -c 'configuration reloaded' "$CLUSTER/node1.log" || true) > reloads)); }

works() {
  assert_equal "$key" "$(put "$key" value)"
  get "$key" | cmp - value
}

works_again() { eventually 10 works; }

# fails_within SECONDS PATTERN: GET, PUT and DEL of the key end in time, and with that error.
fails_within() {
  assert_matches "^ERROR: GET $key: $2" "$(get "$key" "$1")"
  assert_matches "^ERROR: PUT $key: $2" "$(put "$key" value "$1")"
  assert_matches "^ERROR: DEL $key: $2" "$(del "$key" "$1")"
}

@test "the owner's process is killed: refused at once, and it is back with its first moment" {
  start_both
  works
  kill_node 2
  fails_within 2 'node2 \(10\.77\.0\.2:7776\) cannot be reached: connection refused'
  start 2
  works
}

@test "the owner's host is cut off, connections to it open: an error in about ConnectTimeout=, and it comes back" {
  start_both
  works
  cut_off
  fails_within 3 'node2 \(10\.77\.0\.2:7776\) '
  # Everything else goes on.
  assert_equal "$own" "$(put "$own" value 3)"
  mend
  works_again
}

@test "the owner's host is cut off in the midst of a PUT: an error in about IdleTimeout=, and nothing is stored" {
  start_both
  start_client putter 10.77.0.1 text="PUT $key\\n" bytes=4000000 await="$PWD/go-on" bytes=50000000 shut read
  eventually 10 has_staged 1000000
  cut_off
  touch go-on
  SECONDS=0
  finish_client putter
  ((SECONDS <= 6))
  assert_matches "^ERROR: PUT $key: node2 " "$(cat putter.out)"
  # The owner has nobody to tell, and gives up by itself.
  eventually 10 staging_is_empty 2
  mend
  assert_equal "ERROR: GET $key: no such key" "$(get "$key")"
  works_again
}

@test "the owner's host is cut off in the midst of a GET: a reset in about IdleTimeout=" {
  start_both
  truncate -s 200M large
  assert_equal "$key" "$(put "$key" large)"
  start_client getter 10.77.0.1 text="GET $key\\n" read=1000 touch="$PWD/begun" await="$PWD/go-on" read
  eventually 10 test -e begun
  cut_off
  touch go-on
  SECONDS=0
  finish_client getter
  ((SECONDS <= 6))
  assert_equal 104 "$client_status"
  mend
  get "$key" | cmp - large
}

@test "every seventh packet is lost: every answer is right or an error, and all works after" {
  configure all limits '[Limits]' ConnectTimeout=3s IdleTimeout=10s
  start_both
  in_there nft -f - <<'EOF'
table inet fault {
  chain in { type filter hook input priority 0; iifname != "lo" numgen random mod 100 < 15 counter drop; }
  chain out { type filter hook output priority 0; oifname != "lo" numgen random mod 100 < 15 counter drop; }
}
EOF
  local trips=() number
  for number in {1..12}; do
    round_trip_in_loss "$number" 3>&- &
    trips+=($!)
  done
  wait "${trips[@]}"
  cat result* >&2
  assert_equal '' "$(grep -v '^right$\|^ERROR: ' result*)"
  # Loss is a nuisance, no outage.
  (($(grep -cx right result* | awk -F : '{ sum += $2 } END { print sum }') >= 8))
  # The fault was there.
  assert_matches 'counter packets [1-9][0-9]' "$(in_there nft list table inet fault)"
  mend
  works_again
}

round_trip_in_loss() {
  local each answer
  each=$(key_owned_by 2 "lossy$1-")
  answer=$(put "$each" value 60)
  if [[ $answer == "$each" ]]; then
    get "$each" 60 >got"$1" || true
    if cmp -s got"$1" value; then answer=right; else answer=$(head -c 200 got"$1"); fi
  fi
  echo "$answer" >"result$1"
}

@test "a slow link: as long as bytes move nobody gives up" {
  start_both
  head -c 4000000 /dev/urandom >large
  in_here tc qdisc add dev near root tbf rate 20mbit burst 64k latency 100ms
  in_there tc qdisc add dev far root tbf rate 20mbit burst 64k latency 100ms
  assert_equal "$key" "$(put "$key" large)"
  get "$key" | cmp - large
  # A second one beside it.
  get "$key" | cmp - large &
  get "$key" | cmp - large
  wait $!
}

@test "an owner behind a link that is much slower than the others' does not hold up a PUT for them" {
  local nodes=(1 2 3) node peer number=0
  place() { if (($1 == 2)); then echo "$there"; else echo "$here"; fi; }
  ip -n "$here" address add 10.77.0.3/24 dev near
  rm -rf "$CLUSTER"/node?
  configure all copies '[Cluster]' Replicas=3
  for node in "${nodes[@]}"; do
    sed -i '/^node[0-9]=/d' "$CLUSTER/node$node.conf"
    for peer in "${nodes[@]}"; do echo "node$peer=10.77.0.$peer:7776" >>"$CLUSTER/node$node.conf"; done
    start "$node"
  done
  eventually 30 has_layout
  # The first third of the keys has node 1 for its first owner.
  until [[ $(echo "key$number" | md5sum) == [0-4]* ]]; do number=$((number + 1)); done
  key=key$number
  random_file large 60000000
  in_here tc qdisc add dev near root tbf rate 16mbit burst 64k latency 100ms
  assert_equal 201 "$(in_here curl --silent --output answer --write-out '%{http_code}' \
    --upload-file large "http://10.77.0.1:7776/$key")"
  # Its copy would have been there had anybody waited for it.
  if lies_on 2; then return 1; fi
  for node in 1 3; do in_here curl --silent --fail "http://10.77.0.$node:7776/$key" | cmp - large; done
  in_here tc qdisc del dev near root
  eventually 100 lies_on 2
}

has_layout() { [[ $(in_here curl --silent "http://10.77.0.1:7776/?status" | jq -r '.layout, .progress') == $'1\nnull' ]]; }

lies_on() { cmp --silent "$(find "$CLUSTER/node$1/values" -name "$key")" large; }

@test "connections that are reset underneath: an error or a reset, nothing by half, and the next request works" {
  start_both
  works
  # Those in the pool.
  in_here ss -K dst 10.77.0.2 dport = 7776 >/dev/null
  works
  in_there ss -K src 10.77.0.2 sport = 7776 >/dev/null
  works
  start_client putter 10.77.0.1 text="PUT $key\\n" bytes=4000000 await="$PWD/go-on" bytes=4000000 shut read
  eventually 10 has_staged 1000000
  in_there ss -K src 10.77.0.2 sport = 7776 >/dev/null
  touch go-on
  finish_client putter
  assert_matches "^ERROR: PUT $key: node2 \\(10\\.77\\.0\\.2:7776\\) " "$(cat putter.out)"
  eventually 10 staging_is_empty 2
  get "$key" | cmp - value
  truncate -s 200M large
  assert_equal "$key" "$(put "$key" large)"
  rm go-on
  start_client getter 10.77.0.1 text="GET $key\\n" read=1000 touch="$PWD/begun" await="$PWD/go-on" read
  eventually 10 test -e begun
  in_there ss -K src 10.77.0.2 sport = 7776 >/dev/null
  touch go-on
  finish_client getter
  assert_equal 104 "$client_status"
  get "$key" | cmp - large
}

@test "a long way: what takes 0.3 s more in each direction still works" {
  ip -n "$here" address add 10.77.0.9/32 dev lo
  # The peer list leads to the proxy.
  sed -i 's/^node2=.*/node2=10.77.0.9:7776/' "$CLUSTER"/node?.conf
  start_both
  background in_here setpriv --pdeathsig KILL /usr/bin/python3 "$HELPERS/delay.py" 10.77.0.9 10.77.0.2 0.3 "$PWD/ready"
  eventually 10 test -e ready
  works
  assert_equal '' "$(del "$key")"
  assert_equal "ERROR: GET $key: no such key" "$(get "$key")"
}

@test "the owner's host has rebooted: connections that it knows nothing of any more are replaced without an error" {
  start_both
  works
  # Its end of them vanishes and tells nobody.
  cut_off
  in_there ss -K src 10.77.0.2 sport = 7776 >/dev/null
  kill_node 2
  mend
  start 2
  get "$key" 3 | cmp - value
  works
}

@test "the relay's host is gone in the midst of a PUT: its owner gives up after IdleTimeout= and stores nothing" {
  start_both
  works
  random_file other 300000
  start_client putter 10.77.0.1 text="PUT $key\\n" bytes=4000000 await="$PWD/never"
  eventually 10 has_staged 1000000
  cut_off
  in_here ss -K dst 10.77.0.2 dport = 7776 >/dev/null
  kill_node 1
  eventually 10 staging_is_empty 2
  mend
  start 1
  get "$key" | cmp - value
}

@test "in the owner's place something accepts and never answers: an error after IdleTimeout=" {
  start 1
  stand_in mute
  fails_within 4 'node2 \(10\.77\.0\.2:7776\) (did not answer in time \(IdleTimeout=\)|does not react: no answer to .*)'
  assert_equal "$own" "$(put "$own" value 3)"
  get "$own" | cmp - value
}

@test "an owner that was silent again and again is not waited for: requests fail at once, and a probe brings it back" {
  # So long that only a request that is not made can fail in time.
  configure all limits '[Limits]' ConnectTimeout=500ms IdleTimeout=4s
  start 1
  stand_in mute
  for number in 1 2 3; do start_client "asker$number" 10.77.0.1 text="GET $key\\n" shut read; done
  for number in 1 2 3; do
    finish_client "asker$number"
    assert_equal "ERROR: GET $key: node2 (10.77.0.2:7776) did not answer in time (IdleTimeout=)" "$(cat "asker$number.out")"
  done
  assert_matches "^ERROR: GET $key: node2 \\(10\\.77\\.0\\.2:7776\\) does not react: no answer to (GET|HEAD) " "$(get "$key" 1)"
  assert_equal "$own" "$(put "$own" value 3)"
  send_away
  start 2
  works_again
}

@test "a suspect owner that is back, and so full that it says no more than that: it reacts, and is asked again" {
  start 1
  stand_in mute
  for number in 1 2 3; do start_client "asker$number" 10.77.0.1 text="GET $key\\n" shut read; done
  for number in 1 2 3; do finish_client "asker$number"; done
  eventually 5 log_has 1 'node2 (10.77.0.2:7776) does not react'
  send_away
  stand_in full
  # One of these is the probe.
  eventually 20 asked_and_reacts
  for _ in {1..5}; do assert_matches '^ERROR: .*too many connections' "$(get "$key")"; done
  # Nothing but the refusals kept requests from being served.
  send_away
  start 2
  works
}

asked_and_reacts() {
  get "$key" >answer
  eventually 10 log_has 1 'node2 (10.77.0.2:7776) reacts again'
}

# stand_in MANNER: a stranger takes node 2's place.
stand_in() {
  rm -f ready
  background in_there setpriv --pdeathsig KILL /usr/bin/python3 "$HELPERS/stranger.py" 10.77.0.2 "$1" "$PWD/ready"
  stranger=$!
  eventually 10 test -e ready
}

send_away() {
  kill -KILL "$stranger"
  wait "$stranger" 2>/dev/null || true
}

@test "in the owner's place something speaks rubbish: an error that says so, or a reset, and never a success" {
  start 1
  for manner in banner rubbish close endless drip website half created huge continue future; do
    stand_in "$manner"
    for request in "GET $key" "PUT $key" "DEL $key"; do
      start_client asker 10.77.0.1 text="$request\\n" text=value shut read
      SECONDS=0
      finish_client asker
      answer=$(head -c 300 asker.out | tr -d '\0')
      echo "$manner: $request: $client_status $answer" >&2
      ((SECONDS <= 5))
      if ((client_status == 0)); then assert_matches "^ERROR: $request: node2 " "$answer"; else assert_equal 104 "$client_status"; fi
    done
    send_away
    # A node that was silent is not asked again at once; the next manner is to be met, not suspected.
    forget_suspicions
  done
  # It heals without a restart.
  start 2
  eventually 15 works
}

# gets KEY: what a client in HTTP gets for it.
gets() { in_here curl --silent --max-time 20 "http://10.77.0.1:7776/$1"; }

@test "an owner that adds an answer nobody asked for: the next client gets its own answer all the same" {
  start 1
  background in_there setpriv --pdeathsig KILL /usr/bin/python3 "$HELPERS/chatty.py" 10.77.0.2 "$PWD/ready"
  eventually 10 test -e ready
  another=$(key_owned_by 2 another)
  absent=$(key_owned_by 2 none)
  for _ in {1..5}; do
    assert_equal "value of $key" "$(gets "$key")"
    assert_equal "value of $another" "$(gets "$another")"
    # What follows an error, and a client in the other dialect.
    assert_equal "GET $absent: no such key" "$(gets "$absent")"
    assert_equal "value of $key" "$(get "$key")"
    assert_equal "ERROR: GET $absent: no such key" "$(get "$absent")"
    assert_equal "value of $another" "$(get "$another")"
  done
}

@test "a name with two addresses, and silence at the first: the second is tried in the same ConnectTimeout=" {
  configure all limits '[Limits]' ConnectTimeout=3s IdleTimeout=10s
  ip -n "$there" address add 10.77.0.3/24 dev far
  in_there nft -f - <<'EOF'
table inet fault {
  chain in { type filter hook input priority 0; ip daddr 10.77.0.3 counter drop; }
}
EOF
  printf '127.0.0.1 localhost\n10.77.0.3 node2.test\n10.77.0.2 node2.test\n' >hosts
  named=(nsenter --net="/run/netns/$here" unshare --mount --propagation private
    sh -c "mount --bind '$PWD/hosts' /etc/hosts && exec \"\$@\"" sh)
  # The resolver puts them in an order of its own.
  assert_equal '10.77.0.3 10.77.0.2' "$("${named[@]}" getent ahosts node2.test | awk '$2 == "STREAM" { print $1 }' | xargs)"
  sed -i 's/^node2=.*/node2=node2.test:7776/' "$CLUSTER"/node?.conf
  start 2
  start_node 1 "${named[@]}"
  # More often than it takes for a node that keeps requests waiting to be suspect.
  for _ in {1..5}; do
    works
    # A new connection each time.
    in_there ss -K src 10.77.0.2 sport = 7776 >/dev/null
  done
  # The first has been tried.
  assert_matches 'counter packets [1-9]' "$(in_there nft list table inet fault)"
}

@test "a name that cannot be resolved is an error in time; one that no longer can is used as it was known" {
  printf 'nameserver 127.0.0.1\n' >resolv.conf
  sed -i 's/^node2=.*/node2=node2.test:7776/' "$CLUSTER"/node?.conf
  echo silent >manner
  background in_here setpriv --pdeathsig KILL /usr/bin/python3 "$HELPERS/nameserver.py" node2.test 10.77.0.2 \
    "$PWD/manner" "$PWD/questions" "$PWD/ready"
  eventually 10 test -e ready
  start 2
  start_node 1 nsenter --net="/run/netns/$here" unshare --mount --propagation private \
    sh -c "mount --bind '$PWD/resolv.conf' /etc/resolv.conf && exec \"\$@\"" sh
  fails_within 2 "node2 \\(node2\\.test:7776\\) cannot be reached: cannot resolve 'node2\\.test': no answer within 0\\.5 seconds"
  # Questions that nobody answers keep no thread from the store.
  for _ in {1..30}; do background get "$key" >/dev/null; done
  assert_equal "$own" "$(put "$own" value 2)"
  get "$own" 2 | cmp - value
  echo none >manner
  eventually 15 unresolved
  echo answer >manner
  works_again
  for manner in silent ${KVNODE_LONG:+none}; do
    echo "$manner" >manner
    : >questions
    # Until the name has been looked up again, in vain.
    eventually 20 works_and_asked "$manner"
    kill_node 2
    start 2
    works
  done
}

unresolved() { [[ $(get "$key" 2) == "ERROR: GET $key: node2 (node2.test:7776) cannot be reached: cannot resolve 'node2.test': "*known* ]]; }

works_and_asked() {
  # A new connection each time.
  in_there ss -K src 10.77.0.2 sport = 7776 >/dev/null
  works && grep -q "^$1 " questions
}
