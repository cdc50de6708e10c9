# Three copies of each value on four nodes: what works, and what is told, while some of them are away.

# shellcheck disable=SC2154 # support.bash and bats set variables.

load support

setup() {
  cd "$BATS_TEST_TMPDIR" || return
  prepare_test_cluster
  # These nodes are new.
  rm -rf "$CLUSTER"/node?
  configure all copies '[Cluster]' Replicas=3
  configure all limits '[Limits]' ConnectTimeout=1s
  start_cluster
  eventually 30 has_layout_everywhere
  key=$(key_owned_by 1 key)
  # By ranges the further owners are the next ones in the list.
  owners=(1 2 3)
  stranger=4
  random_file old 300000
  random_file new 300000
}

teardown() {
  kill -CONT $(cat "$CLUSTER"/node?.pid) 2>/dev/null || true
  kill_cluster
}

has_layout_everywhere() {
  local node
  for node in "${NODES[@]}"; do
    [[ $(curl --silent "http://$(node_address "$node"):$PORT/?status" | jq -r '.layout, .progress') == $'1\nnull' ]] || return 1
  done
}

url() { echo "http://$(node_address "$1"):$PORT/${2-$key}"; }

# store N FILE [KEY] [ARGUMENT...]: the status of a PUT through node N.
store() {
  curl --silent --output answer --dump-header head --write-out '%{http_code}' --upload-file "$2" "${@:4}" "$(url "$1" "${3-$key}")"
}

# fetch N FILE [KEY]: node N gives the bytes of that file.
fetch() { curl --silent --fail "$(url "$1" "${3-$key}")" | cmp - "$2"; }

# status N METHOD [ARGUMENT...]: the status of a request without a body.
status() { curl --silent --output answer --dump-header head --write-out '%{http_code}' --request "$2" "${@:3}" "$(url "$1")"; }

etag() { curl --silent --head "$(url "$1")" | tr -d '\r' | awk 'tolower($1) == "etag:" { print $2 }'; }

value_on() { echo "$CLUSTER/node$1/values/$(printf '%s\n' "$key" | md5sum | cut -c 1-2)/$key"; }

# holds N FILE [M]: node N's copy has the bytes of that file, and the attribute that node M's has, the first owner's.
holds() {
  cmp --silent "$(value_on "$1")" "$2" && [[ $(attribute_on "$1") == "$(attribute_on "${3-1}")" ]]
}

attribute_on() { getfattr --absolute-names --encoding=hex --name user.kvnode "$(value_on "$1")" | grep =; }

has_field() { tr -d '\r' <head | grep -qix "$1"; }

freeze() { kill -STOP "$(node_pid "$1")"; }

@test "a value lies on its three owners, alike, and every node gives, replaces and deletes it" {
  local node
  for node in "${NODES[@]}"; do
    assert_equal 201 "$(store "$node" old)"
    for owner in "${owners[@]}"; do eventually 10 holds "$owner" old; done
    [[ ! -e $(value_on "$stranger") ]]
    assert_equal 204 "$(store "$node" new)"
    for owner in "${NODES[@]}"; do fetch "$owner" new; done
    assert_equal 204 "$(status "$node" DELETE)"
    for owner in "${NODES[@]}"; do assert_equal 404 "$(status "$owner" GET)"; done
    assert_equal 404 "$(status "$node" DELETE)"
  done
}

@test "classic clients store, fetch and delete what has copies, and small values and empty ones too" {
  local node
  printf '' >empty
  echo small >small
  for node in "${NODES[@]}"; do
    for file in old small empty; do
      assert_equal "$key" "$(put "$node" "$key" "$file")"
      for owner in "${NODES[@]}"; do get "$owner" "$key" | cmp - "$file"; done
    done
    assert_equal "" "$(del "$node" "$key")"
    assert_equal "ERROR: GET $key: no such key" "$(get "$stranger" "$key")"
  done
}

@test "what is kept beside a value is kept beside each copy" {
  local node
  store 2 old "$key" --header 'Content-Type: text/plain' --header 'Kvnode-Meta-Colour: blue'
  kill_node 1
  for node in 2 3 4; do
    curl --silent --head "$(url "$node")" | tr -d '\r' >head
    has_field 'content-type: text/plain'
    has_field 'kvnode-meta-colour: blue'
  done
}

