# Encrypted connections on the one port: both dialects, every node, certificates that change, and handshakes that fail.

# shellcheck disable=SC2030,SC2031,SC2154 # support.bash and bats set variables, and every test is a subshell.

load support

setup() {
  cd "$BATS_TEST_TMPDIR" || return
  prepare_test_cluster
  certificate=$CLUSTER/certificate.pem
  key=$CLUSTER/key.pem
  make_certificate first
  use_tls
}

teardown() { kill_cluster; }

# make_certificate NAME [OPENSSL-ARGUMENT...]: for all four hosts.
make_certificate() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$1" -days 30 \
    -addext 'subjectAltName=IP:127.0.0.1,IP:127.0.0.2,IP:127.0.0.3,IP:127.0.0.4' "${@:2}" \
    -keyout "$key.new" -out "$certificate.new" 2>openssl.log
  chmod 640 "$key.new"
  mv "$key.new" "$key"
  mv "$certificate.new" "$certificate"
}

# use_tls LINE...: with further lines of [TLS].
use_tls() { configure all tls '[TLS]' "Certificate=$certificate" "PrivateKey=$key" "$@"; }

url() { echo "https://127.0.0.$1:7776/$2"; }

http() { curl --silent --show-error --max-time 60 --cacert "$certificate" "$@"; }

classic() { timeout 60 /usr/bin/python3 "$HELPERS/tls_client.py" "127.0.0.$1" "$certificate" "${@:2}"; }

subject() { timeout 10 openssl s_client -connect 127.0.0.1:7776 </dev/null 2>/dev/null | sed -n 's/^subject=CN = //p'; }

has_subject() { [[ $(subject) == "$1" ]]; }

@test "values go through every node by TLS 1.2 and 1.3, beside plain connections" {
  start_cluster
  random_file value 20000000
  for node in "${NODES[@]}"; do
    http --fail --upload-file value "$(url "$node" "big$node")"
    for other in "${NODES[@]}"; do
      http --fail "$(url "$other" "big$node")" | cmp - value
      curl --silent --fail "http://127.0.0.$other:7776/big$node" | cmp - value
    done
    http --fail --tls-max 1.2 "$(url "$node" "big$node")" | cmp - value
    http --fail --tls-max 1.2 --upload-file value "$(url "$node" big)"
    assert_equal "HTTP/1.1 206 Partial Content" "$(http --range 5-14 --dump-header - --output part "$(url "$node" big)" | sed -n '1s/\r//p')"
    cmp part <(head -c 15 value | tail -c 10)
    # One connection for many requests.
    assert_equal 1 "$(http --write-out '%{num_connects}\n' --output /dev/null "$(url "$node" big)" \
      --next --cacert "$certificate" --silent --write-out '%{num_connects}\n' --output /dev/null "$(url "$node" "?status")" |
      paste -sd+ | bc)"
    get "$node" big | cmp - value
  done
}

@test "the classic dialect over TLS: an announced end is one, a connection that is cut off is not" {
  start_cluster
  random_file value 3000000
  for node in "${NODES[@]}"; do
    assert_equal "key$node" "$(classic "$node" "PUT key$node\n" <value)"
    assert_equal "sized$node" "$(classic "$node" "PUT sized$node 3000000\n" open <value)"
    for other in "${NODES[@]}"; do
      classic "$other" "GET key$node\n" open </dev/null | cmp - value
      classic "$other" "GET sized$node\n" </dev/null | cmp - value
    done
    # What is whole without its end is stored, and answered.
    for _ in {1..5}; do assert_equal "whole$node" "$(classic "$node" "PUT whole$node 3000000\n" cut <value)"; done
    run classic "$node" "PUT cut$node\n" cut <value
    assert_equal "3 " "$status $output"
    assert_equal "ERROR: GET cut$node: no such key" "$(get "$node" "cut$node")"
    assert_equal '' "$(classic "$node" "DEL key$node\n" </dev/null)"
    assert_equal "ERROR: GET key$node: no such key" "$(classic "$node" "GET key$node\n" </dev/null)"
  done
  assert_equal "viaopenssl" "$( (echo "PUT viaopenssl 5"; printf hello; sleep 1) |
    openssl s_client -quiet -connect 127.0.0.2:7776 2>/dev/null)"
}

