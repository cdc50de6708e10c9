# What nodes tell each other, encrypted, and which of them is believed to be one.

# shellcheck disable=SC2030,SC2031,SC2154 # support.bash and bats set variables, and every test is a subshell.

load support
load certificates

setup() {
  cd "$BATS_TEST_TMPDIR" || return
  prepare_test_cluster
  mkdir "$CLUSTER/pem"
  make_authority ours
  for node in "${NODES[@]}"; do
    make_certificate "$node" ours "IP:127.0.0.$node"
    use_tls "$node"
  done
}

teardown() { kill_cluster; }

reload() {
  local count
  count=$(grep -c 'configuration reloaded' "$CLUSTER/node$1.log" || true)
  kill -HUP "$(node_pid "$1")"
  eventually 10 reloaded_more_than "$1" "$count"
}

reloaded_more_than() { (($(grep -c 'configuration reloaded' "$CLUSTER/node$1.log") > $2)); }

# Every node stores for every owner, and every node reads it.
all_serve() {
  local node other key
  for node in "${NODES[@]}"; do
    key=$(key_owned_by "$node" "step$1-")
    for other in "${NODES[@]}"; do
      assert_equal "$key" "$(put "$other" "$key" value)"
      get "$other" "$key" | cmp - value
    done
  done
}

# ask N CURL-ARGUMENT...: prints the status; the answer is in `body`.
ask() {
  curl --silent --max-time 30 --output body --write-out '%{http_code}' --cacert "$CLUSTER/pem/ours.pem" "${@:2}" \
    "https://127.0.0.1:7776/$1"
}

# ask_as NAME KEY: asks as node 2 does, with the certificate of that name; prints the status, and the answer is in `body`.
ask_as() {
  printf 'GET /%s HTTP/1.1\r\nHost: x\r\nKvnode-Relayed-By: node2\r\nKvnode-Peers: %s\r\nConnection: close\r\n\r\n' \
    "$2" "$(fingerprint 1)" |
    timeout 30 openssl s_client -quiet -alpn kvnode -connect 127.0.0.1:7776 -CAfile "$CLUSTER/pem/ours.pem" \
      -cert "$CLUSTER/pem/$1.pem" -key "$CLUSTER/pem/$1.key" >body 2>openssl.log || true
  sed -n '1s,HTTP/1.1 \([0-9]*\).*,\1,p' body
}

# claims N: the fields of a request that node N relays.
claims() { printf '%s\n' -H "Kvnode-Relayed-By: node$1" -H "Kvnode-Peers: $(fingerprint 1)"; }

@test "nodes come to encrypt one by one, and then all must, without a request that fails" {
  random_file value 300000
  start_cluster
  all_serve 0
  step=1
  for peers in accepted required accepted no; do
    for node in "${NODES[@]}"; do
      use_tls "$node" "Peers=$peers"
      reload "$node"
      all_serve $step
      step=$((step + 1))
    done
    if [[ $peers == required ]]; then
      assert_equal 403 "$(ask "$(key_owned_by 1 own)" -H 'Kvnode-Relayed-By: node2' -H "Kvnode-Peers: $(fingerprint 1)")"
      curl --silent "http://127.0.0.2:7776/?list" >list
      assert_matches '"values":\[' "$(cat list)"
    fi
  done
}

@test "a node is who shows the certificate of the node that it claims to be" {
  for node in "${NODES[@]}"; do use_tls "$node" Peers=required; done
  make_authority theirs
  make_certificate 9 theirs IP:127.0.0.2
  make_certificate client ours DNS:client
  make_certificate named ours DNS:node2
  start_cluster
  random_file value 300000
  all_serve 1
  own=$(key_owned_by 1 own)
  put 1 "$own" value
  mapfile -t marks < <(claims 2)
  assert_equal 200 "$(ask_as 2 "$own")"
  assert_equal 200 "$(ask_as named "$own")"
  assert_equal 403 "$(ask_as 3 "$own")"
  assert_equal "GET $own: node2 shows no certificate of its own (Peers= in [TLS])" "$(tail -1 body)"
  assert_equal 403 "$(ask_as client "$own")"
  assert_equal '' "$(ask_as 9 "$own")"
  grep -q 'alert unknown ca' openssl.log
  assert_equal 403 "$(ask "$own" "${marks[@]}")"
  assert_equal 403 "$(curl --silent --output body --write-out '%{http_code}' "${marks[@]}" "http://127.0.0.1:7776/$own")"
  # Who does not speak as nodes do is not asked for one.
  assert_equal 403 "$(ask "$own" "${marks[@]}" --cert "$CLUSTER/pem/2.pem" --key "$CLUSTER/pem/2.key")"
  # Clients need none, and one that has been shown a certificate of a node is a client all the same.
  assert_equal 200 "$(ask "$own")"
  assert_equal 200 "$(ask "$own" --cert "$CLUSTER/pem/client.pem" --key "$CLUSTER/pem/client.key")"
  assert_equal 200 "$(curl --silent --output body --write-out '%{http_code}' "http://127.0.0.1:7776/$own")"
}