@test "a PUT that comes once more by its idempotency key is done once, whichever node is asked" {
  local again=(--header 'Idempotency-Key: "3f1c"' --header 'If-None-Match: *') value
  for value in small old; do
    [[ $value != small ]] || echo little >small
    key=$(key_owned_by 1 "$value-")
    assert_equal 201 "$(store 1 $value "$key" "${again[@]}")"
    local tag=$(tr -d '\r' <head | grep -i '^etag:')
    # Without its key the condition is against it, as always.
    assert_equal 412 "$(store 1 $value "$key" --header 'If-None-Match: *')"
    for node in 1 2 4; do
      assert_equal 200 "$(store $node $value "$key" "${again[@]}")"
      assert_equal "$tag" "$(tr -d '\r' <head | grep -i '^etag:')"
      assert_equal 422 "$(store $node new "$key" "${again[@]}")"
      assert_equal "PUT $key: another value was stored with the same Idempotency-Key" "$(cat answer)"
    done
    fetch 4 $value
    # With the first owner gone the next one recognises it.
    kill_node 1
    assert_equal 200 "$(store 4 $value "$key" "${again[@]}")"
    start_node 1
    eventually 30 fetch 1 $value
    for node in 1 2 3; do
      holds $node $value
      eventually 20 staging_is_empty $node
    done
    # Once something else is there the condition counts.
    assert_equal 204 "$(store 4 new "$key")"
    assert_equal 412 "$(store 4 $value "$key" "${again[@]}")"
    assert_equal 204 "$(status 4 DELETE)"
    assert_equal 201 "$(store 4 $value "$key" "${again[@]}")"
  done
}

@test "with one owner down all works through each of the others" {
  local node down
  for down in "${owners[@]}"; do
    store 4 old >/dev/null
    kill_node "$down"
    for node in "${NODES[@]}"; do
      if ((node == down)); then continue; fi
      fetch "$node" old
      assert_equal 204 "$(store "$node" new)"
      fetch "$node" new
      assert_equal 412 "$(store "$node" old "$key" --header 'If-None-Match: *')"
      assert_equal 412 "$(store "$node" old "$key" --header 'If-Match: "0"')"
      assert_equal 204 "$(store "$node" old "$key" --header "If-Match: $(etag "$node")")"
      assert_equal 204 "$(status "$node" DELETE)"
      assert_equal 404 "$(status "$node" GET)"
      assert_equal 201 "$(store "$node" old "$key" --header 'If-None-Match: *')"
    done
    start_node "$down"
    fetch "$down" old
  done
}

@test "with two owners down nothing is done, and that is said" {
  local node
  store 4 old >/dev/null
  kill_node 2
  kill_node 3
  for node in 1 4; do
    assert_equal 503 "$(store "$node" new)"
    has_field 'kvnode-outcome: none'
    assert_matches 'nothing was done|cannot be reached' "$(cat answer)"
    assert_equal 503 "$(status "$node" DELETE)"
    assert_equal 503 "$(status "$node" GET)"
    assert_matches '^ERROR: PUT .*(nothing was done|cannot be reached)' "$(put "$node" "$key" new)"
  done
  start_node 2
  for node in 1 2 4; do fetch "$node" old; done
}

@test "with two owners down a read that takes any copy is served from the one that is left, marked with its age" {
  local node
  store 4 old >/dev/null
  etag=$(etag 4)
  # While most can be asked, what most agree on is served, and nothing is marked.
  assert_equal 200 "$(status 4 GET --header 'Kvnode-Consistency: any')"
  has_field 'kvnode-consistency: any' && return 1
  # The last two owners: those that are asked go on to the third.
  kill_node 1
  kill_node 2
  for node in 3 4; do
    assert_equal 503 "$(status "$node" GET)"
    assert_equal 200 "$(status "$node" GET --header 'Kvnode-Consistency: any')"
    cmp answer old
    has_field 'kvnode-consistency: any'
    has_field 'age: [0-9][0-9]*'
    assert_equal 206 "$(status "$node" GET --header 'Kvnode-Consistency: any' --range 100-199)"
    cmp answer <(tail -c +101 old | head -c 100)
    assert_equal 304 "$(status "$node" GET --header 'Kvnode-Consistency: any' --header "If-None-Match: $etag")"
    assert_equal 400 "$(status "$node" GET --header 'Kvnode-Consistency: most')"
    assert_equal "GET $key: Kvnode-Consistency: expected majority or any" "$(cat answer)"
  done
  # The setting is that of the node that is asked, for classic clients too.
  configure 4 reads '[Cluster]' Reads=any
  kill -HUP "$(node_pid 4)"
  eventually 10 log_has 4 'configuration reloaded'
  assert_equal 200 "$(status 4 GET)"
  has_field 'kvnode-consistency: any'
  get 4 "$key" | cmp - old
  assert_equal 503 "$(status 4 GET --header 'Kvnode-Consistency: majority')"
  assert_equal 503 "$(status 3 GET)"
  # Of what nobody has it is not known whether there is anything.
  absent=$(key_owned_by 1 absent)
  assert_equal 503 "$(curl --silent --output answer --write-out '%{http_code}' "$(url 4 "$absent")")"
  # And nothing is written.
  assert_equal 503 "$(store 4 new)"
  start_node 2
  assert_equal 200 "$(status 4 GET)"
  has_field 'kvnode-consistency: any' && return 1
  cmp answer old
}

@test "an owner that is alone and lacks a value does not say that there is none, to a read that takes any copy" {
  kill_node 3
  store 4 old >/dev/null
  kill_node 2
  kill_node 1
  start_node 3
  for node in 3 4; do assert_equal 503 "$(status "$node" GET --header 'Kvnode-Consistency: any')"; done
}

