# Encrypted connections with programs of others: clients, proxies on either side, and those that look for weaknesses.

# shellcheck disable=SC2030,SC2031,SC2154 # support.bash and bats set variables, and every test is a subshell.

load support
load certificates

setup() {
  proxy=
  cd "$BATS_TEST_TMPDIR" || return
  prepare_test_cluster
  mkdir "$CLUSTER/pem"
  make_authority ours
  for node in "${NODES[@]}"; do
    make_certificate "$node" ours "IP:127.0.0.$node,DNS:node$node"
    use_tls "$node" Peers=accepted
  done
  ca=$CLUSTER/pem/ours.pem
}

teardown() {
  if [[ -n $proxy ]]; then kill "$proxy" 2>/dev/null || true; fi
  kill_cluster
}

url() { echo "https://127.0.0.$1:7776/$2"; }

# require PROGRAM
require() { command -v "$1" >/dev/null || skip "$1 is not installed"; }

@test "wget, and Python's requests, store and fetch" {
  start_cluster
  random_file value 10000000
  /usr/bin/python3 - "$ca" "$(url 1 requested)" <<'PYTHON'
import sys
import requests

authority, url = sys.argv[1:]
session = requests.Session()
session.trust_env = False
session.verify = authority
with open("value", "rb") as value:
    assert session.put(url, data=value).status_code == 201
answer = session.get(url)
assert answer.content == open("value", "rb").read()
assert session.get(url, headers={"Range": "bytes=5-9"}).content == answer.content[5:10]
assert session.delete(url).status_code == 204
assert session.get(url).status_code == 404
PYTHON
  wget --quiet --ca-certificate="$ca" --method=PUT --body-file=value --output-document=/dev/null "$(url 2 fetched)"
  wget --quiet --ca-certificate="$ca" --output-document=- "$(url 3 fetched)" | cmp - value
  run wget --quiet --output-document=- "$(url 3 fetched)"
  assert_equal 5 "$status"
}

@test "Go stores and fetches, and its sessions are taken up again" {
  require go
  start_cluster
  random_file value 10000000
  cp "$HELPERS/tls_client.go" .
  GOCACHE=$PWD/cache GO111MODULE=off HOME=$PWD go run tls_client.go "$ca" value "$(url 1 gone)" >resumed
  assert_equal "false true" "$(paste -sd' ' resumed)"
  get 4 gone | cmp - value
}

@test "the classic dialect by openssl s_client, ncat and socat" {
  start_cluster
  random_file value 10000000
  size=$(stat -c %s value)
  # Their answers come while they still listen.
  (echo "PUT openssl $size"; cat value; sleep 2) | openssl s_client -quiet -connect 127.0.0.1:7776 2>/dev/null >answer
  assert_equal openssl "$(cat answer)"
  (echo "GET openssl"; sleep 2) | openssl s_client -quiet -connect 127.0.0.2:7776 2>/dev/null | cmp - value
  if command -v ncat >/dev/null; then
    (echo "PUT ncat $size"; cat value) | timeout 60 ncat --ssl --ssl-verify --ssl-trustfile "$ca" --ssl-servername node1 127.0.0.1 7776 >answer
    assert_equal ncat "$(cat answer)"
    echo "GET ncat" | timeout 60 ncat --ssl --ssl-verify --ssl-trustfile "$ca" --ssl-servername node2 127.0.0.2 7776 | cmp - value
  fi
  if command -v socat >/dev/null; then
    (echo "PUT socat $size"; cat value) | timeout 60 socat -t 30 - "OPENSSL:127.0.0.1:7776,cafile=$ca" >answer
    assert_equal socat "$(cat answer)"
    echo "GET socat" | timeout 60 socat -t 30 - "OPENSSL:127.0.0.2:7776,cafile=$ca" | cmp - value
  fi
}

# here: a configuration of the guide with this test's files.
here() { sed "s,/etc/kvnode/authority.pem,$ca,; s,/etc/kvnode/site,$CLUSTER/pem/site,"; }

make_site() {
  make_certificate site ours IP:127.0.0.1
  cat "$CLUSTER/pem/site.key" >>"$CLUSTER/pem/site.pem"
}

answers_on() { curl --silent --output /dev/null --max-time 5 --cacert "$ca" "https://127.0.0.1:$1/absent"; }

# passes_values PORT
passes_values() {
  eventually 20 answers_on "$1"
  random_file value 30000000
  for key in first/value second third; do
    curl --silent --fail --cacert "$ca" -T value "https://127.0.0.1:$1/$key"
    curl --silent --fail --cacert "$ca" "https://127.0.0.1:$1/$key" | cmp - value
    curl --silent --fail --cacert "$ca" "$(url 4 "$key")" | cmp - value
  done
  curl --silent --fail --cacert "$ca" -T - "https://127.0.0.1:$1/chunked" <value
  get 3 chunked | cmp - value
}

@test "behind nginx that encrypts on both sides, by the guide" {
  require nginx
  use_tls 1 Peers=required Required=all
  start_cluster
  make_site
  {
    echo 'daemon off; pid nginx.pid; error_log stderr; events {}'
    echo 'http { access_log off;'
    snippet 'nginx encrypted:' | here
    echo '}'
  } >nginx.conf
  nginx -p "$PWD" -c "$PWD/nginx.conf" >nginx.log 2>&1 3>&- &
  proxy=$!
  passes_values 8443
}

@test "behind HAProxy that encrypts on both sides, by the guide" {
  require haproxy
  start_cluster
  make_site
  snippet 'HAProxy encrypted,' | here >haproxy.cfg
  haproxy -c -f haproxy.cfg
  haproxy -db -f haproxy.cfg >haproxy.log 2>&1 3>&- &
  proxy=$!
  passes_values 8444
}

@test "with HAProxy between the nodes, which ends TLS and begins it anew" {
  require haproxy
  # All nodes reach the second one there.
  sed -i 's/^node2=.*/node2=127.0.0.5:7776/' "$CLUSTER"/node?.conf
  make_certificate node5 ours IP:127.0.0.5
  cat "$CLUSTER/pem/node5.key" >>"$CLUSTER/pem/node5.pem"
  cat >haproxy.cfg <<CONFIGURATION
defaults
  mode tcp
  timeout connect 4s
  timeout client 100s
  timeout server 100s
listen node2
  bind 127.0.0.5:7776 ssl crt $CLUSTER/pem/node5.pem
  server node2 127.0.0.2:7776 ssl verify required ca-file $ca
CONFIGURATION
  haproxy -db -f haproxy.cfg >haproxy.log 2>&1 3>&- &
  proxy=$!
  start_cluster
  random_file value 10000000
  key=$(key_owned_by 2 far)
  for node in 1 3; do
    curl --silent --fail --cacert "$ca" -T value "$(url "$node" "$key")"
    curl --silent --fail --cacert "$ca" "$(url "$node" "$key")" | cmp - value
  done
}

@test "testssl.sh finds nothing above a remark" {
  require testssl
  start_node 1
  # The authority is not one that the world trusts; everything else counts.
  timeout 250 testssl --quiet --color 0 --warnings off --openssl /usr/bin/openssl --add-ca "$ca" \
    --jsonfile found.json --protocols --std --server-defaults --vulnerable --fs --server-preference https://127.0.0.1:7776 >told || true
  jq -r '.[] | select(.severity | IN("LOW", "MEDIUM", "HIGH", "CRITICAL")) | "\(.id) \(.severity) \(.finding)"' found.json |
    grep -vE '^cert_|^OCSP|^DNS_CAA' >weak || true
  assert_equal '' "$(cat weak)"
  (($(jq length found.json) > 30))
}
