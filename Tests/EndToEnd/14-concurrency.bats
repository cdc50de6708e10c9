# Many clients at once: everyone gets what is theirs, whole.

# shellcheck disable=SC2154 # support.bash and bats set variables, and every test is a subshell.

load support

setup_file() { start_suite_cluster; }
teardown_file() { kill_cluster; }

setup() { cd "$BATS_TEST_TMPDIR" || return; }

# all_succeed PID...: waits for all, so that none is left, and fails if any did.
all_succeed() {
  local pid status=0
  for pid in "$@"; do wait "$pid" || status=1; done
  return $status
}

# overwritten KEY FILE...: puts the files under the key in turn, through one node after the other.
overwrite() {
  local key=$1 round file
  shift
  for round in 1 2 3 4 5; do
    for file in "$@"; do
      [[ $(put $((round % 4 + 1)) "$key" "$file") == "$key" ]] || return 1
    done
  done
}

is_one_of() {
  local file
  for file in "${@:2}"; do
    if cmp -s "$1" "$file"; then return 0; fi
  done
  echo "$1 is none of ${*:2}: $(stat -c %s "$1") bytes, beginning $(head -c 64 "$1" | od -An -c | head -n 2)" >&2
  return 1
}

# put_then_get NUMBER: what each of 64 clients does.
put_then_get() {
  local number=$1 answer
  random_file "sent$number" $((number * 50000 + number))
  answer=$(put $((number % 4 + 1)) "client-$number" "sent$number")
  [[ $answer == "client-$number" ]] || return 1
  get $(((number / 4) % 4 + 1)) "client-$number" | cmp - "sent$number"
}

@test "64 clients put and get over all nodes at once" {
  pids=()
  for number in {1..64}; do
    put_then_get "$number" 3>&- &
    pids+=($!)
  done
  all_succeed "${pids[@]}"
  for number in {1..64}; do get 1 "client-$number" | cmp - "sent$number"; done
}

@test "64 clients read one value through all nodes while others are put" {
  random_file shared 5000000
  put 1 shared shared
  pids=()
  for number in {1..64}; do
    if ((number % 4 == 0)); then
      put $((number % 3 + 1)) "beside-$number" shared 3>&- >/dev/null &
    else
      (get $((number % 4 + 1)) shared | cmp - shared) 3>&- &
    fi
    pids+=($!)
  done
  all_succeed "${pids[@]}"
  for number in {4..64..4}; do get 2 "beside-$number" | cmp - shared; done
}

@test "of concurrent PUTs of one key one wins whole" {
  for owner in 1 3; do
    key=$(key_owned_by $owner contested)
    pids=()
    for number in {1..16}; do
      head -c $((1000000 + number * 100000)) /dev/zero | tr '\0' "\\$(printf %o $((96 + number)))" >"letter$number"
      put $((number % 4 + 1)) "$key" "letter$number" >"answer$number" 3>&- &
      pids+=($!)
    done
    all_succeed "${pids[@]}"
    for number in {1..16}; do assert_equal "$key" "$(cat "answer$number")"; done
    for node in "${NODES[@]}"; do
      get "$node" "$key" >winner
      is_one_of winner letter*
    done
    staging_is_empty $owner
  done
}

@test "a reader during overwrites sees only whole values" {
  random_file one 3000000
  random_file two 1500000
  random_file three 6000000
  put 1 moving one
  overwrite moving one two three 3>&- &
  writer=$!
  rounds=0
  while kill -0 $writer 2>/dev/null; do
    get $((rounds % 4 + 1)) moving >seen
    is_one_of seen one two three
    rounds=$((rounds + 1))
  done
  wait $writer
  ((rounds > 3))
}

@test "whoever has begun to read a value reads it to its end, though it is replaced and deleted" {
  for reader in 1 2; do
    key=$(key_owned_by 1 read)
    random_file old $((64 << 20))
    random_file new 100000
    put 1 "$key" old
    start_client "reader" "127.0.0.$reader" text="GET $key\\n" read=1000 touch="$PWD/begun" await="$PWD/go" read
    eventually 10 test -e begun
    put 3 "$key" new
    get 4 "$key" | cmp - new
    del 2 "$key"
    touch go
    finish_client reader
    assert_equal 0 "$client_status"
    cmp reader.out old
    rm begun go
  done
}

@test "PUT, GET and DEL of one key at once never make an error but 'no such key'" {
  random_file value 300000
  pids=()
  for number in {1..48}; do
    case $((number % 3)) in
      0) put $((number % 4 + 1)) busy value >"answer$number" 3>&- & ;;
      1) get $((number % 4 + 1)) busy >"answer$number" 3>&- & ;;
      2) del $((number % 4 + 1)) busy >"answer$number" 3>&- & ;;
    esac
    pids+=($!)
  done
  all_succeed "${pids[@]}"
  echo busy >stored
  echo 'ERROR: GET busy: no such key' >absent
  for number in {1..48}; do
    case $((number % 3)) in
      0) cmp "answer$number" stored ;;
      1) is_one_of "answer$number" value absent ;;
      2) cmp "answer$number" /dev/null ;;
    esac
  done
}

@test "long keys that share directories are put and deleted at once" {
  stem=$(printf 'd%.0s' {1..250})
  echo value >value
  for _ in 1 2 3; do
    pids=()
    for number in {1..32}; do
      (put $((number % 4 + 1)) "$stem$number" value && del $(((number + 1) % 4 + 1)) "$stem$number") \
        >"answer$number" 3>&- &
      pids+=($!)
    done
    all_succeed "${pids[@]}"
    for number in {1..32}; do assert_equal "$stem$number" "$(cat "answer$number")"; done
  done
}

# Half of the streams fetch values and half store them, for ever; all through node 1, which owns none of them.
@test "beside 24 relayed streams that never end, 100 small GETs are answered, and rightly" {
  random_file small 1000
  random_file large $((8 << 20))
  own=$(key_owned_by 1 small)
  other=$(key_owned_by 2 small)
  put 1 "$own" small
  put 1 "$other" small
  keys=()
  for number in {1..24}; do keys+=("$(key_owned_by $((number % 3 + 2)) "stream$number-")"); done
  setpriv --pdeathsig KILL /usr/bin/python3 "$REPOSITORY/bench/streams.py" 127.0.0.1:7776 large $((8 << 20)) "$PWD/begun" \
    "${keys[@]}" >rate 3>&- </dev/null &
  streams=$!
  eventually 60 test -e begun
  SECONDS=0
  for _ in {1..50}; do
    get 1 "$own" | cmp - small
    get 1 "$other" | cmp - small
  done
  # So that what hangs is not taken for slow.
  ((SECONDS < 200))
  # They end well unless an answer to one of them was wrong.
  kill $streams
  wait $streams
  assert_matches '^[0-9]+\.[0-9]+$' "$(cat rate)"
}