@test "a node that dies in the midst of a value leaves no clean end" {
  configure all slow '[Limits]' IdleTimeout=60s
  start_node 1
  own=$(key_owned_by 1 own)
  random_file value 100000000
  put 1 "$own" value
  run timeout 60 /usr/bin/python3 -c '
import os, select, signal, socket, ssl, sys
authority, key, pid = sys.argv[1:]
context = ssl.create_default_context(cafile=authority)
connection = context.wrap_socket(
    socket.create_connection(("127.0.0.1", 7776), timeout=30), server_hostname="127.0.0.1", suppress_ragged_eofs=False)
connection.sendall(f"GET {key}\n".encode())
connection.recv(1000)
os.kill(int(pid), signal.SIGKILL)
try:
    while connection.recv(1 << 20):
        pass
except (ssl.SSLEOFError, ConnectionResetError):
    sys.exit(3)
' "$certificate" "$own" "$(node_pid 1)"
  assert_equal 3 "$status"
}

@test "Required=clients turns away what is not encrypted, and leaves nodes and health checks alone" {
  use_tls Required=clients
  start_cluster
  random_file value 100000
  for node in "${NODES[@]}"; do
    http --fail --upload-file value "$(url "$node" key)"
    for other in "${NODES[@]}"; do http --fail "$(url "$other" key)" | cmp - value; done
    assert_equal "ERROR: GET key: the connection must be encrypted (Required= in [TLS])" "$(get "$node" key)"
    assert_equal 403 "$(curl --silent --output body --write-out '%{http_code}' --upload-file value "http://127.0.0.$node:7776/key")"
    assert_equal 200 "$(curl --silent --output body --write-out '%{http_code}' "http://127.0.0.$node:7776/?health")"
  done
}

@test "copies, and tokens, over TLS" {
  : >"$CLUSTER/tokens"
  head -c 32 /dev/urandom | base64 >"$CLUSTER/secret"
  chmod 600 "$CLUSTER/secret"
  token=$("${KVNODE%/*}/kvctl" token new all --allow all --file "$CLUSTER/tokens" 2>/dev/null)
  configure all access '[Access]' "Tokens=$CLUSTER/tokens" Anonymous=none
  configure all cluster '[Cluster]' Replicas=3 "Secret=$CLUSTER/secret"
  rm -rf "$CLUSTER"/node?
  start_cluster
  eventually 60 has_layout_everywhere
  random_file value 30000000
  for node in "${NODES[@]}"; do
    http --fail -H "Authorization: Bearer $token" --upload-file value "$(url "$node" "key$node")"
    for other in "${NODES[@]}"; do
      http --fail -H "Authorization: Bearer $token" "$(url "$other" "key$node")" | cmp - value
    done
    classic "$node" "AUTH $token\nGET key$node\n" </dev/null | cmp - value
    assert_equal 401 "$(http --output body --write-out '%{http_code}' "$(url "$node" "key$node")")"
  done
}

has_layout_everywhere() {
  local node
  for node in "${NODES[@]}"; do
    [[ $(http -H "Authorization: Bearer $token" "$(url "$node" '?status')" | jq -r '.layout, .progress') == $'1\nnull' ]] || return 1
  done
}

@test "a certificate is read anew at a reload; a connection goes on with the old one, and a bad one changes nothing" {
  start_node 1
  own=$(key_owned_by 1 own)
  assert_equal first "$(subject)"
  { printf 'GET /?health HTTP/1.1\r\nHost: a\r\n\r\n'; eventually 20 test -e replaced
    printf 'GET /?health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'; } |
    timeout 60 openssl s_client -quiet -ign_eof -connect 127.0.0.1:7776 >answers 2>/dev/null 3>&- &
  client=$!
  eventually 10 grep -q '200 OK\|HTTP/1.1 200' answers
  make_certificate second
  kill -HUP "$(node_pid 1)"
  eventually 10 has_subject second
  touch replaced
  wait "$client"
  assert_equal 2 "$(grep -c '^HTTP/1.1 200' answers)"
  echo nonsense >"$certificate"
  kill -HUP "$(node_pid 1)"
  eventually 10 grep -q 'the certificate cannot be read anew, and the old one stays' "$CLUSTER/node1.log"
  assert_equal second "$(subject)"
  assert_matches 'the certificate cannot be read anew, and the old one stays: ' "$(curl --silent http://127.0.0.1:7777/healthz)"
  make_certificate third -days 3
  kill -HUP "$(node_pid 1)"
  eventually 10 has_subject third
  assert_matches 'the certificate expires in [23] days' "$(curl --silent http://127.0.0.1:7777/healthz)"
  end=$(date -d "$(openssl x509 -in "$certificate" -noout -enddate | cut -d= -f2)" +%s)
  assert_metric 1 kvnode_certificate_expiry_seconds "$end"
  # Nobody need tell the node.
  make_certificate fourth
  eventually 60 has_subject fourth
}

