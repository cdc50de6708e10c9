# Requests that break HTTP, sent byte by byte: each gets the documented status, and never anything of another client.

# shellcheck disable=SC2154 # support.bash and bats set variables, and every test is a subshell.

load support

setup_file() {
  export CLUSTER=$BATS_FILE_TMPDIR/cluster
  configure all limits '[Limits]' HeaderTimeout=2s
  start_suite_cluster
}

teardown_file() { kill_cluster; }

setup() { cd "$BATS_TEST_TMPDIR" || return; }

# hostile GROUP: the cases of helpers/hostile.py, to a key of the node that is asked and to one of another node.
hostile() {
  timeout 280 /usr/bin/python3 "$HELPERS/hostile.py" "$1" 127.0.0.1 "$(key_owned_by 1 "$1-own")"
  timeout 280 /usr/bin/python3 "$HELPERS/hostile.py" "$1" 127.0.0.1 "$(key_owned_by 3 "$1-other")"
  for node in "${NODES[@]}"; do node_answers "$node"; done
}

client() { timeout 120 /usr/bin/python3 "$HELPERS/client.py" "127.0.0.$1" "${@:2}"; }

@test "lengths that contradict themselves, or are none" { hostile lengths; }

@test "Content-Length beside Transfer-Encoding, and codings other than chunked" { hostile codings; }

@test "bare CR, bare LF, folded fields, blanks and NULs where none belong" { hostile lines; }

@test "heads, lines and keys that are too long" { hostile sizes; }

@test "targets in every form" { hostile targets; }

@test "other versions and methods" { hostile versions; }

@test "bodies that look like requests" { hostile bodies; }

@test "chunks that are none" { hostile chunks; }

@test "a head that trickles in is given up after HeaderTimeout=" {
  answer=$(client 1 text='GET /x HTTP/1.1\r\nHost: x\r\n' read)
  assert_matches '^HTTP/1.1 408 .*no complete request within 2.0 seconds \(HeaderTimeout=\)' "$(tr -d '\r\n' <<<"$answer")"
  # One byte each 0.3 s does not keep it alive.
  SECONDS=0
  timeout 60 /usr/bin/python3 - >answer <<'PYTHON'
import socket, sys, time
connection = socket.create_connection(("127.0.0.1", 7776), 30)
try:
    for byte in b"GET /x HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 1000:
        connection.sendall(bytes([byte]))
        connection.settimeout(0.3)
        try:
            data = connection.recv(4096)
            break
        except socket.timeout:
            pass
except (BrokenPipeError, ConnectionResetError):
    data = b""
sys.stdout.buffer.write(data)
PYTHON
  assert_matches 'no complete request within' "$(cat answer)"
  ((SECONDS < 20))
}

@test "a second head that trickles in on a kept connection is given up too" {
  answer=$(client 1 text='GET /absent HTTP/1.1\r\nHost: x\r\n\r\nGET /' read)
  assert_equal '404 408' "$(sed -n 's,^HTTP/1.1 \([0-9]*\) .*,\1,p' <<<"$answer" | xargs)"
}

@test "a long request line that comes in two pieces is read as one that comes at once" {
  # Prefix and start of a listing may each be a whole key, percent-encoded.
  prefix=$(printf '%%61%.0s' {1..1000})
  client 1 text="GET /$prefix?list&from=$prefix" touch="$PWD/half" await="$PWD/go" \
    text='%61 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n' read >answer 3>&- &
  pid=$!
  eventually 10 test -e half
  sleep 0.2
  touch go
  wait "$pid"
  assert_matches '^HTTP/1.1 200 ' "$(head -n 1 answer)"
  # And the classic dialect's lines still end at 4096 bytes.
  assert_matches '^ERROR: the first line is longer' "$(head -c 5000 /dev/zero | tr '\0' x | nc -w 5 127.0.0.1 7776)"
}

@test "a client that sends no head at all costs nothing and is dropped" {
  answer=$(client 1 read)
  assert_equal '' "$answer"
}

@test "hostile requests between those of others leave these alone" {
  timeout 120 /usr/bin/python3 "$HELPERS/hostile.py" bodies 127.0.0.1 "$(key_owned_by 4 noise-a)" 3>&- &
  first=$!
  timeout 120 /usr/bin/python3 "$HELPERS/hostile.py" chunks 127.0.0.1 "$(key_owned_by 4 noise-b)" 3>&- &
  second=$!
  key=$(key_owned_by 4 quiet)
  random_file value 20000
  for _ in {1..100}; do
    curl --silent --fail -T value "http://127.0.0.1:7776/$key"
    curl --silent --fail "http://127.0.0.1:7776/$key" | cmp - value
  done
  wait "$first"
  wait "$second"
}
