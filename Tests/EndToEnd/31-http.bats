# The HTTP dialect as people use it: curl, wget, Python's requests and http.client, through any node.

# shellcheck disable=SC2154 # support.bash and bats set variables, and every test is a subshell.

load support

setup_file() {
  export CLUSTER=$BATS_FILE_TMPDIR/cluster
  configure all limits '[Limits]' MaxValueSize=64M
  start_suite_cluster
}

teardown_file() { kill_cluster; }

setup() {
  local node
  cd "$BATS_TEST_TMPDIR" || return
  # A node that a test has killed and started again ends with that test.
  for node in "${NODES[@]}"; do
    if node_is_gone "$node"; then start_node "$node"; fi
  done
  # A key of node 1 and one of node 4: asked through node 1, the first is served there and the second is relayed.
  own=$(key_owned_by 1 "$BATS_TEST_NUMBER-own")
  other=$(key_owned_by 4 "$BATS_TEST_NUMBER-other")
}

url() { echo "http://127.0.0.$1:7776/$2"; }

# http CURL-ARGUMENT...: prints the status; the head is left in the file `fields` and the body in `body`.
http() {
  : >body
  curl --silent --max-time 60 --dump-header fields --output body --write-out '%{http_code}' "$@"
}

# field NAME: the value of a field in `fields`.
field() { tr -d '\r' <fields | sed -n "s/^$1: //Ip"; }

# store KEY FILE CURL-ARGUMENT...: puts a value through node 1.
store() { assert_matches '^20[14]$' "$(http --upload-file "$2" "$(url 1 "$1")" "${@:3}")"; }

etag_of() { echo "\"xxh3-$(xxhsum -q -H2 "$1" | cut -d ' ' -f 1)\""; }

# client NODE STEP...: helpers/client.py in the foreground.
client() { timeout 120 /usr/bin/python3 "$HELPERS/client.py" "127.0.0.$1" "${@:2}"; }

http_python() { timeout 120 /usr/bin/python3 "$HELPERS/$1" "${@:2}"; }

# eof_is_early STATUS: what curl says of a transfer that broke off: short of its length, or reset.
eof_is_early() { [[ $1 == 18 || $1 == 56 ]]; }

@test "PUT is 201 for a new value and 204 for a replaced one, with the checksum as ETag; every node has it" {
  local node reader
  for node in "${NODES[@]}"; do
    random_file value 100000
    assert_equal 201 "$(http -T value "$(url "$node" "$own-$node")")"
    assert_equal "$(etag_of value)" "$(field ETag)"
    assert_equal 0 "$(field Content-Length)"
    random_file value 70000
    assert_equal 204 "$(http -T value "$(url "$node" "$own-$node")")"
    assert_equal "$(etag_of value)" "$(field ETag)"
    assert_equal '' "$(field Content-Length)"
    for reader in "${NODES[@]}"; do
      assert_equal 200 "$(http "$(url "$reader" "$own-$node")")"
      cmp value body
      assert_equal "$(etag_of value)" "$(field ETag)"
    done
  done
}

@test "values of odd sizes come back, with Content-Length and in chunks" {
  local bytes key
  for bytes in 0 1 16383 16384 16385 65536 1048577 20000000; do
    random_file value "$bytes"
    for key in "$own" "$other"; do
      store "$key" value
      assert_equal 200 "$(http "$(url 1 "$key")")"
      cmp value body
      assert_equal "$bytes" "$(field Content-Length)"
      assert_matches '^20[14]$' "$(http -T - "$(url 1 "$key-chunked")" <value)"
      assert_equal "$(etag_of value)" "$(field ETag)"
      assert_equal 200 "$(http "$(url 2 "$key-chunked")")"
      cmp value body
    done
  done
}

@test "GET and HEAD say the same of a value, at its owner and relayed" {
  local key node stored
  random_file value 5000
  for key in "$own" "$other"; do
    store "$key" value -H 'Content-Type: text/plain; charset=utf-8'
    stored=$(date +%s)
    for node in "${NODES[@]}"; do
      assert_equal 200 "$(http "$(url "$node" "$key")")"
      assert_equal 5000 "$(field Content-Length)"
      assert_equal 'text/plain; charset=utf-8' "$(field Content-Type)"
      assert_equal bytes "$(field Accept-Ranges)"
      assert_equal "$(etag_of value)" "$(field ETag)"
      assert_matches '^(Mon|Tue|Wed|Thu|Fri|Sat|Sun), [0-3][0-9] [A-Z][a-z]{2} 20[0-9]{2} [0-9:]{8} GMT$' \
        "$(field Last-Modified)"
      (($(date -d "$(field Last-Modified)" +%s) <= stored && $(date -d "$(field Last-Modified)" +%s) > stored - 60))
      assert_matches 'GMT$' "$(field Date)"
      grep -vi '^date:' fields >of_get
      assert_equal 200 "$(http --head "$(url "$node" "$key")")"
      grep -vi '^date:' fields | diff of_get -
    done
  done
}

