# Values of every size come back as they were, lie where they belong as plain files, and leave no trace elsewhere.

# shellcheck disable=SC2154 # support.bash and bats set variables, and every test is a subshell.

load support

setup_file() { start_suite_cluster; }
teardown_file() { kill_cluster; }

setup() { cd "$BATS_TEST_TMPDIR" || return; }

# round_trip KEY FILE: puts through one node and gets through two, so that owner and relays each do both.
round_trip() {
  local owner relay
  owner=$(owner_of "$1")
  relay=$((owner % 4 + 1))
  for putter in "$owner" "$relay"; do
    assert_equal "$1" "$(put "$putter" "$1" "$2")"
    cmp "$2" "$(value_file "$1" "$1")"
    for getter in "$owner" "$relay"; do get "$getter" "$1" | cmp - "$2"; done
    del "$relay" "$1"
  done
}

@test "a value of 0 bytes" {
  : >value
  round_trip empty value
}

@test "a value of 1 byte" {
  printf '\0' >value
  round_trip one-byte value
}

@test "values around the sizes of buffers" {
  for bytes in 4095 4096 4097 16383 16384 16385 65536 262143 262144 262145 1048577; do
    random_file value "$bytes"
    round_trip "sized-$bytes" value
  done
}

@test "a value of 24 MiB" {
  random_file value $((24 << 20))
  round_trip big value
}

@test "a value of 128 MiB" {
  random_file value $((128 << 20))
  round_trip bigger value
}

@test "a value that looks like a request stays a value" {
  printf 'DEL other\nGET other\n' >value
  round_trip like-a-request value
}

@test "a value of 3 GiB, put and read through a relay" {
  bytes=$((3 << 30))
  free=$(df --output=avail -B1 "$CLUSTER" | tail -n 1)
  total=$(df --output=size -B1 "$CLUSTER" | tail -n 1)
  # The nodes keep 2 % of the file system free.
  if ((free < bytes + total / 50 + (1 << 30))); then skip "needs $((bytes >> 30)) GiB of free disk, has $((free >> 30))"; fi
  key=$(key_owned_by 4 huge)
  answer=$( (echo "PUT $key"; head -c $bytes /dev/zero) | timeout 250 nc -N 127.0.0.1 7776)
  assert_equal "$key" "$answer"
  assert_equal $bytes "$(stat -c %s "$(value_file "$key" "$key")")"
  get 2 "$key" | cmp - <(head -c $bytes /dev/zero)
  del 3 "$key"
}

@test "only the owner writes anything" {
  random_file value $((24 << 20))
  key=$(key_owned_by 3 lonely)
  declare -a written
  for node in "${NODES[@]}"; do
    data_state "$node" >"before$node"
    written[node]=$(written_bytes "$node")
  done
  put 1 "$key" value
  get 2 "$key" | cmp - value
  put 4 "$key" value $((24 << 20))
  del 1 "$key"
  for node in 1 2 4; do
    data_state $node >after$node
    diff before$node after$node
    # Probes are a few bytes; a value that was stored on its way would be megabytes, removed or not.
    (($(written_bytes $node) - written[node] < 1 << 20))
  done
  # That the count would have told.
  if [[ $(stat -f -c %T "$CLUSTER") != tmpfs ]]; then (($(written_bytes 3) - written[3] >= 48 << 20)); fi
}

@test "a stored value carries its attribute, and staging/ is empty" {
  echo value >value
  put 1 attributed value
  attribute=$(getfattr --absolute-names --only-values -n user.kvnode "$(value_file attributed attributed)" | od -An -v -tx1 | tr -d " \n")
  # Version 2, algorithm 1, a length of 6 bytes; then the time, the checksum, the upload, the ballot, and no flag.
  assert_matches '^02010000000000000006[0-9a-f]{48}[0-9a-f]{20}[0-9a-f]{20}00$' "$attribute"
  for node in "${NODES[@]}"; do staging_is_empty "$node"; done
}

@test "a file put into place by hand is served" {
  key=$(key_owned_by 2 by-hand)
  random_file value 100000
  cp value "$(value_file "$key" "$key")"
  for node in "${NODES[@]}"; do get "$node" "$key" | cmp - value; done
}

@test "a line that arrives in pieces, and one that comes with its value" {
  start_client pieces 127.0.0.1 text=PU text='T pie' text='ces\nfirst ' text=second shut read
  finish_client pieces
  assert_equal 0 "$client_status"
  assert_equal pieces "$(cat pieces.out)"
  get 2 pieces | cmp - <(printf 'first second')
}
