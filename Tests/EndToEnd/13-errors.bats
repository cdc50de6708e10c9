# Every error of the classic dialect, to the byte.

# shellcheck disable=SC2154 # support.bash and bats set variables, and every test is a subshell.

load support

setup_file() {
  export CLUSTER=$BATS_FILE_TMPDIR/cluster
  require_free_ports
  write_configurations
  configure all limits '[Limits]' MaxValueSize=1M HeaderTimeout=500ms IdleTimeout=2s
  start_cluster
}
teardown_file() { kill_cluster; }

setup() {
  cd "$BATS_TEST_TMPDIR" || return
  # One key of the node that is asked, and one that it must relay.
  own=$(key_owned_by 1 own)
  other=$(key_owned_by 2 other)
}

# answers FORMAT LINE: node 1 answers what printf makes of FORMAT with the line, and its LF, alone.
answers() {
  raw 1 "$1" >answer
  cmp answer <(printf '%s\n' "$2") || assert_equal "$2" "$(cat answer)"
}

absent() {
  local node
  for node in 1 2; do assert_equal "ERROR: GET $1: no such key" "$(get "$node" "$1")"; done
  for node in "${NODES[@]}"; do eventually 5 staging_is_empty "$node"; done
}

@test "unsupported operations" {
  for line in HELLO 'POST key' 'put key' 'GETkey' 'LIST' '' ' ' ' \r' '\001\002' '\377'; do
    answers "$line\n" 'ERROR: Unsupported operation (only PUT/GET/DEL supported)'
  done
}

@test "no key" {
  for operation in PUT GET DEL; do
    answers "$operation\n" "ERROR: $operation needs a key"
    answers "$operation \n" "ERROR: $operation needs a key"
  done
}

@test "a key that is too long" {
  answers "GET $(printf 'k%.0s' {1..1025})\n" 'ERROR: GET: the key has 1025 bytes, the most is 1024'
}

@test "a line of 4096 bytes is read, one of 4097 is not" {
  spaces=$(printf '%*s' $((4096 - 4 - ${#own} - 1)) '')
  raw 1 "PUT $own$spaces\nvalue" | cmp - <(echo "$own")
  del 1 "$own"
  answers "PUT $own$spaces \nvalue" 'ERROR: the first line is longer than 4096 bytes'
}

@test "a line without an end is cut off at 4096 bytes" {
  start_client endless 127.0.0.1 bytes=9 text='\n' read
  finish_client endless
  assert_equal 'ERROR: Unsupported operation (only PUT/GET/DEL supported)' "$(cat endless.out)"
  head -c 1000000 /dev/zero | tr '\0' x | nc -N 127.0.0.1 7776 >answer
  cmp answer <(echo 'ERROR: the first line is longer than 4096 bytes')
}

@test "a stream that ends inside the line" {
  answers "GET $own" 'ERROR: the connection ended inside the request'
}

@test "a stream that ends before the line is answered with nothing" {
  raw 1 '' >answer
  cmp answer /dev/null
}

@test "fewer bytes than stated" {
  for key in "$own" "$other"; do
    answers "PUT $key 5\nabc" "ERROR: PUT $key: only 3 of the stated 5 bytes arrived"
    answers "PUT $key 5\n" "ERROR: PUT $key: only 0 of the stated 5 bytes arrived"
    absent "$key"
  done
}

@test "more bytes than stated" {
  for key in "$own" "$other"; do
    answers "PUT $key 5\nabcdef" "ERROR: PUT $key: more than the stated 5 bytes arrived"
    answers "PUT $key 0\na" "ERROR: PUT $key: more than the stated 0 bytes arrived"
    absent "$key"
  done
}

@test "more than stated, by a client that goes on sending megabytes" {
  for key in "$own" "$other"; do
    (echo "PUT $key 5"; head -c 8M /dev/zero) | nc -N 127.0.0.1 7776 >answer
    cmp answer <(echo "ERROR: PUT $key: more than the stated 5 bytes arrived")
    absent "$key"
  done
}

@test "a length that is none" {
  for length in five -1 +5 5K 0x5 1.5 99999999999999999999; do
    answers "PUT $own $length\nvalue" "ERROR: PUT $own: '$length' is no length in bytes"
  done
  absent "$own"
}

@test "words too many" {
  answers "PUT $own 5 more\nvalue" "ERROR: PUT $own: unexpected 'more' after the key"
  answers "GET $own 5\n" "ERROR: GET $own: unexpected '5' after the key"
  answers "DEL $own and more\n" "ERROR: DEL $own: unexpected 'and' after the key"
  absent "$own"
}

@test "GET of an absent key" {
  for key in "$own" "$other"; do answers "GET $key\n" "ERROR: GET $key: no such key"; done
}

@test "an error is one line whatever the key" {
  answers 'GET a\001b\r\033[31mc\177\n' 'ERROR: GET a\x01b\x0d\x1b[31mc\x7f: no such key'
  answers 'GET \377\\\n' 'ERROR: GET \xff\x5c: no such key'
  answers 'GET na\303\257ve\n' 'ERROR: GET naïve: no such key'
}

@test "a value longer than MaxValueSize=" {
  head -c 1048577 /dev/zero >large
  head -c 1048576 /dev/zero >largest
  for key in "$own" "$other"; do
    refusal="ERROR: PUT $key: the value has more than 1048576 bytes (MaxValueSize=)"
    assert_equal "$refusal" "$(put 1 "$key" large)"
    assert_equal "$refusal" "$(put 1 "$key" large 1048577)"
    absent "$key"
    assert_equal "$key" "$(put 1 "$key" largest)"
    get 2 "$key" | cmp - largest
    del 1 "$key"
  done
}

@test "a client that does not finish its line within HeaderTimeout=" {
  start_client slow 127.0.0.1 text='GET ke' read
  finish_client slow
  assert_equal 0 "$client_status"
  cmp slow.out <(echo 'ERROR: no complete request within 0.5 seconds (HeaderTimeout=)')
}

@test "a client that says nothing within HeaderTimeout= is told nothing" {
  # What it sends at last would otherwise take the error for its answer.
  for text in '' '\r\n'; do
    start_client silent 127.0.0.1 text="$text" read
    finish_client silent
    assert_equal 0 "$client_status"
    [ ! -s silent.out ]
  done
}

@test "a client that sends a byte now and then does not stretch HeaderTimeout=" {
  for _ in {1..20}; do
    echo -n x
    sleep 0.1
  done | timeout 30 nc 127.0.0.1 7776 >answer || true
  cmp answer <(echo 'ERROR: no complete request within 0.5 seconds (HeaderTimeout=)')
}

@test "a client that stops in the midst of its value for IdleTimeout=" {
  for key in "$own" "$other"; do
    start_client idle 127.0.0.1 text="PUT $key\\n" bytes=100000 read
    finish_client idle
    assert_equal 0 "$client_status"
    cmp idle.out <(echo "ERROR: PUT $key: no byte came for too long (IdleTimeout=)")
    absent "$key"
  done
}

@test "a client that does not take its value for IdleTimeout= is reset" {
  # Larger than what sockets hold, and put by hand: MaxValueSize= is for those who PUT.
  for key in "$own" "$other"; do
    truncate -s 128M "$(value_file "$key" "$key")"
    start_client deaf 127.0.0.1 text="GET $key\\n" read=1000 await="$BATS_TEST_TMPDIR/reset-$key" read
    eventually 10 log_has 1 'connection reset'
    touch "reset-$key"
    finish_client deaf
    assert_equal 104 "$client_status"
    : >"$CLUSTER/node1.log"
    rm "$(value_file "$key" "$key")"
  done
}
