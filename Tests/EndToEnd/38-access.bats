# Who may do what: tokens over both dialects and through every node, the cluster's secret, and kvctl token.

# shellcheck disable=SC2154 # support.bash and bats set variables, and every test is a subshell.

load support

KVCTL=${KVCTL:-${KVNODE%/*}/kvctl}

setup() {
  unset KVNODE_TOKEN KVNODE_TOKEN_FILE
  cd "$BATS_TEST_TMPDIR" || return
  prepare_test_cluster
  tokens=$CLUSTER/tokens
  secret=$CLUSTER/secret
  head -c 32 /dev/urandom | base64 >"$secret"
  chmod 640 "$secret"
  : >"$tokens"
  configure all access '[Access]' "Tokens=$tokens" Anonymous=none '[Cluster]' "Secret=$secret"
}

teardown() { kill_cluster; }

# new_token NAME ARGUMENT...: prints the token.
new_token() { "$KVCTL" token new "$@" --config "$CLUSTER/node1.conf" 2>told; }

# http TOKEN CURL-ARGUMENT...: prints the status; the answer is in `body`, its head in `fields`.
http() {
  curl --silent --max-time 30 --output body --dump-header fields --write-out '%{http_code}' \
    ${1:+-H "Authorization: Bearer $1"} "${@:2}"
}

url() { echo "http://127.0.0.$1:7776/$2"; }

reload() {
  local node count
  for node in "$@"; do
    count=$(grep -c 'configuration reloaded' "$CLUSTER/node$node.log" || true)
    kill -HUP "$(node_pid "$node")"
    eventually 10 reloaded_more_than "$node" "$count"
  done
}

reloaded_more_than() { (($(grep -c 'configuration reloaded' "$CLUSTER/node$1.log") > $2)); }

@test "a token opens what it allows, by HTTP and classic, through every node, and nothing else" {
  token=$(new_token backup --allow read,write --prefix backup/)
  assert_matches '^kvnode_[0-9a-f]{64}$' "$token"
  assert_matches "^kvctl: $tokens has backup now; " "$(cat told)"
  assert_matches '^backup=sha256:[0-9a-f]{64} read,write:backup/$' "$(cat "$tokens")"
  start_cluster
  for node in "${NODES[@]}"; do
    assert_equal 201 "$(http "$token" --upload-file "$tokens" "$(url "$node" "backup/$node")")"
    for other in "${NODES[@]}"; do
      assert_equal 200 "$(http "$token" "$(url "$other" "backup/$node")")"
      cmp body "$tokens"
      raw "$other" "AUTH $token\nGET backup/$node\n" | cmp - "$tokens"
    done
    assert_equal "backup/c$node" "$(raw "$node" "AUTH $token\r\nPUT backup/c$node\r\nvalue")"
    assert_equal 200 "$(curl --silent --output /dev/null --write-out '%{http_code}' -u "backup:$token" "$(url "$node" "backup/c$node")")"
    assert_equal 200 "$(curl --silent --output /dev/null --write-out '%{http_code}' -u ":$token" "$(url "$node" "backup/c$node")")"
    assert_equal 401 "$(curl --silent --output /dev/null --write-out '%{http_code}' -u "else:$token" "$(url "$node" "backup/c$node")")"
    # Nothing tells whether there is such a key.
    for key in "backup/$node" backup/absent; do
      assert_equal 403 "$(http "$token" --request DELETE "$(url "$node" "$key")")"
      assert_equal "DEL $key: the token backup lacks delete permission" "$(cat body)"
    done
    assert_equal 403 "$(http "$token" "$(url "$node" other)")"
    assert_equal 403 "$(http "$token" "$(url "$node" "?list")")"
    assert_equal 403 "$(http "$token" "$(url "$node" "backup/?list")")"
    assert_equal 403 "$(http "$token" "$(url "$node" "?status")")"
    assert_equal "ERROR: GET other: the token backup lacks read permission" \
      "$(raw "$node" "AUTH $token\nGET other\n")"
  done
}

@test "without a token, or with a wrong one, nothing is told and nothing is done" {
  token=$(new_token all --allow all)
  start_cluster
  assert_equal 201 "$(http "$token" --upload-file "$tokens" "$(url 1 there)")"
  for node in "${NODES[@]}"; do
    for key in there absent; do
      for method in GET DELETE; do
        assert_equal 401 "$(http '' --request "$method" "$(url "$node" "$key")")"
      done
      assert_equal 401 "$(http '' --upload-file "$tokens" "$(url "$node" "$key")")"
      assert_equal 401 "$(http kvnode_wrong "$(url "$node" "$key")")"
      assert_equal "ERROR: GET $key: a token is needed (Authorization: Bearer, or a line AUTH and the token before the request)" \
        "$(raw "$node" "GET $key\n")"
      assert_equal "ERROR: PUT $key: the token is not known here" "$(raw "$node" "AUTH x\nPUT $key\nvalue")"
    done
    assert_equal 401 "$(http '' "$(url "$node" "?list")")"
    assert_equal 401 "$(http '' "$(url "$node" "?status")")"
    assert_equal 401 "$(http '' "$(url "$node" "?layout")")"
    # Whoever chooses among nodes need not be known.
    assert_equal 200 "$(http '' "$(url "$node" "?health")")"
  done
  assert_equal 401 "$(http '' "$(url 1 there)")"
  assert_matches $'WWW-Authenticate: Bearer realm="kvnode"\r' "$(cat fields)"
  assert_matches $'WWW-Authenticate: Basic realm="kvnode", charset="UTF-8"\r' "$(cat fields)"
  assert_equal 200 "$(http "$token" "$(url 2 there)")"
  cmp body "$tokens"
}

@test "a line AUTH that no request follows is an error, never a silent success" {
  token=$(new_token all --allow all)
  start_node 1
  assert_equal "ERROR: the connection ended inside the request" "$(raw 1 "AUTH $token\n")"
  assert_equal "ERROR: AUTH is followed by a token, and the request by a line of its own" "$(raw 1 "AUTH\nGET k\n")"
  assert_equal "ERROR: AUTH is followed by a token, and the request by a line of its own" "$(raw 1 "AUTH $token GET k\n")"
  assert_matches '^ERROR: ' "$(raw 1 "AUTH $token\nAUTH $token\nGET k\n")"
  assert_matches '^ERROR: ' "$(raw 1 "AUTH $token\n\nGET k\n")"
  assert_matches '^ERROR: the first line is longer' "$(raw 1 "AUTH $token\n$(printf 'x%.0s' {1..5000})")"
}

@test "a reload takes tokens in, withdraws them and ends them; the log has their names and never their text" {
  configure all log '[Node]' AccessLog=yes
  start_node 1
  token=$(new_token late --allow read,write,delete)
  own=$(key_owned_by 1 own)
  assert_equal 401 "$(http "$token" "$(url 1 "$own")")"
  reload 1
  assert_equal 404 "$(http "$token" "$(url 1 "$own")")"
  eventually 10 grep -q ' op=GET .*token=late' "$CLUSTER/node1.log"
  sed -i 's/$/ until=2020-01-01/' "$tokens"
  reload 1
  assert_equal 401 "$(http "$token" "$(url 1 "$own")")"
  assert_equal "GET $own: the token late was good until 2020-01-01" "$(cat body)"
  : >"$tokens"
  reload 1
  assert_equal 401 "$(http "$token" "$(url 1 "$own")")"
  assert_equal "GET $own: the token is not known here" "$(cat body)"
  if grep -q "$token" "$CLUSTER/node1.log"; then return 1; fi
}

@test "a tokens' file that cannot be used, or that others can write to, is refused, and the old one stays in force" {
  token=$(new_token all --allow all)
  start_node 1
  own=$(key_owned_by 1 own)
  echo "broken=$token read" >>"$tokens"
  kill -HUP "$(node_pid 1)"
  eventually 10 grep -q "$tokens:2: expected sha256: and the 64" "$CLUSTER/node1.log"
  assert_equal 404 "$(http "$token" "$(url 1 "$own")")"
  sed -i '$d' "$tokens"
  chmod g+w "$tokens"
  run "$KVNODE" --config "$CLUSTER/node1.conf" --check-config
  assert_equal 78 "$status"
  assert_equal "kvnode: $tokens: others may read or write what they must not: expected what chmod go-w leaves" "$output"
  chmod g-w "$tokens"
  chmod o+r "$secret"
  run "$KVNODE" --config "$CLUSTER/node1.conf" --check-config
  assert_equal "kvnode: $secret: others may read or write what they must not: expected what chmod g-w,o-rwx leaves" "$output"
}

@test "Anonymous= says what may be done without a token, and without it the host itself may do everything" {
  configure all access '[Access]' "Tokens=$tokens" 'Anonymous=read:public/ list:public/' '[Cluster]' "Secret=$secret"
  token=$(new_token all --allow all)
  start_cluster
  for key in public/a private; do assert_equal 201 "$(http "$token" --upload-file "$secret" "$(url 1 $key)")"; done
  for node in "${NODES[@]}"; do
    assert_equal 200 "$(http '' "$(url "$node" public/a)")"
    assert_equal 200 "$(http '' "$(url "$node" "public/?list")")"
    assert_equal 401 "$(http '' "$(url "$node" private)")"
    assert_equal 401 "$(http '' "$(url "$node" "?list")")"
    assert_equal 401 "$(http '' --upload-file "$secret" "$(url "$node" public/a)")"
  done
  configure all access '[Access]' "Tokens=$tokens" '[Cluster]' "Secret=$secret"
  reload "${NODES[@]}"
  # Every address of this network is this host's own, but only one is the one that is asked.
  assert_equal 200 "$(http '' --interface 127.0.0.1 "$(url 1 private)")"
  configure all access '[Access]' Anonymous=read '[Cluster]' "Secret=$secret"
  reload "${NODES[@]}"
  assert_equal 200 "$(http '' "$(url 2 private)")"
  assert_equal 403 "$(http '' --upload-file "$secret" "$(url 2 private)")"
  assert_equal "PUT private: nobody has write permission (Anonymous=)" "$(cat body)"
}

@test "nobody passes for a node who does not know the secret" {
  token=$(new_token all --allow all)
  start_cluster
  own=$(key_owned_by 1 own)
  assert_equal 201 "$(http "$token" --upload-file "$tokens" "$(url 3 "$own")")"
  marks=(-H 'Kvnode-Relayed-By: node2' -H "Kvnode-Peers: $(fingerprint 1)")
  forged="Kvnode-Signature: $(printf '0%.0s' {1..32}) $(printf '0%.0s' {1..64})"
  for signature in 'X-Nothing: at all' 'Kvnode-Signature: x' "$forged"; do
    assert_equal 403 "$(http '' "${marks[@]}" -H "$signature" "$(url 1 "$own")")"
    assert_equal "GET $own: node2 does not show that it knows the secret of node1 (Secret=)" "$(cat body)"
    assert_equal 403 "$(http "$token" "${marks[@]}" -H "$signature" --request DELETE "$(url 1 "$own")")"
    assert_equal 403 "$(http '' "${marks[@]}" -H "$signature" --data x "$(url 1 "?message")")"
  done
  # The nodes understand each other all the same, and a signature is good for no other node and no other message.
  sign() { # sign METHOD TARGET DIGEST NODE
    /usr/bin/python3 - "$secret" "$(fingerprint 1)" "$@" <<'PY'
import hashlib, hmac, sys
file, fingerprint, method, target, digest, node = sys.argv[1:]
nonce = "00" * 16
text = "\n".join([f"{method} {target}", "node2", fingerprint, "", "", digest, nonce, node])
print("Kvnode-Signature:", nonce, hmac.new(open(file).read().strip().encode(), text.encode(), hashlib.sha256).hexdigest())
PY
  }
  answered() { http '' "${marks[@]}" -H "$(sign "${@:1:4}")" "${@:5}"; }
  assert_equal 200 "$(answered GET "/$own" '' node1 "$(url 1 "$own")")"
  assert_equal 403 "$(answered GET "/$own" '' node3 "$(url 1 "$own")")"
  assert_equal 403 "$(answered GET "/$own" '' node1 --request DELETE "$(url 1 "$own")")"
  digest="sha-256=:$(printf x | openssl dgst -sha256 -binary | base64):"
  assert_equal 403 "$(answered POST '/?message' '' node1 --data x "$(url 1 '?message')")"
  assert_equal "MESSAGE: node2 does not sign what it says" "$(cat body)"
  assert_equal 400 "$(answered POST '/?message' "$digest" node1 -H "Content-Digest: $digest" --data y "$(url 1 '?message')")"
  assert_equal "MESSAGE: it is not the one that was signed" "$(cat body)"
  assert_equal 400 "$(answered POST '/?message' "$digest" node1 -H "Content-Digest: $digest" --data x "$(url 1 '?message')")"
  assert_matches '^MESSAGE: ' "$(cat body)"
  assert_equal 200 "$(http "$token" "$(url 2 "$own")")"
}

@test "a secret is brought in, and changed, on a running cluster without a request that fails" {
  configure all access '[Access]' "AllowedPeers=127.0.0.0/8"
  start_cluster
  own=$(key_owned_by 1 own)
  answer() { assert_equal "$own" "$(raw 2 "PUT $own\nvalue")" && assert_equal value "$(raw 3 "GET $own\n")"; }
  answer
  for node in "${NODES[@]}"; do
    (cat "$secret"; echo unsigned) >"$CLUSTER/secret$node"
    chmod 600 "$CLUSTER/secret$node"
    configure "$node" secret '[Cluster]' "Secret=$CLUSTER/secret$node"
    reload "$node"
    answer
  done
  for node in "${NODES[@]}"; do
    cp "$secret" "$CLUSTER/secret$node"
    reload "$node"
    answer
  done
  new=$(head -c 32 /dev/urandom | base64)
  # Each accepts the new one before any signs with it.
  for node in "${NODES[@]}"; do echo "$new" >>"$CLUSTER/secret$node"; reload "$node"; answer; done
  for node in "${NODES[@]}"; do (echo "$new"; cat "$secret") >"$CLUSTER/secret$node"; reload "$node"; answer; done
  for node in "${NODES[@]}"; do echo "$new" >"$CLUSTER/secret$node"; reload "$node"; answer; done
  assert_equal 403 "$(http '' -H 'Kvnode-Relayed-By: node2' -H "Kvnode-Peers: $(fingerprint 1)" "$(url 1 "$own")")"
}

@test "while unsigned requests pass, tokens need the addresses of the nodes, and the node says so" {
  echo unsigned >>"$secret"
  run "$KVNODE" --config "$CLUSTER/node1.conf" --check-config
  assert_equal 78 "$status"
  assert_equal "kvnode: $secret: unsigned: expected AllowedPeers= beside it, where Tokens= or Anonymous= is set" "$output"
  configure all addresses '[Access]' AllowedPeers=127.0.0.0/24
  run "$KVNODE" --config "$CLUSTER/node1.conf" --check-config
  assert_matches "kvnode: warning: $secret: nodes that sign nothing are accepted too \(unsigned\)" "$output"
}

@test "another secret on one node is the nodes' fault, and told to clients as such" {
  token=$(new_token all --allow all)
  head -c 32 /dev/urandom | base64 >"$CLUSTER/other"
  chmod 600 "$CLUSTER/other"
  start_cluster
  own=$(key_owned_by 1 own)
  configure 1 zz '[Cluster]' "Secret=$CLUSTER/other"
  reload 1
  assert_equal 503 "$(http "$token" "$(url 2 "$own")")"
  assert_equal "GET $own: node2 does not show that it knows the secret of node1 (Secret=)" "$(cat body)"
  eventually 10 grep -q "warning.*refused: GET $own: node2 does not show" "$CLUSTER/node2.log"
  assert_equal 404 "$(http "$token" "$(url 1 "$own")")"
}

@test "a claim to be a node takes no node's place, and a wrong token does not stop a health check" {
  token=$(new_token all --allow all)
  start_node 1
  own=$(key_owned_by 1 own)
  /usr/bin/python3 -c '
import socket, sys
held = []
for _ in range(20):
    s = socket.create_connection(("127.0.0.1", 7776))
    s.sendall(f"GET /{sys.argv[1]} HTTP/1.1\r\nHost: a\r\nKvnode-Relayed-By: node2\r\nKvnode-Peers: x\r\n\r\n".encode())
    assert s.recv(100).startswith(b"HTTP/1.1 403 "), "let in"
    held.append(s)
open("held", "w").close()
sys.stdin.read()
' "$own" < <(eventually 30 test -e counted) 3>&- &
  holder=$!
  eventually 10 test -e held
  assert_metric 1 kvnode_peer_connections 0
  touch counted
  wait "$holder"
  assert_equal 200 "$(http wrong "$(url 1 '?health')")"
  assert_equal 401 "$(http wrong "$(url 1 "$own")")"
}

@test "no log line has a token that was put in the wrong place" {
  token=$(new_token all --allow all)
  start_node 1
  raw 1 "GET $token\n" >/dev/null
  raw 1 "PUT k $token\nvalue" >/dev/null
  http '' "$(url 1 "$token")" >/dev/null
  echo "$token" >>"$tokens"
  kill -HUP "$(node_pid 1)"
  eventually 10 grep -q 'the new configuration is refused' "$CLUSTER/node1.log"
  eventually 10 grep -q 'kvnode_…' "$CLUSTER/node1.log"
  if grep -q "$token" "$CLUSTER/node1.log"; then return 1; fi
  if curl --silent http://127.0.0.1:7777/healthz | grep "$token"; then return 1; fi
}

@test "tokens in a cluster need a word on who is a node" {
  configure all access '[Access]' "Tokens=$tokens"
  run "$KVNODE" --config "$CLUSTER/node1.conf" --check-config
  assert_equal 78 "$status"
  assert_matches 'expected Secret= in \[Cluster\], Peers=required in \[TLS\] or AllowedPeers= beside it' "$output"
}

@test "kvctl shows a token from a file or the environment, and refuses a file that others can read" {
  new_token all --allow all >token
  chmod 600 token
  start_cluster
  kvctl() { "$KVCTL" "$@" --config "$CLUSTER/node1.conf"; }
  run kvctl put key "$tokens"
  assert_equal 1 "$status"
  assert_matches 'PUT key: a token is needed' "$output"
  kvctl --token-file token put key "$tokens"
  KVNODE_TOKEN_FILE=token kvctl cat key | cmp - "$tokens"
  KVNODE_TOKEN=$(cat token) kvctl ls | grep -q key
  KVNODE_TOKEN=$(cat token) kvctl status >/dev/null
  KVNODE_TOKEN=$(cat token) kvctl layout >/dev/null
  chmod 640 token
  run kvctl --token-file token cat key
  assert_equal 78 "$status"
  assert_equal "kvctl: token: others may read or write the token: expected what chmod 600 leaves" "$output"
}

@test "kvctl token new writes only what a node will read" {
  new_token one --allow read,status --prefix a/ --prefix b%20/ --until 2027-06-30 >token
  assert_matches '^one=sha256:[0-9a-f]{64} read:a/ read:b%20/ status until=2027-06-30$' "$(cat "$tokens")"
  cp "$tokens" before
  kvctl() { "$KVCTL" "$@" --config "$CLUSTER/node1.conf"; }
  for arguments in 'one --allow read' 'two --allow none' 'two --allow read --until 2020-01-01' 'two --allow read:a --prefix b' 'two --allow reads' 'two --allow read --until tomorrow' 't/o --allow read' \
    'two --allow read --prefix %G0' 'two --allow status:a'; do
    # shellcheck disable=SC2086 # Words are meant.
    run --separate-stderr kvctl token new $arguments
    ((status != 0))
    assert_equal '' "$output"
    assert_equal 1 "$(wc -l <<<"$stderr")"
    cmp before "$tokens"
  done
  for prefix in '' 'docs all' $'a\tall'; do
    run ! kvctl token new two --allow read --prefix "$prefix"
    cmp before "$tokens"
  done
  chmod g+w "$tokens"
  run --separate-stderr kvctl token new two --allow read
  assert_equal "78 kvctl: $tokens: a node refuses it: expected what chmod go-w leaves" "$status $stderr"
  chmod g-w "$tokens"
  cmp before "$tokens"
  # Many at once each get their line.
  makers=()
  for number in {1..20}; do
    kvctl token new "many$number" --allow read >"made$number" 2>/dev/null 3>&- &
    makers+=($!)
  done
  wait "${makers[@]}"
  assert_equal 21 "$(wc -l <"$tokens")"
  assert_equal 20 "$(grep -c '^many[0-9]*=sha256:[0-9a-f]\{64\} read$' "$tokens")"
  printf '# no end' >>"$tokens"
  new_token two --allow all --prefix c >token
  assert_matches 'two=sha256:[0-9a-f]{64} read,write,delete,list:c status' "$(tail -n 1 "$tokens")"
}

@test "wrong tokens again and again are answered, and hold up nobody with a right one" {
  token=$(new_token all --allow all)
  start_node 1
  own=$(key_owned_by 1 own)
  wrong=()
  for _ in {1..12}; do
    curl --silent --max-time 60 --output /dev/null -H 'Authorization: Bearer wrong' "$(url 1 "$own")" &
    wrong+=($!)
  done
  for _ in {1..20}; do assert_equal 404 "$(http "$token" "$(url 1 "$own")")"; done
  wait "${wrong[@]}"
  assert_metric 1 'kvnode_requests_refused_total{status="401"}' 12
}