@test "kvctl encrypts for nodes that want it, and trusts nobody whom it was not told to" {
  use_tls Required=clients
  start_cluster
  random_file value 20000000
  kvctl() { "${KVNODE%/*}/kvctl" "$@"; }
  kvctl --config "$CLUSTER/node1.conf" --ca "$certificate" put key value
  KVNODE_CA=$certificate kvctl --config "$CLUSTER/node2.conf" cat key | cmp - value
  kvctl --node https://127.0.0.3:7776/ --ca "$certificate" cat key | cmp - value
  KVNODE_CA=$certificate KVNODE_NODES=127.0.0.4 kvctl ls | grep -q key
  kvctl --config "$CLUSTER/node1.conf" --ca "$certificate" status >/dev/null
  kvctl --config "$CLUSTER/node1.conf" --ca "$certificate" bench --size 1M --duration 1s >/dev/null
  kvctl --config "$CLUSTER/node1.conf" --ca "$certificate" del key
  run kvctl --config "$CLUSTER/node1.conf" stat key
  assert_equal 4 "$status"
  assert_matches 'cannot be reached: the certificate: self-signed certificate$' "$output"
  run kvctl --node http://127.0.0.1 --ca "$certificate" stat key
  assert_equal 1 "$status"
  run kvctl --node http://127.0.0.1 --ca "$certificate" cat key
  assert_matches 'the connection must be encrypted \(Required= in \[TLS\]\)$' "$output"
  run kvctl --node https://localhost --ca "$certificate" stat key
  assert_equal 4 "$status"
  assert_matches 'the certificate: hostname mismatch$' "$output"
  run kvctl --node https://127.0.0.1 --ca "$CLUSTER/absent" stat key
  assert_equal "78 kvctl: $CLUSTER/absent: No such file or directory" "$status $output"
  # The other end speaks no TLS.
  configure 1 tls
  kill -KILL "$(node_pid 1)"
  start_node 1
  run kvctl --node https://127.0.0.1 --ca "$certificate" stat key
  assert_equal 4 "$status"
}

@test "[TLS] is checked as a whole" {
  check() {
    run "$KVNODE" --config "$CLUSTER/node1.conf" --check-config
    assert_equal 78 "$status"
    assert_matches "$1" "$output"
  }
  configure 1 tls '[TLS]' "Certificate=$certificate"
  check 'Certificate=.*: expected both Certificate= and PrivateKey= in \[TLS\]$'
  configure 1 tls '[TLS]' Required=clients
  check 'Required=clients: expected both Certificate= and PrivateKey= in \[TLS\]$'
  configure 1 tls '[TLS]' "Certificate=$certificate" "PrivateKey=$key" MinimumVersion=1.1
  check 'MinimumVersion=1.1: expected 1.2 or 1.3$'
  configure 1 tls '[TLS]' "Certificate=$CLUSTER/absent" "PrivateKey=$key"
  check "^kvnode: \[TLS\]: $CLUSTER/absent: No such file or directory$"
  configure 1 tls '[TLS]' "Certificate=$certificate" "PrivateKey=$certificate"
  check "certificate.pem: "
  cp "$key" other-key
  make_certificate other
  chmod 640 other-key
  configure 1 tls '[TLS]' "Certificate=$certificate" "PrivateKey=$PWD/other-key"
  check 'key values mismatch'
  configure 1 tls '[TLS]' "Certificate=$certificate" "PrivateKey=$key"
  chmod 644 "$key"
  check "$key: others may read or write what they must not"
}

@test "MinimumVersion=1.3 speaks nothing older" {
  use_tls MinimumVersion=1.3
  start_node 1
  own=$(key_owned_by 1 own)
  assert_equal 404 "$(http --output body --write-out '%{http_code}' "$(url 1 "$own")")"
  run ! http --tls-max 1.2 "$(url 1 "$own")"
}

@test "handshakes that are nonsense, broken off or never ended cost nobody else anything" {
  configure 1 limits '[Limits]' HeaderTimeout=2s
  start_node 1
  own=$(key_owned_by 1 own)
  http --fail --upload-file "$certificate" "$(url 1 "$own")"
  for bytes in '\x16' '\x16\x03\x01' '\x16\x03\x01\xff\xff' '\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00' '\x16GET / HTTP/1.1\r\n\r\n'; do
    raw 1 "$bytes" >answer || true
    # Nothing but an alert, if anything.
    if [[ -s answer ]]; then assert_equal 15 "$(head -c 1 answer | xxd -p)"; fi
  done
  /usr/bin/python3 -c '
import socket, time
held = [socket.create_connection(("127.0.0.1", 7776)) for _ in range(200)]
for s in held: s.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
open("held", "w").close()
for s in held:
    s.settimeout(20)
    while s.recv(1000): pass
' 3>&- &
  holder=$!
  eventually 10 test -e held
  for _ in {1..10}; do http --fail "$(url 1 "$own")" | cmp - "$certificate"; done
  # Each is closed when its time is over.
  wait "$holder"
  eventually 10 has_metric 1 'kvnode_connections' 0
  http --fail "$(url 1 "$own")" | cmp - "$certificate"
}