@test "a value is application/octet-stream unless it was stored with a type, which the next PUT forgets" {
  echo hello >value
  store "$other" value
  http "$(url 1 "$other")"
  assert_equal application/octet-stream "$(field Content-Type)"
  store "$other" value -H 'Content-Type: image/png'
  http "$(url 4 "$other")"
  assert_equal image/png "$(field Content-Type)"
  store "$other" value
  http "$(url 4 "$other")"
  assert_equal application/octet-stream "$(field Content-Type)"
  assert_equal 400 "$(http -T value -H "Content-Type: $(printf 'x%.0s' {1..256})" "$(url 1 "$other")")"
}

@test "Range gives 206 with the bytes asked for, and 416 where there are none" {
  local key node case range status from count
  seq 100000 | head -c 100000 >value
  for key in "$own" "$other"; do
    store "$key" value
    for node in 1 4; do
      for case in 0-0:206:0:1 0-:206:0:100000 99999-:206:99999:1 5000-5999:206:5000:1000 50000-200000:206:50000:50000 \
        -1:206:99999:1 -200000:206:0:100000 100000-:416 100000-100001:416 -0:416 99999999999999999-:416 \
        5-4:200 a-b:200 0-1,5-6:200 --1:200 99999999999999999999999-:200; do
        IFS=: read -r range status from count <<<"$case"
        assert_equal "$range $status" "$range $(http -H "Range: bytes=$range" "$(url "$node" "$key")")"
        case $status in
          206)
            assert_equal "bytes $from-$((from + count - 1))/100000" "$(field Content-Range)"
            assert_equal "$count" "$(field Content-Length)"
            assert_equal "$(etag_of value)" "$(field ETag)"
            tail -c +$((from + 1)) value | head -c "$count" | cmp - body
            ;;
          416) assert_equal 'bytes */100000' "$(field Content-Range)" ;;
          200) cmp value body ;;
        esac
      done
      assert_equal 200 "$(http -H 'Range: lines=1-2' "$(url "$node" "$key")")"
      assert_equal 200 "$(http --head -H 'Range: bytes=1-2' "$(url "$node" "$key")")"
      # If-Range: the part only of the very value that the client knows.
      assert_equal 206 "$(http -r 1-2 -H "If-Range: $(etag_of value)" "$(url "$node" "$key")")"
      assert_equal 200 "$(http -r 1-2 -H 'If-Range: "0"' "$(url "$node" "$key")")"
      assert_equal 200 "$(http -r 1-2 -H "If-Range: W/$(etag_of value)" "$(url "$node" "$key")")"
    done
  done
}

@test "of an empty value every part is the whole" {
  : >value
  store "$other" value
  assert_equal 200 "$(http -r 0- "$(url 1 "$other")")"
  assert_equal 200 "$(http -r -5 "$(url 4 "$other")")"
  [ ! -s body ]
}

@test "If-None-Match and If-Modified-Since spare an unchanged value: 304" {
  local key node modified
  random_file value 3000
  for key in "$own" "$other"; do
    store "$key" value
    for node in 1 4; do
      http "$(url "$node" "$key")"
      modified=$(field Last-Modified)
      for condition in "If-None-Match: $(etag_of value)" "If-None-Match: W/$(etag_of value)" 'If-None-Match: *' \
        "If-None-Match: \"x\", $(etag_of value)" "If-Modified-Since: $modified" \
        'If-Modified-Since: Fri, 31 Dec 2100 23:59:59 GMT'; do
        assert_equal "$condition 304" "$condition $(http -H "$condition" "$(url "$node" "$key")")"
        assert_equal "$(etag_of value)" "$(field ETag)"
        assert_equal "$modified" "$(field Last-Modified)"
        [ ! -s body ]
        assert_equal 304 "$(http --head -H "$condition" "$(url "$node" "$key")")"
      done
      for condition in 'If-None-Match: "x"' 'If-Modified-Since: Thu, 01 Jan 1970 00:00:00 GMT'; do
        assert_equal "$condition 200" "$condition $(http -H "$condition" "$(url "$node" "$key")")"
        cmp value body
      done
    done
  done
}

