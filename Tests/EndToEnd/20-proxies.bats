# The proxies' configurations of docs/operating.md, as they stand there: values go through whole, in both directions.

# shellcheck disable=SC2154 # support.bash and bats set variables, and every test is a subshell.

load support

setup() {
  proxy=
  cd "$BATS_TEST_TMPDIR" || return
  prepare_test_cluster
  start_cluster
}

teardown() {
  if [[ -n $proxy ]]; then kill "$proxy" 2>/dev/null || true; fi
  kill_cluster
}

answers_on() { curl --silent --output /dev/null --max-time 5 "http://127.0.0.1:$1/absent"; }

# passes_values PORT
passes_values() {
  local url=http://127.0.0.1:$1 key
  eventually 20 answers_on "$1"
  random_file value 30000000
  for key in first/value second%20value third; do
    assert_equal 201 "$(curl --silent --output answer --write-out '%{http_code}' -T value "$url/$key")"
    curl --silent --fail "$url/$key" | cmp - value
    # Its owner has it whole, whatever the proxy has done.
    curl --silent --fail "http://127.0.0.4:7776/$key" | cmp - value
  done
  # Without a length, in chunks.
  curl --silent --fail -T - "$url/chunked" <value
  curl --silent --fail "http://127.0.0.3:7776/chunked" | cmp - value
  assert_equal 206 "$(curl --silent --output part --write-out '%{http_code}' -r 1000-1999 "$url/third")"
  cmp part <(tail -c +1001 value | head -c 1000)
  assert_equal 204 "$(curl --silent --output answer --write-out '%{http_code}' -X DELETE "$url/third")"
  curl --silent --fail "$url/?list" | jq -e '[.values[].key] == ["chunked", "first/value", "second%20value"]'
}

@test "nginx" {
  command -v nginx >/dev/null || skip 'nginx is not installed'
  {
    echo 'daemon off; pid nginx.pid; error_log stderr; events {}'
    echo 'http { access_log off;'
    snippet 'nginx:'
    echo '}'
  } >nginx.conf
  nginx -p "$PWD" -c "$PWD/nginx.conf" >nginx.log 2>&1 3>&- &
  proxy=$!
  passes_values 8080
}

@test "HAProxy" {
  command -v haproxy >/dev/null || skip 'HAProxy is not installed'
  snippet 'HAProxy:' >haproxy.cfg
  haproxy -c -f haproxy.cfg
  haproxy -db -f haproxy.cfg >haproxy.log 2>&1 3>&- &
  proxy=$!
  passes_values 8081
}

@test "Varnish" {
  command -v varnishd >/dev/null || skip 'Varnish is not installed'
  snippet 'Varnish,' >values.vcl
  varnishd -F -j none -n "$PWD/varnish" -a 127.0.0.1:8082 -T none -f "$PWD/values.vcl" -s malloc,128m >varnish.log 2>&1 3>&- &
  proxy=$!
  eventually 20 answers_on 8082
  random_file value 30000000
  assert_equal 201 "$(curl --silent --output answer --write-out '%{http_code}' -T value \
    -H 'Cache-Control: max-age=60' http://127.0.0.1:8082/value)"
  curl --silent --fail http://127.0.0.1:8082/value | cmp - value
  # The second time it comes from the cache, whose copies have two transactions in X-Varnish.
  curl --silent --fail --dump-header fields http://127.0.0.1:8082/value | cmp - value
  assert_matches 'X-Varnish: [0-9]+ [0-9]+' "$(cat fields)"
}