# tls_script ARGUMENT...: Python on standard input, with `connect()` for an encrypted connection to node 1.
tls_script() {
  { cat <<'PY'; cat; } | timeout 60 /usr/bin/python3 - "$certificate" "$@"
import os, select, signal, socket, ssl, sys
context = ssl.create_default_context(cafile=sys.argv[1])
def connect():
    raw = socket.create_connection(("127.0.0.1", 7776), timeout=30)
    return context.wrap_socket(raw, server_hostname="127.0.0.1", suppress_ragged_eofs=False)
PY
}

@test "clients that stay after an answer that was the last cost no thread" {
  start_node 1
  own=$(key_owned_by 1 own)
  tls_script "$own" <<'PY'
held = []
for _ in range(8):
    client = connect()
    client.sendall(f"PUT /{sys.argv[2]} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 70000\r\nExpect: 100-continue\r\n\r\n".encode())
    assert client.recv(1000).startswith(b"HTTP/1.1 100 ")
    client.sendall(b"x" * 70000)
    assert client.recv(1000)[9:12] in (b"201", b"204")
    held.append(client)
for _ in range(4):
    other = connect()
    other.sendall(b"GET /?health HTTP/1.1\r\nHost: a\r\n\r\n")
    assert other.recv(1000).startswith(b"HTTP/1.1 200 ")
PY
}

@test "handshakes that are not ended leave newcomers an answer, and their places" {
  configure 1 limits '[Limits]' MaxConnections=16
  start_node 1
  tls_script <<'PY'
held = []
for _ in range(110):
    client = socket.create_connection(("127.0.0.1", 7776), timeout=30)
    client.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
    held.append(client)
# All but those that have a place and those that may wait for one are made to go, and must have gone.
gone = set()
while len(gone) < 110 - 16 - 32:
    ready = select.select([client for client in held if client not in gone], [], [], 30)[0]
    assert ready, len(gone)
    gone.update(ready)
for _ in range(10):
    newcomer = socket.create_connection(("127.0.0.1", 7776), timeout=30)
    newcomer.sendall(b"GET /?health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    answer = newcomer.recv(1000)
    assert answer.startswith(b"HTTP/1.1 "), answer
PY
}

@test "a client that has connected before a node stops is served as without a certificate" {
  start_node 1
  tls_script "$(node_pid 1)" <<'PY'
import time
client = socket.create_connection(("127.0.0.1", 7776), timeout=30)
other = connect()
other.sendall(b"GET /?health HTTP/1.1\r\nHost: a\r\n\r\n")
assert other.recv(1000).startswith(b"HTTP/1.1 200 ")
os.kill(int(sys.argv[2]), signal.SIGTERM)
# The node has heard of it when it closes what waits for a next request.
try:
    assert other.recv(1000) == b""
except (ssl.SSLError, ConnectionError):
    pass
client.sendall(b"GET /?health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
answer = client.recv(1000)
assert answer.startswith(b"HTTP/1.1 "), answer
PY
}

@test "an end that nobody has announced takes nothing away from what came before it" {
  start_node 1
  own=$(key_owned_by 1 own)
  tls_script "$own" <<'PY'
for attempt in range(20):
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = context.wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
    raw = socket.create_connection(("127.0.0.1", 7776), timeout=30)
    while True:
        try:
            session.do_handshake()
            break
        except ssl.SSLWantReadError:
            raw.sendall(outgoing.read())
            incoming.write(raw.recv(65536))
    raw.sendall(outgoing.read())
    session.write(f"PUT /{sys.argv[2]} HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc".encode())
    # Both arrive in one segment, before the node looks.
    raw.setsockopt(socket.IPPROTO_TCP, 3, 1)
    raw.sendall(outgoing.read())
    raw.shutdown(socket.SHUT_WR)
    answer = b""
    while not answer:
        piece = raw.recv(65536)
        assert piece, f"no answer at attempt {attempt}"
        incoming.write(piece)
        try:
            answer = session.read(1000)
        except ssl.SSLWantReadError:
            pass
    assert answer[9:12] in (b"201", b"204"), answer
PY
}