@test "If-Match and If-None-Match keep a PUT and a DELETE from what the client does not know: 412" {
  local key node
  echo one >one
  echo two >two
  for key in "$own" "$other"; do
    for node in 1 4; do
      assert_equal 412 "$(http -T one -H 'If-Match: *' "$(url "$node" "$key")")"
      assert_equal 412 "$(http -T one -H "If-Match: $(etag_of one)" "$(url "$node" "$key")")"
      # What fails without a condition fails so with one.
      assert_equal 404 "$(http -X DELETE -H 'If-Match: *' "$(url "$node" "$key")")"
      assert_equal 404 "$(http -H 'If-Match: *' "$(url "$node" "$key")")"
      assert_equal 404 "$(http "$(url "$node" "$key")")"
      assert_equal 201 "$(http -T one -H 'If-None-Match: *' "$(url "$node" "$key")")"
      assert_equal 412 "$(http -T two -H 'If-None-Match: *' "$(url "$node" "$key")")"
      assert_equal 412 "$(http -T two -H "If-None-Match: $(etag_of one)" "$(url "$node" "$key")")"
      assert_equal 412 "$(http -T two -H "If-Match: $(etag_of two)" "$(url "$node" "$key")")"
      assert_equal 412 "$(http -T two -H "If-Match: W/$(etag_of one)" "$(url "$node" "$key")")"
      assert_equal 412 "$(http -T two -H 'If-Unmodified-Since: Thu, 01 Jan 1970 00:00:00 GMT' "$(url "$node" "$key")")"
      assert_matches 'precondition' "$(cat body)"
      assert_equal 412 "$(http -X DELETE -H "If-Match: $(etag_of two)" "$(url "$node" "$key")")"
      assert_equal 412 "$(http -H 'If-Match: "x"' "$(url "$node" "$key")")"
      assert_equal 200 "$(http "$(url "$node" "$key")")"
      cmp one body
      assert_equal 204 "$(http -T two -H "If-Match: $(etag_of one)" "$(url "$node" "$key")")"
      assert_equal 204 "$(http -X DELETE -H "If-Match: $(etag_of two)" "$(url "$node" "$key")")"
    done
  done
}

