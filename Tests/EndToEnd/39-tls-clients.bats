# Certificates that stand for tokens, who must encrypt, and the admin port with both.

# shellcheck disable=SC2030,SC2031,SC2154 # support.bash and bats set variables, and every test is a subshell.

load support
load certificates

setup() {
  cd "$BATS_TEST_TMPDIR" || return
  prepare_test_cluster
  KVCTL=${KVNODE%/*}/kvctl
  mkdir "$CLUSTER/pem"
  make_authority hosts
  make_authority people
  for node in "${NODES[@]}"; do make_certificate "$node" hosts "IP:127.0.0.$node"; done
  tokens=$CLUSTER/tokens
  token_of backup read,write
  token_of watch status
  use_tls
  configure all access '[Access]' "Tokens=$tokens" Anonymous=none AdminTokens=yes
}

teardown() { kill_cluster; }

# token_of NAME PERMISSIONS: adds one whose text is NAME.
token_of() { echo "$1=sha256:$(printf %s "$1" | sha256sum | cut -d' ' -f1) $2" >>"$tokens"; }

# use_tls LINE...: with the nodes' certificates, and further lines of [TLS].
use_tls() {
  for node in "${NODES[@]}"; do
    configure "$node" tls '[TLS]' "Certificate=$CLUSTER/pem/$node.pem" "PrivateKey=$CLUSTER/pem/$node.key" \
      "PeerAuthorities=$CLUSTER/pem/hosts.pem" Peers=required "ClientAuthorities=$CLUSTER/pem/people.pem" "$@"
  done
}

# http CURL-ARGUMENT...: prints the status; the answer is in `body`.
http() {
  : >body
  curl --silent --max-time 30 --output body --write-out '%{http_code}' --cacert "$CLUSTER/pem/hosts.pem" "$@"
}

# as NAME CURL-ARGUMENT...: with the certificate of that name.
as() { http --cert "$CLUSTER/pem/$1.pem" --key "$CLUSTER/pem/$1.key" "${@:2}"; }

url() { echo "https://127.0.0.$1:7776/$2"; }

@test "a client's certificate does what the token of its name may, and nothing else" {
  for name in backup other; do make_certificate "$name" people "DNS:$name"; done
  start_cluster
  echo value >value
  for node in "${NODES[@]}"; do
    assert_equal 201 "$(as backup --upload-file value "$(url "$node" "key$node")")"
    for version in 1.2 1.3; do
      assert_equal 200 "$(as backup --tls-max "$version" "$(url 1 "key$node")")"
      cmp body value
    done
    assert_equal 403 "$(as backup --request DELETE "$(url "$node" "key$node")")"
    assert_equal "DEL key$node: the token backup lacks delete permission" "$(cat body)"
    # What is shown besides counts for more.
    assert_equal 401 "$(as backup -H 'Authorization: Bearer wrong' "$(url "$node" "key$node")")"
  done
  # No token has this name.
  assert_equal 401 "$(as other "$(url 1 key1)")"
  token_of other read
  kill -HUP "$(node_pid 1)"
  eventually 10 grep -q 'configuration reloaded' "$CLUSTER/node1.log"
  assert_equal 200 "$(as other "$(url 1 key1)")"
  # By the classic dialect, and as kvctl shows it.
  (echo "GET key1"; sleep 1) | openssl s_client -quiet -connect 127.0.0.1:7776 -cert "$CLUSTER/pem/backup.pem" \
    -key "$CLUSTER/pem/backup.key" 2>/dev/null | cmp - value
  chmod 600 "$CLUSTER/pem/backup.key"
  "$KVCTL" --node 127.0.0.2 --ca "$CLUSTER/pem/hosts.pem" --cert "$CLUSTER/pem/backup.pem" \
    --key "$CLUSTER/pem/backup.key" cat key1 | cmp - value
  chmod 640 "$CLUSTER/pem/backup.key"
  run "$KVCTL" --node 127.0.0.2 --ca "$CLUSTER/pem/hosts.pem" --cert "$CLUSTER/pem/backup.pem" \
    --key "$CLUSTER/pem/backup.key" cat key1
  assert_matches "backup.key: others may read or write the key" "$output"
  run "$KVCTL" --node 127.0.0.2 --cert "$CLUSTER/pem/backup.pem" cat key1
  assert_matches '--cert and --key need each other' "$output"
}

@test "a certificate is worth what its authority is: no client passes for a node, and no node for a client" {
  make_certificate backup hosts IP:127.0.0.2
  mkdir foreign
  mv "$CLUSTER"/pem/backup.* foreign
  make_certificate second people IP:127.0.0.2
  make_certificate node2 people DNS:node2
  start_cluster
  own=$(key_owned_by 1 own)
  mark=(-H 'Kvnode-Relayed-By: node2' -H "Kvnode-Peers: $(fingerprint 1)")
  assert_equal 404 "$(as 2 "${mark[@]}" "$(url 1 "$own")")"
  for name in second node2; do
    assert_equal 403 "$(as "$name" "${mark[@]}" "$(url 1 "$own")")"
    assert_equal "GET $own: node2 shows no certificate of its own (Peers= in [TLS])" "$(cat body)"
  done
  mv foreign/* "$CLUSTER/pem"
  assert_equal 401 "$(as backup "$(url 1 "$own")")"
}

@test "a session that is taken up again has what the certificate said, from an authority in between too" {
  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=between \
    -keyout "$CLUSTER/pem/between.key" -out between.csr 2>openssl.log
  openssl x509 -req -in between.csr -days 30 -CA "$CLUSTER/pem/people.pem" -CAkey "$CLUSTER/pem/people.key" \
    -extfile <(echo basicConstraints=critical,CA:TRUE) -out "$CLUSTER/pem/between.pem" 2>>openssl.log
  make_certificate backup between DNS:backup
  cat "$CLUSTER/pem/between.pem" >>"$CLUSTER/pem/backup.pem"
  start_cluster
  echo value >value
  assert_equal 201 "$(as backup --upload-file value "$(url 1 key)")"
  for version in tls1_2 tls1_3; do
    for session in -sess_out -sess_in; do
      # The ticket of TLS 1.3 comes with the answer.
      (printf 'GET /key HTTP/1.1\r\nHost: x\r\n\r\n'; sleep 1; printf 'GET /key HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n') |
        openssl s_client -$version -quiet -connect 127.0.0.1:7776 -cert "$CLUSTER/pem/backup.pem" \
          -cert_chain "$CLUSTER/pem/between.pem" -key "$CLUSTER/pem/backup.key" $session "$version" >answer 2>/dev/null
      assert_equal 2 "$(grep -c '^HTTP/1.1 200' answer)"
    done
  done
  admin_metric='kvnode_tls_handshakes_total{resumed="yes"}'
  assert_equal 2 "$(curl --silent -H 'Authorization: Bearer watch' http://127.0.0.1:7777/metrics | sed -n "s/^$admin_metric //p")"
}

@test "nodes go on with earlier sessions among themselves" {
  start_cluster
  random_file value 3000000
  key=$(key_owned_by 2 far)
  assert_equal 201 "$(http -H 'Authorization: Bearer backup' --upload-file value "$(url 1 "$key")")"
  assert_equal 200 "$(http -H 'Authorization: Bearer backup' "$(url 1 "$key")")"
  # More at once than there are connections from before.
  readers=()
  for _ in {1..8}; do
    http -H 'Authorization: Bearer backup' --limit-rate 3M "$(url 1 "$key")" --output /dev/null &
    readers+=($!)
  done
  wait "${readers[@]}"
  curl --silent -H 'Authorization: Bearer watch' http://127.0.0.2:7777/metrics >metrics
  (($(sed -n 's/^kvnode_tls_handshakes_total{resumed="yes"} //p' metrics) > 0))
}

@test "Required=all turns away nodes, and other hosts at the admin port, that do not encrypt" {
  use_tls Required=all
  for node in "${NODES[@]}"; do
    configure "$node" admin '[Node]' "AdminListen=0.0.0.0:1777$node" '[Limits]' ConnectTimeout=2s
  done
  start_cluster
  own=$(key_owned_by 1 own)
  bearer=(-H 'Authorization: Bearer backup')
  assert_equal 404 "$(http "${bearer[@]}" "$(url 1 "$own")")"
  assert_equal 403 "$(http "${bearer[@]}" "http://127.0.0.1:7776/$own")"
  assert_equal 403 "$(http -H 'Kvnode-Relayed-By: node2' -H "Kvnode-Peers: $(fingerprint 1)" "http://127.0.0.1:7776/$own")"
  assert_equal "GET $own: the connection must be encrypted (Required= in [TLS])" "$(cat body)"
  assert_equal 200 "$(http 'http://127.0.0.1:7776/?health')"
  watch=(-H 'Authorization: Bearer watch')
  assert_equal 200 "$(http "${watch[@]}" http://127.0.0.1:17771/status)"
  use_tls Required=all Peers=no
  run "$KVNODE" --config "$CLUSTER/node1.conf" --check-config
  assert_equal 78 "$status"
  assert_matches 'Required=all: expected Peers=accepted or Peers=required in \[TLS\] beside it' "$output"
}

@test "the admin port takes tokens and TLS" {
  token_of chief all
  make_certificate chief people DNS:chief
  start_cluster
  nothing='LAYOUT: no change is under way'
  for scheme in http https; do
    place=$scheme://127.0.0.1:7777
    assert_equal 200 "$(http "$place/healthz")"
    for page in metrics status layout; do
      assert_equal 401 "$(http --dump-header fields "$place/$page")"
      assert_equal "/$page: a token is needed (Authorization: Bearer, or a line AUTH and the token before the request)" "$(cat body)"
      assert_equal 2 "$(grep -ci '^WWW-Authenticate: ' fields)"
      assert_equal 403 "$(http -H 'Authorization: Bearer backup' "$place/$page")"
      assert_equal 200 "$(http -H 'Authorization: Bearer watch' "$place/$page")"
      assert_equal 200 "$(http -u watch:watch "$place/$page")"
    done
    order=(-X POST -H 'Kvnode-Order: cancel' "$place/layout/cancel")
    assert_equal 401 "$(http "${order[@]}")"
    assert_equal 403 "$(http -H 'Authorization: Bearer watch' "${order[@]}")"
    assert_equal "/layout/cancel: the token watch lacks delete permission" "$(cat body)"
    assert_equal 400 "$(http -H 'Authorization: Bearer chief' "${order[@]}")"
    assert_equal "$nothing" "$(cat body)"
  done
  assert_equal 200 "$(as chief https://127.0.0.1:7777/status)"
  run "$KVCTL" layout cancel --config "$CLUSTER/node1.conf" --ca "$CLUSTER/pem/hosts.pem"
  assert_matches 'a token is needed' "$output"
  echo chief >token
  chmod 600 token
  run "$KVCTL" layout cancel --config "$CLUSTER/node1.conf" --ca "$CLUSTER/pem/hosts.pem" --token-file token
  assert_matches "$nothing" "$output"
  # A handshake that is none ends that connection alone.
  printf '\x16nonsense' | timeout 30 nc 127.0.0.1 7777 >nothing || true
  assert_equal 200 "$(http -H 'Authorization: Bearer watch' https://127.0.0.1:7777/status)"
}

@test "kvctl cert client makes certificates for names, by an authority of their own" {
  token_of laptop read,write,list
  run "$KVCTL" cert client made laptop backup
  assert_equal 0 "$status"
  assert_equal "clients laptop backup" "$(sed 's,^made/,,; s,\.pem$,,' <<<"$output" | paste -sd' ')"
  assert_equal 600 "$(stat -c %a made/*.key | sort -u)"
  openssl verify -x509_strict -purpose sslclient -CAfile made/clients.pem made/laptop.pem made/backup.pem
  run ! openssl verify -purpose sslserver -CAfile made/clients.pem made/laptop.pem
  use_tls "ClientAuthorities=$PWD/made/clients.pem"
  start_cluster
  echo value >value
  KVNODE_CERT=made/laptop.pem KVNODE_KEY=made/laptop.key "$KVCTL" --node 127.0.0.3 --ca "$CLUSTER/pem/hosts.pem" put key value
  cp made/backup.* "$CLUSTER/pem"
  assert_equal 200 "$(as backup "$(url 2 key)")"
  for name in clients authority; do
    run "$KVCTL" cert client made "$name"
    assert_equal 1 "$status"
    assert_matches "$name: this name is taken, by an authority's files" "$output"
  done
}

@test "what [TLS] and [Access] say of clients and of the admin port is checked" {
  check() { run "$KVNODE" --config "$CLUSTER/node1.conf" --check-config; }
  check
  assert_equal 0 "$status"
  use_tls "ClientAuthorities=$CLUSTER/pem/none.pem"
  check
  assert_equal 78 "$status"
  assert_matches "none.pem: No such file" "$output"
  use_tls
  configure all access '[Access]' Anonymous=none
  check
  assert_equal 78 "$status"
  assert_matches 'ClientAuthorities=.*: expected Tokens= in \[Access\] beside it' "$output"
  configure all access '[Access]' AdminTokens=yes
  check
  assert_equal 78 "$status"
  assert_matches 'AdminTokens=yes: expected Tokens= beside it' "$output"
}