@test "an owner that hangs is not waited for, neither with values nor with votes" {
  local node
  store 4 old >/dev/null
  random_file large 20000000
  for frozen in 1 3; do
    freeze "$frozen"
    for node in 2 4; do
      assert_matches '^20[014]$' "$(store "$node" large)"
      fetch "$node" large
      assert_matches '^20[014]$' "$(store "$node" new)"
      fetch "$node" new
    done
    kill -CONT "$(node_pid "$frozen")"
    fetch "$frozen" new
  done
}

@test "an owner whose disk is full keeps nothing from being stored" {
  local node full
  for full in 1 3; do
    configure "$full" full '[Node]' MinFree=99%
    kill_node "$full"
    start_node "$full"
    random_file large 3000000
    for node in "${NODES[@]}"; do
      assert_matches '^20[014]$' "$(store "$node" large)"
      fetch "$full" large
      assert_matches '^20[014]$' "$(store "$node" new)"
      fetch "$full" new
      assert_equal 204 "$(status "$node" DELETE)"
    done
    store "$full" old >/dev/null
    configure "$full" full '[Node]' MinFree=0
    kill_node "$full"
    start_node "$full"
    # It gets what it missed.
    eventually 60 holds "$full" old 2
  done
}

@test "an owner that comes back with an empty disk keeps no request waiting while it is filled" {
  local round node
  store 4 old >/dev/null
  kill_node 1
  rm -rf "$CLUSTER/node1"
  start_node 1
  for round in 1 2 3 4 5; do
    for node in "${NODES[@]}"; do
      assert_matches '^20[014]$' "$(store "$node" new)"
      fetch "$node" new
    done
  done
  eventually 120 holds 1 new 2
}

@test "a value goes on at the next owner when its source is killed amid it, and when it hangs" {
  random_file large 60000000
  store 2 large >/dev/null
  local signal sender
  for signal in KILL STOP; do
    curl --silent --fail --limit-rate 20M "$(url "$stranger")" --output got &
    eventually 20 has_received got 5000000
    # The first owner is asked first.
    kill -$signal "$(node_pid 1)"
    wait $! || { tail -n 5 "$CLUSTER"/node?.log >&2; return 1; }
    cmp got large
    if [[ $signal == KILL ]]; then start_node 1; else kill -CONT "$(node_pid 1)"; fi
    rm got
    eventually 20 fetch 1 large
  done
}

has_received() { [[ -e $1 ]] && (($(stat --format %s "$1") >= $2)); }

@test "a coordinator that is killed amid a PUT leaves the old value, or the new one, whole" {
  random_file large 60000000
  store 2 old >/dev/null
  curl --silent --limit-rate 20M --upload-file large "$(url 1)" &
  local upload=$!
  eventually 20 has_staged 2 5000000
  kill_node 1
  if wait "$upload"; then return 1; fi
  for node in 2 3 4; do fetch "$node" old; done
  eventually 20 staging_is_empty 2
  start_node 1
  fetch 1 old
}

@test "counters of many clients on all nodes are exact" {
  printf 0 >zero
  store 1 zero >/dev/null
  local node clients=()
  for node in "${NODES[@]}"; do
    count_up "$node" 15 &
    clients+=($!)
  done
  for client in "${clients[@]}"; do wait "$client"; done
  assert_equal 60 "$(curl --silent "$(url 4)")"
}

# count_up N COUNT: adds one so often, by compare-and-swap through node N.
count_up() {
  local left=$2 present tag directory
  directory=$(mktemp -d "$BATS_TEST_TMPDIR/count.XXXX")
  cd "$directory" || return
  while ((left > 0)); do
    present=$(curl --silent --dump-header head "$(url "$1")") || continue
    tag=$(tr -d '\r' <head | awk 'tolower($1) == "etag:" { print $2 }')
    printf %s $((present + 1)) >next
    case $(store "$1" next "$key" --header "If-Match: $tag") in
      20?) left=$((left - 1)) ;;
      412 | 503) ;;
      *) return 1 ;;
    esac
    # Whoever does not know whether it has counted must not count again.
    if has_field 'kvnode-outcome: unknown'; then return 1; fi
  done
}

@test "an upload that nobody wants any more is thrown away everywhere" {
  random_file large 5000000
  store 1 old >/dev/null
  # Found out only at the end: the digest is another value's.
  assert_equal 400 "$(store 2 large "$key" --header 'Content-MD5: 1B2M2Y8AsgTpgAmY7PhCfg==')"
  for node in "${NODES[@]}"; do eventually 20 staging_is_empty "$node"; done
  fetch 3 old
}

@test "more copies than nodes are refused in one line" {
  configure 1 copies '[Cluster]' Replicas=5
  run "$KVNODE" --config "$CLUSTER/node1.conf" --check-config
  assert_equal 78 "$status"
  assert_matches 'copies.conf:2: Replicas=5: expected at most 4, for there are 4 nodes' "$output"
}