@test "conditions spread over several fields, some of them empty, through a relay" {
  echo one >one
  store "$other" one
  assert_equal 304 "$(http -H "If-None-Match: $(etag_of one)" -H 'If-None-Match;' "$(url 1 "$other")")"
  assert_equal 304 "$(http -H 'If-None-Match;' -H "If-None-Match: $(etag_of one)" "$(url 1 "$other")")"
  # Tags of an earlier version have no prefix.
  assert_equal 304 "$(http -H "If-None-Match: $(etag_of one | sed s/xxh3-//)" "$(url 1 "$other")")"
  assert_equal 200 "$(http -H 'Range;' "$(url 1 "$other")")"
}

@test "a condition that cannot be read is refused, and nothing is done" {
  local condition node
  echo one >one
  echo two >two
  store "$other" one
  for condition in 'If-None-Match;' 'If-None-Match: *, *' 'If-None-Match: *,' 'If-None-Match: *, "a"' 'If-None-Match: a' \
    'If-Match;' 'If-Match: a' 'If-Match: "a" "b"' 'If-Modified-Since;' 'If-Unmodified-Since: soon' 'If-Range;'; do
    for node in 1 4; do
      assert_equal "$condition 400" "$condition $(http -T two -H "$condition" "$(url "$node" "$other")")"
      assert_equal "$condition 400" "$condition $(http -X DELETE -H "$condition" "$(url "$node" "$other")")"
      assert_equal "$condition 400" "$condition $(http -H "$condition" "$(url "$node" "$other")")"
    done
  done
  assert_equal 400 "$(http -T two -H 'If-None-Match: *' -H 'If-None-Match: *' "$(url 1 "$other")")"
  assert_equal 200 "$(http "$(url 1 "$other")")"
  cmp one body
}

@test "a query that means nothing is refused, and nothing is done" {
  local query
  echo one >one
  echo two >two
  store "$other" one
  for query in acl tagging 'uploadId=x&partNumber=1' list v=1 versionId=7; do
    assert_equal "$query 400" "$query $(http -T two "$(url 1 "$other?$query")")"
    assert_equal "$query 400" "$query $(http -X DELETE "$(url 1 "$other?$query")")"
  done
  assert_equal 400 "$(http "$(url 1 "$other?acl")")"
  assert_equal 400 "$(http -T two -H 'x-amz-copy-source: /a/b' "$(url 1 "$other")")"
  # But for what gets past caches.
  assert_equal 200 "$(http "$(url 1 "$other?v=7&_=8")")"
  cmp one body
}

@test "what is said of a value is kept and given back, at its owner and relayed; errors and lists are never cached" {
  local key node
  echo hello >value
  for key in "$own" "$other"; do
    assert_matches '^20[14]$' "$(http -T value -H 'Content-Type: text/plain' -H 'Content-Encoding: x-none' \
      -H 'Content-Disposition: attachment; filename="a b"' -H 'Content-Language: de' -H 'Kvnode-Meta-Owner: me' \
      -H 'Cache-Control: max-age=60' -H 'Expires: Thu, 01 Jan 2099 00:00:00 GMT' "$(url 1 "$key")")"
    for node in 1 4; do
      assert_equal 200 "$(http "$(url "$node" "$key")")"
      assert_equal text/plain "$(field Content-Type)"
      assert_equal x-none "$(field Content-Encoding)"
      assert_equal 'attachment; filename="a b"' "$(field Content-Disposition)"
      assert_equal de "$(field Content-Language)"
      assert_equal me "$(field Kvnode-Meta-Owner)"
      assert_equal max-age=60 "$(field Cache-Control)"
      assert_equal 'Thu, 01 Jan 2099 00:00:00 GMT' "$(field Expires)"
    done
    # The next PUT forgets it, and a value without more is asked for anew each time.
    assert_equal 204 "$(http -T value -H 'Content-Type;' "$(url 4 "$key")")"
    assert_equal 200 "$(http "$(url 1 "$key")")"
    assert_equal 'application/octet-stream no-cache ' \
      "$(field Content-Type) $(field Cache-Control) $(field Kvnode-Meta-Owner)"
    assert_equal 304 "$(http -H "If-None-Match: $(field ETag)" "$(url 1 "$key")")"
    assert_equal no-cache "$(field Cache-Control)"
    assert_equal 404 "$(http "$(url 1 "$key-absent")")"
    assert_equal no-store "$(field Cache-Control)"
  done
  assert_equal 400 "$(http -T value -H "Kvnode-Meta-A: $(printf 'x%.0s' {1..2048})" "$(url 1 "$other")")"
  assert_equal 200 "$(http "$(url 1 '?list')")"
  assert_equal no-store "$(field Cache-Control)"
}

@test "a digest that is wrong stores nothing, through a relay too" {
  local node digest md5
  printf '{"hello": "world"}' >value
  echo other >other
  digest='sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:'
  md5=$(openssl md5 -binary value | base64)
  for node in 1 4; do
    store "$other" other
    for field in "Repr-Digest: $digest" "Content-Digest: $digest" "Content-MD5: $md5"; do
      assert_equal 400 "$(http -T other -H "$field" "$(url "$node" "$other")")"
      assert_matches 'of what came is' "$(cat body)"
      assert_equal 204 "$(http -T value -H "$field" "$(url "$node" "$other")")"
      assert_equal 400 "$(http -T other -H "$field" "$(url "$node" "$other")")"
      curl -sf "$(url 1 "$other")" | cmp - value
    done
    assert_equal 400 "$(http -T value -H 'Repr-Digest: sha-1=:AAAA:' "$(url "$node" "$other")")"
    assert_equal 400 "$(http -T value -H 'Content-MD5: x' "$(url "$node" "$other")")"
  done
}

@test "a node tells whether it does well, and what it is, at names that no key has" {
  assert_equal 200 "$(http "$(url 1 '?health')")"
  assert_equal ok "$(cat body)"
  assert_equal 200 "$(http -I "$(url 1 '?health')")"
  assert_equal 204 "$(http -X OPTIONS "$(url 1 '')")"
  # As HAProxy asks by default.
  assert_matches '^HTTP/1.1 204 ' "$(raw 1 'OPTIONS / HTTP/1.0\r\n\r\n')"
  assert_equal 200 "$(http "$(url 1 '')")"
  assert_matches 'This is kvnode' "$(cat body)"
}

@test "chunks with nothing in them are no body" {
  local request
  echo hello >value
  store "$other" value
  for request in GET HEAD DELETE; do
    assert_matches '^HTTP/1.1 20[04] ' \
      "$(raw 1 "$request /$other HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")"
  done
  # Nor do they end the connection of whoever asks about no value.
  for request in 'GET /?list' 'GET /?status' 'GET /?health' 'GET /' 'OPTIONS /' "OPTIONS /$other"; do
    request+=' HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'
    assert_equal 2 "$(raw 1 "$request$request" | grep -ao 'HTTP/1.1 20[04] ' | wc -l)"
  done
  store "$other" value
  assert_matches '^HTTP/1.1 400 ' \
    "$(raw 1 "DELETE /$other HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n")"
  assert_equal 200 "$(http "$(url 1 "$other")")"
}

@test "If-Range with the date of a second that has not passed is not heeded" {
  local modified
  printf 12345 >value
  store "$other" value
  http -I "$(url 1 "$other")" >status
  modified=$(field Last-Modified)
  # The answer's own clock tells whether the second has passed.
  while status=$(http -r 1-2 -H "If-Range: $modified" "$(url 1 "$other")") && [[ $(field Date) == "$modified" ]]; do
    assert_equal 200 "$status"
  done
  assert_equal 206 "$(http -r 1-2 -H "If-Range: $modified" "$(url 1 "$other")")"
}

@test "origins and hosts: none but the node's own unless they are allowed" {
  local node
  echo hello >value
  store "$other" value
  assert_equal 200 "$(http -H 'Origin: https://app.example.com' "$(url 1 "$other")")"
  assert_equal '' "$(field Access-Control-Allow-Origin)"
  configure 1 http '[HTTP]' 'AllowedOrigins=https://app.example.com' 'AllowedHosts=store.example.com'
  kill -HUP "$(node_pid 1)"
  eventually 10 is_allowed https://app.example.com
  assert_equal 204 "$(http -X OPTIONS -H 'Origin: https://app.example.com' -H 'Access-Control-Request-Method: PUT' \
    -H 'Access-Control-Request-Headers: content-type' "$(url 1 "$other")")"
  assert_matches PUT "$(field Access-Control-Allow-Methods)"
  assert_equal content-type "$(field Access-Control-Allow-Headers)"
  assert_equal 200 "$(http -H 'Origin: https://evil.example.com' "$(url 1 "$other")")"
  assert_equal '' "$(field Access-Control-Allow-Origin)"
  # A name that somebody else gave this address.
  assert_equal 403 "$(http -H 'Host: evil.example.com:7776' "$(url 1 "$other")")"
  assert_equal 200 "$(http -H 'Host: store.example.com:7776' "$(url 1 "$other")")"
  rm "$CLUSTER/node1.conf.d/http.conf"
  kill -HUP "$(node_pid 1)"
  eventually 10 is_allowed ''
}

is_allowed() {
  http -H "Origin: $1" "$(url 1 "$other")" >status
  [[ $(field Access-Control-Allow-Origin) == "$1" ]]
}

@test "of 32 clients that create the same key at once, exactly one wins" {
  http_python race.py create "$other" 32
  http_python race.py create "$own" 32
}

@test "of 32 clients that replace the same version at once, exactly one wins, round after round" {
  http_python race.py replace "$other" 32
}

@test "404 for what is not there, and DELETE that says whether it was" {
  local key node
  echo one >one
  for key in "$own" "$other"; do
    for node in 1 4; do
      assert_equal 404 "$(http "$(url "$node" "$key")")"
      assert_equal "GET $key: no such key" "$(cat body)"
      assert_equal 'text/plain; charset=utf-8' "$(field Content-Type)"
      assert_equal 404 "$(http --head "$(url "$node" "$key")")"
      assert_equal 404 "$(http -X DELETE "$(url "$node" "$key")")"
      store "$key" one
      assert_equal 204 "$(http -X DELETE "$(url "$node" "$key")")"
      assert_equal '' "$(field Content-Length)"
      assert_equal 404 "$(http -X DELETE "$(url "$node" "$key")")"
      assert_equal "DEL $key: no such key" "$(cat body)"
    done
  done
}

@test "405 with Allow for every other method" {
  local method
  for method in POST PATCH TRACE MKCOL get FOO; do
    assert_equal "$method 405" "$method $(http -X "$method" "$(url 1 "$other")")"
    assert_equal 'DELETE GET HEAD OPTIONS PUT' "$(field Allow | tr -d ' ' | tr , '\n' | sort | xargs)"
  done
  assert_equal 405 "$(http --data hello "$(url 1 "$other")")"
  assert_equal 204 "$(http -X OPTIONS --request-target '*' "$(url 1 '')")"
}

@test "411 for a PUT that does not say how its value ends; 400 without a key" {
  assert_matches '^HTTP/1.1 411 ' "$(raw 1 "PUT /$own HTTP/1.1\r\nHost: x\r\n\r\n")"
  assert_matches '^HTTP/1.1 411 ' "$(raw 1 "PUT /$other HTTP/1.1\r\nHost: x\r\n\r\n")"
  assert_matches '^HTTP/1.1 411 ' "$(raw 1 "PUT /$other HTTP/1.0\r\n\r\n")"
  assert_equal 400 "$(http -X PUT --data '' "$(url 1 '')")"
  assert_equal 400 "$(http "$(url 1 "$(printf 'k%.0s' {1..1025})")")"
  assert_equal 404 "$(http "$(url 1 "$(printf 'k%.0s' {1..1024})")")"
}

@test "a body where none makes sense is refused, not taken for the next request" {
  assert_equal 400 "$(http -X GET --data-binary 'DELETE / HTTP/1.1' "$(url 1 "$own")")"
  assert_equal 400 "$(http -X DELETE --data-binary x "$(url 1 "$other")")"
  assert_equal close "$(field Connection)"
}

@test "413 past MaxValueSize=, of a stated length at once and in chunks as soon as it is passed" {
  local key
  head -c $((64 << 20)) /dev/zero >limit
  for key in "$own" "$other"; do
    store "$key" limit
    echo >>limit
    assert_equal 413 "$(http -T limit -H 'Expect: 100-continue' "$(url 1 "$key")")"
    assert_equal 413 "$(http -T - "$(url 1 "$key")" <limit || true)"
    assert_matches 'more than 67108864 bytes \(MaxValueSize=\)' "$(cat body)"
    truncate -s -1 limit
    # What was there is still there.
    assert_equal 200 "$(http "$(url 2 "$key")")"
    cmp limit body
  done
  eventually 10 staging_is_empty 1
  eventually 10 staging_is_empty 4
}

@test "a refused upload of 10 GiB costs nothing: not one byte of it is sent" {
  local key
  truncate -s 10G huge
  for key in "$own" "$other"; do
    sent=$(curl --silent --max-time 60 --expect100-timeout 30 -H 'Expect: 100-continue' -T huge -o body \
      --write-out '%{http_code} %{size_upload}' "$(url 1 "$key")")
    assert_equal '413 0' "$sent"
  done
  # And where the condition does not hold, which only the owner knows.
  echo one >one
  truncate -s 60M big
  for key in "$own" "$other"; do
    store "$key" one
    sent=$(curl --silent --max-time 60 --expect100-timeout 30 -H 'If-None-Match: *' -T big -o body \
      --write-out '%{http_code} %{size_upload}' "$(url 1 "$key")")
    assert_equal '412 0' "$sent"
  done
}

@test "a client that sends what was refused without asking first sees the answer, not a reset" {
  local key
  echo one >one
  truncate -s 100M huge
  truncate -s 60M big
  for key in "$own" "$other"; do
    store "$key" one
    assert_equal 413 "$(http -H 'Expect:' -T huge "$(url 1 "$key")")"
    assert_equal 412 "$(http -H 'Expect:' -H 'If-None-Match: *' -T big "$(url 1 "$key")")"
    get 2 "$key" | cmp - one
  done
}

@test "100 Continue is sent once the owner has agreed, and not before" {
  local owner
  start_client waiting 127.0.0.1 text="PUT /$other HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n" touch="$PWD/begun" \
    await="$PWD/stopped" text="Expect: 100-continue\r\n\r\n" read=25 touch="$PWD/invited" text=hello read
  eventually 10 test -e begun
  owner=$(node_pid 4)
  kill -STOP "$owner"
  touch stopped
  # A second in which nothing may come.
  sleep 1
  [ ! -e invited ] || { kill -CONT "$owner"; return 1; }
  kill -CONT "$owner"
  eventually 10 test -e invited
  # The connection stays open for the next request: the client is told to end.
  eventually 10 is_stored "$other" hello
  kill "$(cat "$BATS_TEST_TMPDIR/waiting.pid")"
}

is_stored() { [[ $(curl --silent "$(url 2 "$1")") == "$2" ]]; }

@test "an HTTP/1.1 client that does not ask is not told to continue, nor is one of HTTP/1.0" {
  assert_matches '^HTTP/1.1 201 ' "$(raw 1 "PUT /$other HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello")"
  assert_matches '^HTTP/1.1 204 ' \
    "$(raw 1 "PUT /$other HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello")"
}

@test "one connection serves request after request" {
  http_python libraries.py keep_alive "$own" "$other"
}

@test "pipelined requests are answered in order" {
  http_python libraries.py pipeline "$own" "$other"
}

@test "Connection: close and HTTP/1.0, also with keep-alive, end the connection, and the answer says so" {
  echo one >one
  store "$other" one
  get="GET /$other HTTP/1.1\r\nHost: x\r\n"
  assert_equal 1 "$(client 1 text="${get}Connection: close\r\n\r\n${get}\r\n" read | grep -c '^HTTP/1.1 200')"
  assert_equal 1 "$(client 1 text="GET /$other HTTP/1.0\r\n\r\nGET /$other HTTP/1.0\r\n\r\n" read | grep -c '^HTTP/1.1 200')"
  kept="GET /$other HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"
  assert_equal 1 "$(client 1 text="$kept$kept" shut read | grep -c '^HTTP/1.1 200')"
  assert_equal 1 "$(client 1 text="$kept" shut read | grep -ci '^connection: close')"
  assert_equal 200 "$(http --http1.0 "$(url 1 "$other")")"
  cmp one body
  assert_equal 204 "$(http --http1.0 -T one "$(url 1 "$other")")"
}

@test "an aborted upload commits nothing" {
  local key framing status
  random_file old 1000
  random_file value 30000000
  for key in "$own" "$other"; do
    store "$key-replaced" old
    for framing in value -; do
      for name in "$key" "$key-replaced"; do
        status=0
        curl --silent --max-time 1 --limit-rate 2M -T "$framing" "$(url 1 "$name")" <value || status=$?
        assert_equal 28 "$status"
      done
      assert_equal 404 "$(http "$(url 4 "$key")")"
      assert_equal 200 "$(http "$(url 4 "$key-replaced")")"
      cmp old body
    done
  done
  eventually 10 staging_is_empty 1
  eventually 10 staging_is_empty 4
}

@test "an upload whose client half-closes too early commits nothing" {
  local key
  for key in "$own" "$other"; do
    client 1 text="PUT /$key HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n" bytes=99999 shut read || true
    client 1 text="PUT /$key HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\n" bytes=1000 text='\r\n' \
      shut read || true
    client 1 text="PUT /$key HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\n" bytes=1000 \
      text='\r\n0\r\n' shut read || true
    assert_equal 404 "$(http "$(url 2 "$key")")"
  done
}

@test "curl resumes a download, and uploads and downloads in parallel" {
  local number key
  random_file value 5000000
  store "$other" value
  head -c 1234567 value >part
  curl --silent --continue-at - --output part "$(url 1 "$other")"
  cmp value part
  curl --silent --range 1000-1999 --output part "$(url 1 "$other")"
  tail -c +1001 value | head -c 1000 | cmp - part
  for number in {1..40}; do
    random_file "up$number" $((number * 20000))
    printf 'upload-file = "up%s"\nurl = "http://127.0.0.%s:7776/%s-%s"\noutput = /dev/null\nnext\n' \
      "$number" $((number % 4 + 1)) "$other" "$number"
  done | sed '$d' >uploads
  curl --silent --fail --parallel --parallel-max 16 --config uploads
  for number in {1..40}; do
    printf 'url = "http://127.0.0.%s:7776/%s-%s"\noutput = "down%s"\n' \
      $(((number + 1) % 4 + 1)) "$other" "$number" "$number"
  done >downloads
  curl --silent --fail --parallel --parallel-max 16 --config downloads
  for number in {1..40}; do cmp "up$number" "down$number"; done
}

@test "the rest of a value, as curl --continue-at uploads it, is not taken for the value" {
  local key
  random_file value 100000
  for key in "$own" "$other"; do
    store "$key" value
    assert_equal 400 "$(http -T value --continue-at 60000 "$(url 1 "$key")")"
    assert_matches 'Content-Range' "$(cat body)"
    assert_equal 200 "$(http "$(url 2 "$key")")"
    cmp value body
  done
}

@test "wget downloads, resumes, looks and uploads" {
  random_file value 3000000
  wget --quiet --method=PUT --body-file=value --output-document=/dev/null "$(url 1 "$other")"
  wget --quiet --output-document=whole "$(url 2 "$other")"
  cmp value whole
  head -c 1000000 value >"$other"
  wget --quiet --continue "$(url 3 "$other")"
  cmp value "$other"
  wget --quiet --spider "$(url 4 "$other")"
  run wget --quiet --spider "$(url 4 "$other-absent")"
  assert_equal 8 "$status"
  # An unchanged file is not fetched again.
  wget --quiet --timestamping "$(url 3 "$other")"
  wget --quiet --method=DELETE --output-document=/dev/null "$(url 1 "$other")"
  assert_equal 404 "$(http "$(url 1 "$other")")"
}

@test "Python's requests: sessions, streams, generators, conditions" {
  http_python libraries.py requests "$own" "$other"
}

@test "Python's http.client: chunks, HEAD, errors and a value of many pieces" {
  http_python libraries.py http_client "$own" "$other"
}

@test "keys are the decoded path: any byte, slashes, dots and blanks; a query is no part of them" {
  local path node
  # --request-target, because curl has ideas of its own about dots.
  for path in a/b /leading a//b 'a%20b' 'a+b' '%00' 'x%00y' '%0d%0a' '%ff%fe' '..%2fetc' '../../etc/passwd' . .. \
    '%2e%2e' 'caf%C3%A9' 'a%2Fb%2fc' q 'x%23y' '%25' 'a:b@c;d=e,f!' "~'()*" 'http://x/y'; do
    for node in 1 3; do
      echo "$path $node" >value
      assert_matches "^20[14]$" "$(http --request-target "/$path" -T value "$(url "$node" x)")"
      assert_equal "$path 200" "$path $(http --request-target "/$path" "$(url $((node + 1)) x)")"
      cmp value body
    done
  done
  # Written differently, the same key.
  assert_equal "$(curl -s --path-as-is "$(url 1 '%61%2f%62')")" "$(curl -s "$(url 2 a/b)")"
  assert_equal "$(curl -s --path-as-is "$(url 1 ..)")" "$(curl -s --path-as-is "$(url 2 '%2e%2E')")"
  assert_equal "$(curl -s "$(url 1 q)")" "$(curl -s "$(url 2 'q?v=else')")"
  assert_equal 400 "$(http --path-as-is "$(url 1 'bad%zz')")"
  assert_equal 400 "$(http --path-as-is "$(url 1 'bad%4')")"
}

@test "both dialects see the same values" {
  random_file value 300000
  put 1 "$other" value
  assert_equal 200 "$(http "$(url 2 "$other")")"
  cmp value body
  assert_equal "$(etag_of value)" "$(field ETag)"
  assert_equal 204 "$(http -X DELETE "$(url 3 "$other")")"
  assert_equal "ERROR: GET $other: no such key" "$(get 4 "$other")"
  store "$other" value
  get 2 "$other" | cmp - value
}

@test "421 for a relayed request with another peer list, or to a node that is not the owner" {
  local mark=(-H 'Kvnode-Relayed-By: stranger')
  assert_equal 421 "$(http "${mark[@]}" -H 'Kvnode-Peers: 0123456789abcdef' "$(url 1 "$own")")"
  assert_matches "stranger and node1 have different peer lists \(fingerprints 0123456789abcdef and $(fingerprint 1)\)" \
    "$(cat body)"
  assert_equal 421 "$(http "${mark[@]}" -H "Kvnode-Peers: $(fingerprint 1)" "$(url 1 "$other")")"
  assert_matches 'it is node4' "$(cat body)"
  assert_equal 404 "$(http "${mark[@]}" -H "Kvnode-Peers: $(fingerprint 1)" "$(url 1 "$own")")"
  assert_equal 400 "$(http "${mark[@]}" "$(url 1 "$own")")"
  assert_equal 421 "$(http "${mark[@]}" -H 'Kvnode-Peers: 0123456789abcdef' "$(url 1 '?list')")"
}

@test "a download that breaks off is visible: the relay or the owner dies in its midst" {
  local victim status pid
  random_file value 60000000
  for victim in 1 4; do
    store "$other" value
    curl --silent --limit-rate 10M --output part "$(url 1 "$other")" 3>&- &
    pid=$!
    eventually 10 has_bytes part 1000000
    kill_node "$victim"
    status=0
    wait "$pid" || status=$?
    start_node "$victim"
    eof_is_early "$status"
    (($(stat -c %s part) < 60000000))
    rm part
  done
  random_file value 60000000
  store "$own" value
  curl --silent --limit-rate 10M --output part "$(url 1 "$own")" 3>&- &
  pid=$!
  eventually 10 has_bytes part 1000000
  kill_node 1
  status=0
  wait "$pid" || status=$?
  start_node 1
  eof_is_early "$status"
}

has_bytes() { [[ -e $1 ]] && (($(stat -c %s "$1") >= $2)); }

@test "503 with Retry-After and the owner's name while the owner is down" {
  kill_node 4
  echo one >one
  assert_equal 503 "$(http "$(url 1 "$other")")"
  assert_matches '^[1-9][0-9]*$' "$(field Retry-After)"
  assert_matches "GET $other: node4 \(127\.0\.0\.4:7776\) cannot be reached" "$(cat body)"
  sent=$(curl --silent --max-time 60 --expect100-timeout 30 -H 'Expect: 100-continue' -T one -o body \
    --write-out '%{http_code} %{size_upload}' "$(url 1 "$other")")
  start_node 4
  assert_equal '503 0' "$sent"
  assert_equal 404 "$(http "$(url 1 "$other")")"
}