@test "kvctl cert init makes what a cluster needs, and once only" {
  run "${KVNODE%/*}/kvctl" cert init made --config "$CLUSTER/node1.conf"
  assert_equal 0 "$status"
  assert_equal "authority node1 node2 node3 node4" "$(sed 's,^made/,,; s,\.pem$,,' <<<"$output" | paste -sd' ')"
  assert_equal 600 "$(stat -c %a made/*.key | sort -u)"
  for node in "${NODES[@]}"; do
    openssl verify -x509_strict -CAfile made/authority.pem "made/node$node.pem"
    configure "$node" tls '[TLS]' "Certificate=$PWD/made/node$node.pem" "PrivateKey=$PWD/made/node$node.key" \
      Peers=required "PeerAuthorities=$PWD/made/authority.pem" Required=clients
  done
  start_cluster
  random_file value 300000
  own=$(key_owned_by 3 own)
  curl --silent --fail --cacert made/authority.pem --upload-file value "https://127.0.0.1:7776/$own"
  "${KVNODE%/*}/kvctl" --node https://127.0.0.2 --ca made/authority.pem cat "$own" | cmp - value
  cp -a made before
  run "${KVNODE%/*}/kvctl" cert init made --config "$CLUSTER/node1.conf"
  assert_equal "0 " "$status $output"
  diff -r before made
  # What broke off, or is for a new host, is made.
  rm made/node2.key
  "${KVNODE%/*}/kvctl" cert init made --days 3 --config "$CLUSTER/node1.conf"
  openssl verify -x509_strict -CAfile made/authority.pem made/node2.pem
  run ! openssl x509 -in made/node2.pem -noout -checkend 345600
  echo nonsense >made/authority.key
  rm made/node2.key
  run "${KVNODE%/*}/kvctl" cert init made --config "$CLUSTER/node1.conf"
  assert_equal 1 "$status"
  assert_matches "^kvctl: the authority's key: " "$output"
}

@test "a node with a certificate for another host is not talked to, and the reason is told" {
  for node in "${NODES[@]}"; do use_tls "$node" Peers=required; done
  make_certificate 1 ours IP:127.0.0.9
  start_cluster
  own=$(key_owned_by 1 own)
  assert_equal "ERROR: GET $own: node1 (127.0.0.1:7776) cannot be reached: the certificate: IP address mismatch" \
    "$(get 2 "$own")"
}

@test "copies, repair and listings go encrypted" {
  for node in "${NODES[@]}"; do use_tls "$node" Peers=required; done
  configure all cluster '[Cluster]' Replicas=3
  configure all limits '[Limits]' ConnectTimeout=1s
  rm -rf "$CLUSTER"/node?
  start_cluster
  eventually 60 has_layout_everywhere
  random_file value 20000000
  for node in "${NODES[@]}"; do
    put "$node" "key$node" value
    for other in "${NODES[@]}"; do get "$other" "key$node" | cmp - value; done
  done
  kill -KILL "$(node_pid 2)"
  for node in 1 3 4; do
    put "$node" "late$node" value
    for other in 1 3 4; do get "$other" "late$node" | cmp - value; done
  done
  start_node 2
  for node in 1 3 4; do get 2 "late$node" | cmp - value; done
  assert_equal 7 "$(curl --silent 'http://127.0.0.2:7776/?list' | jq '.values | length')"
  eventually 90 nothing_is_missing
}

has_layout_everywhere() {
  local node
  for node in "${NODES[@]}"; do
    [[ $(curl --silent "http://$(node_address "$node"):$PORT/?status" | jq -r '.layout, .progress') == $'1\nnull' ]] || return 1
  done
}

nothing_is_missing() {
  local node
  for node in "${NODES[@]}"; do has_metric "$node" kvnode_keys_behind 0 || return 1; done
}
