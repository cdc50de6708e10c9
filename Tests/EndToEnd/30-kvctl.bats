# kvctl, the tool for people: every subcommand, against four nodes.

# shellcheck disable=SC2154 # support.bash and bats set variables, and every test is a subshell.
# shellcheck disable=SC2016 # What stands in single quotes is for another shell.
# shellcheck disable=SC2002 # Where a pipe is written, a pipe is meant.

load support

KVCTL=${KVCTL:-${KVNODE%/*}/kvctl}

setup_file() { start_suite_cluster; }

teardown_file() { kill_cluster; }

setup() {
  cd "$BATS_TEST_TMPDIR" || return
  random_file value 3000000
}

# kvctl ARGUMENT...: as on node 1's host.
kvctl() { "$KVCTL" "$@" --config "$CLUSTER/node1.conf"; }

# kvctl_via ADDRESS ARGUMENT...: without a configuration, so that this node is asked for everything.
kvctl_via() { "$KVCTL" "${@:2}" --node "$1"; }

# ends_with STATUS COMMAND...: runs it, with bats' output and stderr, and checks its exit status.
ends_with() {
  local expected=$1
  shift
  run --separate-stderr "$@"
  if [[ $status != "$expected" ]]; then
    printf 'expected status %s, got %s\nstdout: %s\nstderr: %s\n' "$expected" "$status" "$output" "$stderr" >&2
    return 1
  fi
}

# json EXPRESSION: what Python makes of standard input as `d`.
json() { python3 -c 'import json, sys; d = json.load(sys.stdin); print(eval(sys.argv[1]))' "$1"; }

# flip_byte FILE OFFSET: as a disk would, without another attribute.
flip_byte() {
  local byte
  byte=$(xxd -s "$2" -l 1 -p "$1")
  printf '%02x' $((16#$byte ^ 255)) | xxd -r -p | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

# start_faucet BYTES MODE: helpers/faucet.py on 127.0.0.9, before node 1; its process is $faucet.
start_faucet() {
  setpriv --pdeathsig KILL /usr/bin/python3 "$HELPERS/faucet.py" 127.0.0.9 127.0.0.1 "$1" "$2" "$PWD/heads" \
    3>&- </dev/null &
  faucet=$!
  eventually 10 test -e heads
}

stop_faucet() {
  kill -KILL "$faucet"
  wait "$faucet" || true
}

@test "put and get: files, on every node" {
  local node
  kvctl put files value
  kvctl get files -o out
  cmp out value
  for node in 1 2 3 4; do
    kvctl_via "127.0.0.$node" put "files-$node" value
    kvctl_via "127.0.0.$node" get "files-$node" -o "out-$node"
    cmp "out-$node" value
    [[ ! -e out-$node.part ]]
  done
}

@test "put and get: pipes, redirections and what the shell substitutes" {
  cat value | kvctl put piped
  kvctl get piped | cmp - value
  kvctl put redirected - <value
  kvctl get redirected -o - | cmp - value
  kvctl put substituted <(cat value)
  kvctl get substituted | cmp - value
  mkfifo fifo
  cat value >fifo &
  kvctl put from-fifo fifo
  wait $!
  kvctl get from-fifo -o fifo &
  cmp fifo value
  wait $!
  [[ -p fifo ]]
}

@test "put: the rest of a file that was read from before" {
  {
    head -c 1000 >/dev/null
    kvctl put rest
  } <value
  kvctl get rest | cmp - <(tail -c +1001 value)
}

@test "put: nothing, from a file and from a pipe" {
  : >empty
  kvctl put empty empty
  : | kvctl put empty-too
  assert_equal 0 "$(kvctl get empty | wc -c)"
  assert_equal 0 "$(kvctl get empty-too | wc -c)"
  kvctl get empty -o out
  assert_equal 0 "$(stat -c %s out)"
}

@test "put: states the length of a file, and sends a stream in chunks" {
  start_faucet 1000000 cut
  kvctl_via 127.0.0.9 put framed value
  kvctl_via 127.0.0.9 put framed <value
  cat value | kvctl_via 127.0.0.9 put framed
  stop_faucet
  assert_equal 2 "$(grep -c '^Content-Length: 3000000' heads)"
  assert_equal 1 "$(grep -c '^Transfer-Encoding: chunked' heads)"
  assert_equal 3 "$(grep -c '^Expect: 100-continue' heads)"
}

@test "put: prints the checksum as JSON" {
  local checksum
  checksum=$(xxhsum -H2 value | cut -d ' ' -f 1) || skip "no xxhsum"
  kvctl put described value --json >answer
  python3 -m json.tool answer
  assert_equal "described 3000000 $checksum" "$(json '"{key} {bytes} {etag}".format(**d)' <answer)"
}

@test "put and del: conditions" {
  local etag
  kvctl put conditional value --if-absent
  ends_with 5 kvctl put conditional value --if-absent
  assert_equal "kvctl: PUT conditional: the precondition does not hold" "$stderr"
  etag=$(kvctl stat conditional --json | json 'd["etag"]')
  echo new >new
  ends_with 5 kvctl put conditional new --if-match 00000000000000000000000000000000
  kvctl put conditional new --if-match "$etag"
  ends_with 5 kvctl del conditional --if-match "$etag"
  kvctl del conditional --if-match "\"$(kvctl stat conditional --json | json 'd["etag"]')\""
  ends_with 5 kvctl put conditional value --if-match "$etag"
  ends_with 64 kvctl put conditional value --if-match "$etag" --if-absent
}

@test "put: the content type is kept" {
  kvctl put typed value --content-type text/x-test
  assert_matches "type +text/x-test" "$(kvctl stat typed)"
  ends_with 64 kvctl put typed value --content-type $'a\nb'
}

@test "put: files that are not there or no files" {
  ends_with 1 kvctl put key nowhere
  assert_equal "kvctl: nowhere: No such file or directory" "$stderr"
  ends_with 1 kvctl put key .
}

@test "a key that is not there ends with 2" {
  ends_with 2 kvctl get absent
  assert_equal "kvctl: GET absent: no such key" "$stderr"
  ends_with 2 kvctl get absent -o out
  [[ ! -e out && ! -e out.part ]]
  ends_with 2 kvctl stat absent
  assert_equal "kvctl: STAT absent: no such key" "$stderr"
  ends_with 2 kvctl del absent
  assert_equal "kvctl: DEL absent: no such key" "$stderr"
}

@test "del deletes" {
  kvctl put doomed value
  kvctl del doomed
  ends_with 2 kvctl get doomed
}

@test "stat shows what is known" {
  kvctl put known value
  assert_matches "bytes +3000000" "$(kvctl stat known)"
  assert_matches "owner +node$(owner_of known) \\(127" "$(kvctl stat known)"
  kvctl stat known --json | python3 -m json.tool
  assert_equal "3000000 $(slot_of known) node$(owner_of known)" \
    "$(kvctl stat known --json | json '"{bytes} {slot} {owner}".format(**d)')"
  assert_equal "node$(owner_of known)" "$(kvctl_via 127.0.0.2 stat known --json | json 'd["owner"]')"
}

@test "where a value lies the nodes tell" {
  local key
  for key in hashme hashmetoo 'a b/../c'; do
    kvctl where "$key" --json | python3 -m json.tool
    assert_equal "$(slot_of "$key") node$(owner_of "$key") 127.0.0.$(owner_of "$key"):7776" \
      "$(kvctl where "$key" --json | json '"{slot} {owner} {address}".format(**d)')"
  done
  key=$(key_owned_by 1 where)
  kvctl put "$key" value
  cmp "$(kvctl where "$key" --json | json 'd["path"]')" value
  assert_matches "slot +4781" "$(kvctl where hashme)"
  # Any node can tell, also one of which nothing but its address is known; without any it needs a list.
  assert_equal "node$(owner_of hashme)" "$(kvctl_via 127.0.0.1 where hashme --json | json 'd["owner"]')"
  ends_with 1 kvctl_via 127.0.0.99 where hashme
}

@test "keys of any bytes, percent-encoded" {
  local encoded
  encoded=$(python3 -c 'print("".join("%%%02X" % n for n in range(256)))')
  kvctl put --encoded "$encoded" value
  kvctl get -e "$encoded" | cmp - value
  assert_equal "$encoded" "$(kvctl stat -e "$encoded" --json | json 'd["key"]' | python3 -c '
import sys, urllib.parse
print("".join("%%%02X" % n for n in urllib.parse.unquote_to_bytes(sys.stdin.read().strip())))')"
  kvctl del -e "$encoded"
  kvctl put $'line\nfeed and %41' value
  kvctl get -e 'line%0Afeed%20and%20%2541' | cmp - value
  "$KVCTL" put --node 127.0.0.1 -- -dash value
  "$KVCTL" get --node 127.0.0.1 -- -dash | cmp - value
}

@test "wrong usage ends with 64" {
  ends_with 64 kvctl put
  ends_with 64 kvctl get
  ends_with 64 kvctl get ''
  ends_with 64 kvctl get "$(printf 'x%.0s' {1..1025})"
  ends_with 64 kvctl get -e '%4'
  ends_with 64 kvctl get key --nonsense
  ends_with 64 kvctl nonsense
  ends_with 64 kvctl get key more
  ends_with 64 "$KVCTL" get key --node 'not an address'
  ends_with 64 kvctl put key value --if-match nonsense
  ends_with 64 kvctl ls --limit -1
  ends_with 64 kvctl ls --null --json
  ends_with 64 kvctl bench --concurrency 0
  ends_with 64 kvctl bench --mix 0/0
  ends_with 64 kvctl bench --size 1X
  ends_with 64 kvctl check --rate 0
  ends_with 64 kvctl check --node 127.0.0.1
  ends_with 64 kvctl get $'\xff'
  assert_matches "--encoded" "$stderr"
  ends_with 0 "$KVCTL" --help
  assert_matches "Exit status: 0 success" "$(tr -s '\n ' ' ' <<<"$output")"
  ends_with 0 "$KVCTL" put --help
  ends_with 0 "$KVCTL" --version
}

@test "a command that there is not is called so, and help for it is none" {
  local arguments
  for arguments in "nonsense" "nonsense more words" "--no-progress --node 127.0.0.1 nonsense" "nonsense --help" \
    "help nonsense" "--config=nowhere nonsense"; do
    # shellcheck disable=SC2086 # Several words.
    ends_with 64 "$KVCTL" $arguments
    assert_equal "" "$output"
    assert_equal "kvctl: there is no command 'nonsense' (see kvctl --help)" "$stderr"
  done
  ends_with 64 "$KVCTL" get key more
  assert_equal "kvctl: unexpected argument 'more': use -o to name a file" "$stderr"
  ends_with 64 "$KVCTL" stat
  assert_equal "kvctl: Missing expected argument '<key>' (see kvctl stat --help)" "$stderr"
}

@test "help lists the options that a command uses, and the others are taken where they hold anyway" {
  local command
  "$KVCTL" check --help >help
  grep -q -e '--config' help
  run ! grep -qE -e '(^ +|\[)--(node|no-progress)' help
  for command in cat ls stat du where status; do
    "$KVCTL" "$command" --help >help
    grep -qE -e '^ +--node' help
    run ! grep -q -e '--no-progress' help
  done
  for command in put get sync cp mv del bench; do "$KVCTL" "$command" --help | grep -q -e '--no-progress'; done
  kvctl status --no-progress
  kvctl --no-progress status
}

@test "each error of a configuration is kvctl's" {
  printf '[Node]\nMinFree=some\nDurability=most\n' >bad.conf
  ends_with 78 "$KVCTL" status --config bad.conf
  assert_equal 2 "$(grep -c '^kvctl: bad.conf:' <<<"$stderr")"
  assert_equal 2 "$(wc -l <<<"$stderr")"
}

@test "a key that begins with a hyphen is never taken for options" {
  local command word
  for command in put get del stat ls where status check bench; do
    for word in -hash -eh -help -xh; do
      # These two are options of ls.
      if [[ $command$word == ls-eh ]]; then continue; fi
      ends_with 64 kvctl "$command" "$word" value
      assert_equal "" "$output"
      assert_equal 1 "$(wc -l <<<"$stderr")"
      assert_matches "'$word' is no option; .* after --" "$stderr"
    done
    ends_with 0 "$KVCTL" "$command" --help
    ends_with 64 kvctl "$command" --no-such-option
    assert_equal 1 "$(wc -l <<<"$stderr")"
  done
  ends_with 64 "$KVCTL" --node 127.0.0.1
  ends_with 64 "$KVCTL" -hash
  "$KVCTL" put --node 127.0.0.1 -- -hash value
  "$KVCTL" get --node 127.0.0.1 -- -hash | cmp - value
}

@test "the environment names the configuration or the nodes, unless an option does" {
  KVNODE_CONFIG=$CLUSTER/node1.conf "$KVCTL" put environment value
  KVNODE_NODES=127.0.0.8,127.0.0.2:7776 "$KVCTL" get environment | cmp - value
  KVNODE_CONFIG=nowhere.conf KVNODE_NODES=127.0.0.8 "$KVCTL" get environment --node 127.0.0.3 | cmp - value
  KVNODE_NODES='' KVNODE_CONFIG='' ends_with 78 "$KVCTL" get environment --config nowhere.conf
  KVNODE_CONFIG=nowhere.conf ends_with 78 "$KVCTL" get environment
  KVNODE_NODES=127.0.0.1,nonsense/ ends_with 64 "$KVCTL" get environment
  assert_matches "^kvctl: KVNODE_NODES: 'nonsense/' is not an address such as" "$stderr"
}

@test "a configuration that cannot be used ends with 78" {
  ends_with 78 "$KVCTL" get key --config nowhere.conf
  printf '[Node]\nListen=nonsense\n' >bad.conf
  ends_with 78 "$KVCTL" get key --config bad.conf
  assert_matches "bad.conf:2: Listen=nonsense" "$stderr"
}

@test "options may stand before the subcommand" {
  "$KVCTL" --config "$CLUSTER/node1.conf" put before value
  "$KVCTL" --no-progress --node 127.0.0.3 get before | cmp - value
}

@test "a host that is no node can use the cluster's configuration" {
  { printf '[Peers]\n'; grep '^node' "$CLUSTER/node1.conf"; } >client.conf
  "$KVCTL" put foreign value --config client.conf
  "$KVCTL" get foreign --config client.conf | cmp - value
}

@test "an unreachable node ends with 4, and the next one is asked" {
  ends_with 4 "$KVCTL" get key --node 127.0.0.8
  assert_equal "kvctl: GET key: 127.0.0.8:7776 cannot be reached: connection refused" "$stderr"
  kvctl put reachable value
  "$KVCTL" get reachable --node 127.0.0.8 --node 127.0.0.2 | cmp - value
  ends_with 4 "$KVCTL" ls --node 127.0.0.8
  ends_with 4 "$KVCTL" get key --node nowhere.invalid
}

@test "get: replaces no device and no directory, and follows links" {
  kvctl put target value
  kvctl get target -o /dev/null
  [[ -c /dev/null ]]
  ends_with 1 kvctl get target -o .
  mkdir elsewhere
  : >elsewhere/file
  ln -s elsewhere/file link
  kvctl get target -o link
  [[ -L link ]]
  cmp elsewhere/file value
  ends_with 1 kvctl get target -o nowhere/file
}

@test "get: a reader that leaves ends it" {
  kvctl put left value
  assert_equal 10 "$(kvctl get left | head -c 10 | wc -c)"
}

@test "get: a full disk is an error" {
  kvctl put full value
  ends_with 1 bash -c '"$1" get full --config "$2" >/dev/full' - "$KVCTL" "$CLUSTER/node1.conf"
  assert_equal "kvctl: standard output: No space left on device" "$stderr"
}

@test "get: a download that breaks off is gone on with" {
  local etag
  kvctl put resumed value
  etag=$(kvctl stat resumed --json | json 'd["etag"]')
  start_faucet 1000000 cut
  ends_with 4 kvctl_via 127.0.0.9 get resumed -o out
  stop_faucet
  [[ ! -e out ]]
  assert_equal 1000000 "$(stat -c %s out.part)"
  assert_equal "$etag" "$(getfattr --only-values -n user.kvctl.etag out.part)"
  rm heads
  start_faucet 100000000 cut
  kvctl_via 127.0.0.9 get resumed -o out
  stop_faucet
  cmp out value
  [[ ! -e out.part ]]
  assert_matches $'Range: bytes=1000000-\r' "$(cat heads)"
  assert_matches "If-Range: \"$etag\"" "$(cat heads)"
  assert_equal "" "$(getfattr -d out)"
}

@test "get: a download that is killed is gone on with, by one at a time" {
  kvctl put killed value
  start_faucet 1000000 hold
  "$KVCTL" get killed -o out --node 127.0.0.9 3>&- &
  local downloader=$!
  eventually 10 bash -c '[[ $(stat -c %s out.part 2>/dev/null) == 1000000 ]]'
  ends_with 1 kvctl get killed -o out
  assert_equal "kvctl: out.part: another kvctl is downloading to it" "$stderr"
  kill -KILL "$downloader"
  wait "$downloader" || true
  stop_faucet
  kvctl get killed -o out
  cmp out value
}

@test "get: a value that changed meanwhile is begun anew" {
  kvctl put changing value
  start_faucet 1000000 cut
  ends_with 4 kvctl_via 127.0.0.9 get changing -o out
  stop_faucet
  random_file other 2000000
  kvctl put changing other
  kvctl get changing -o out
  cmp out other
}

@test "get: partial files that are whole, too long or nobody's" {
  local etag
  kvctl put partial value
  etag=$(kvctl stat partial --json | json 'd["etag"]')
  cp value whole.part
  setfattr -n user.kvctl.etag -v "$etag" whole.part
  kvctl get partial -o whole
  cmp whole value
  cat value value >long.part
  setfattr -n user.kvctl.etag -v "$etag" long.part
  kvctl get partial -o long
  cmp long value
  head -c 1000 value >untagged.part
  kvctl get partial -o untagged
  cmp untagged value
}

@test "get: a partial file with wrong bytes ends with 3, and is not gone on with" {
  kvctl put mended value
  head -c 1000000 value >out.part
  flip_byte out.part 500000
  setfattr -n user.kvctl.etag -v "$(kvctl stat mended --json | json 'd["etag"]')" out.part
  ends_with 3 kvctl get mended -o out
  [[ ! -e out ]]
  assert_equal 3000000 "$(stat -c %s out.part)"
  kvctl get mended -o out
  cmp out value
}

@test "get: a value that is damaged on the disk ends with 3" {
  kvctl put damaged value
  flip_byte "$(value_file damaged damaged)" 1234567
  ends_with 3 kvctl get damaged -o out
  assert_matches "GET damaged: the value stored has the checksum [0-9a-f]{32}, the bytes received [0-9a-f]{32}" "$stderr"
  [[ ! -e out ]]
  assert_equal 3000000 "$(stat -c %s out.part)"
  ends_with 3 bash -c '"$1" get damaged --node 127.0.0.1 | cat; exit "${PIPESTATUS[0]}"' - "$KVCTL"
  kvctl del damaged
}

@test "get: a value without a checksum is fetched with a warning" {
  local file
  file=$(value_file unverified unverified)
  cp value "$file"
  ends_with 0 kvctl get unverified -o out
  assert_matches "warning: the node has no checksum" "$stderr"
  cmp out value
  rm "$file"
}

@test "ls: prefix, limit, long and JSON" {
  local number
  for number in 1 2 3 4 5; do kvctl put "list/$number" value; done
  assert_equal "$(printf 'list/%s\n' 1 2 3 4 5)" "$(kvctl ls list/)"
  assert_equal "$(printf 'list/%s\n' 1 2)" "$(kvctl ls list/ --limit 2)"
  assert_equal "" "$(kvctl ls list/ --limit 0)"
  assert_equal "" "$(kvctl ls nothing-like-this)"
  assert_equal 5 "$(kvctl ls -l list/ | grep -Ec ' 3000000  [0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z  list/')"
  assert_equal 5 "$(kvctl ls -lh list/ | grep -Ec ' 2.9 MiB  [0-9]{4}-.*Z  list/')"
  assert_equal "5 values, 15000000 bytes" "$(kvctl ls --total list/ | tail -n 1)"
  assert_equal "5 15000000" "$(kvctl ls --total list/ --json | json '"{values} {bytes}".format(**d)')"
  assert_equal "$(printf 'list/%s\n' 4 5)" "$(kvctl ls list/ --start list/3x)"
  assert_equal "$(printf 'list/%s\n' 4)" "$(kvctl ls list/ --start list/4 --limit 1)"
  assert_equal 5 "$(kvctl ls --partial list/ | wc -l)"
  assert_equal "$(kvctl stat list/1 --json | json 'd["modified"]')" \
    "$(kvctl ls -l list/1 --json | json 'd["keys"][0]["modified"]')"
  kvctl ls list/ --json | python3 -m json.tool
  assert_equal "5 list/1" "$(kvctl ls list/ --json | json 'str(len(d["keys"])) + " " + d["keys"][0]')"
  kvctl ls -l list/ --json | python3 -m json.tool
  assert_equal "list/5 3000000" "$(kvctl ls -l list/ --json | json '"{key} {bytes}".format(**d["keys"][4])')"
  assert_equal '{"keys":[]}' "$(kvctl ls nothing-like-this --json)"
  assert_equal "$(kvctl ls list/)" "$(kvctl_via 127.0.0.4 ls list/)"
}

@test "ls: keys of any bytes, for people and for programs" {
  kvctl put -e 'odd/%0A%FF%5C' value
  kvctl put 'odd/é x' value
  assert_equal $'odd/\\x0a\\xff\\x5c\nodd/é x' "$(kvctl ls odd/)"
  assert_equal $'odd/%0A%FF%5C\nodd/%C3%A9%20x' "$(kvctl ls -e odd%2F)"
  assert_equal "6f64642f0aff5c006f64642fc3a9207800" "$(kvctl ls -0 odd/ | xxd -p -c 100)"
  kvctl ls -e odd/ | while read -r key; do kvctl get -e "$key" | cmp - value; done
}

@test "completion of keys: as far as they can be typed, with slashes as levels" {
  # Before there are many keys: a shell waits for no long listing.
  kvctl put complete/one value
  kvctl put complete/two/a value
  kvctl put complete/two/b value
  kvctl put -e 'complete/%0A' value
  assert_equal $'complete/one\ncomplete/two/' "$("$KVCTL" complete-keys complete/ --node 127.0.0.1)"
  assert_equal $'complete/two/a\ncomplete/two/b' "$("$KVCTL" complete-keys complete/two/ --node 127.0.0.1)"
  assert_equal "" "$("$KVCTL" complete-keys complete/ --node 127.0.0.8)"
  "$KVCTL" --generate-completion-script bash >completion.bash
  cp "$KVCTL" kvctl
  assert_equal "complete/one" "$(PATH=$PWD:$PATH KVNODE_NODES=127.0.0.2 bash -c 'source completion.bash
    COMP_WORDS=(kvctl get complete/o) COMP_CWORD=2 COMP_LINE="kvctl get complete/o" COMP_POINT=20
    _kvctl kvctl complete/o get
    echo "${COMPREPLY[@]}"')"
}

@test "ls: as many pages as there are" {
  # More than a page has room for, with keys as long as they may be.
  python3 - <<'PYTHON'
import http.client
connections = [http.client.HTTPConnection(f"127.0.0.{n}", 7776) for n in range(1, 5)]
for number in range(1500):
    connection = connections[number % 4]
    connection.request("PUT", f"/pages/{number:04}" + "x" * 1000, body=b"")
    answer = connection.getresponse()
    assert answer.status == 201, answer.status
    answer.read()
PYTHON
  assert_equal 1500 "$(kvctl ls pages/ | wc -l)"
  kvctl ls pages/ | LC_ALL=C sort -c
  assert_equal 1500 "$(kvctl ls pages/ --json | json 'len(set(d["keys"]))')"
  assert_equal 1234 "$(kvctl ls pages/ --limit 1234 | wc -l)"
  assert_equal 3 "$(kvctl ls pages/ | head -n 3 | wc -l)"
}

@test "check: finds what is damaged, and moves it on demand" {
  local key file
  key=$(key_owned_by 1 check)
  kvctl put "$key" value
  kvctl check --json | python3 -m json.tool
  file=$(value_file "$key" "$key")
  flip_byte "$file" 2999999
  ends_with 3 kvctl check
  assert_matches "damaged: values/../$key \\(key $key\\): its checksum is" "$output"
  assert_matches "damaged +1" "$output"
  cmp -n 2999999 "$file" value
  ends_with 3 kvctl check --repair --rate 100M --json
  assert_equal "1 1 $key" "$(json '"{} {} {}".format(d["damaged"], d["quarantined"], d["findings"][0]["key"])' <<<"$output")"
  [[ ! -s $file ]]
  cmp -n 2999999 "$CLUSTER/node1/$(json 'd["findings"][0]["quarantine"]' <<<"$output")" value
  ends_with 1 kvctl get "$key"
  ends_with 3 kvctl check
  assert_matches "lost +1" "$output"
  kvctl put "$key" value
  ends_with 0 kvctl check
  kvctl get "$key" | cmp - value
}

# copy_with NAME: stores a value on node 1, copies the node's data directory to `data`, and sets key, and file, which is
# the value's in the copy.
copy_with() {
  key=$(key_owned_by 1 "$1")
  kvctl put "$key" value
  cp -a "$CLUSTER/node1" data
  file=$(value_file "$key" "$key")
  file=data/${file#"$CLUSTER/node1/"}
}

@test "check: as the node's user, it moves away a file that is another's, past a leftover that it may not read" {
  if ((EUID != 0)); then skip "only root can give files away"; fi
  local key file
  copy_with stranger
  cp "$KVCTL" data/kvctl
  chown -R nobody data
  chown root "$file"
  chmod 644 "$file"
  truncate -s -1 "$file"
  install -m 600 /dev/null data/quarantine/leftover
  # By an absolute path that user might not get here.
  cd data || return
  run -3 setpriv --reuid nobody --clear-groups --bounding-set=-all ./kvctl check --repair --data-directory .
  assert_matches "moved to quarantine/$key" "$output"
}

@test "check: as root, it leaves a mark that the node's user can read" {
  local key file
  copy_with readable
  truncate -s -1 "$file"
  umask 077
  ends_with 3 kvctl check --repair --data-directory data
  assert_equal "0 644" "$(stat -c '%s %a' "$file")"
}

@test "check: what it has moved away stays there, whatever the disk says of it afterwards" {
  local key file
  copy_with moved
  truncate -s -1 "$file"
  # The first look at the name in quarantine/ is whether it is free, the second after value and mark have changed places.
  run -3 strace -f -o trace -P "$key.$(stat -c %i "$file")" -e trace=newfstatat -e inject=newfstatat:error=EIO:when=2+ \
    "$KVCTL" check --repair --data-directory data
  grep -q 'newfstatat.*EIO' trace
  assert_matches "moved to quarantine/$key" "$output"
  cmp -n 2999999 "$(find data/quarantine -name "$key*")" value
  assert_equal 0 "$(stat -c %s "$file")"
}

@test "check: the status tells where nobody takes the text" {
  local key file
  copy_with silent
  truncate -s -1 "$file"
  run -3 sh -c "'$KVCTL' check --data-directory data >/dev/full"
  assert_matches '1 of [0-9]+ values? damaged' "$output"
}

locked_twice() { [[ $(grep -cs 'LOCK_EX.* = 0' trace) == 2 ]]; }

# Whoever restores a copy by hand, or a node of another version, takes no lock.
@test "check: puts back what came in place of the damaged value at the last moment" {
  local key file
  copy_with late
  cp -a "$file" whole
  truncate -s -1 "$file"
  strace -f -o trace -e trace=renameat2,flock -e inject=renameat2:delay_enter=3s:when=1 \
    "$KVCTL" check --repair --data-directory data >output 2>&1 &
  # By then the check has found the damage, made its mark, and locked first quarantine/ and then the value's directory.
  eventually 10 locked_twice
  mv whole "$file"
  wait $! || true
  assert_matches 'damaged +0' "$(cat output)"
  # There and back.
  assert_equal 2 "$(grep -c renameat2 trace)"
  cmp "$file" value
  assert_equal '' "$(find data/quarantine -name "$key*")"
}

@test "check: keeps to the rate" {
  local start=$EPOCHREALTIME
  kvctl put "$(key_owned_by 1 rate)" value
  kvctl check --data-directory "$CLUSTER/node1" --rate 2M >/dev/null
  # At least the last value's 3 MB at 2 MiB/s.
  python3 -c "import sys; sys.exit(not $EPOCHREALTIME - $start > 1.3)"
}

@test "check: a directory that is no node's" {
  ends_with 1 kvctl check --data-directory nowhere
  ends_with 1 kvctl check --data-directory .
  assert_equal "kvctl: data directory .: holds no store of kvnode's: it has no file 'format'" "$stderr"
  [[ ! -e values && ! -e quarantine && ! -e format ]]
}

@test "status: all is well" {
  # What earlier tests have damaged is a problem until somebody has looked at it.
  rm -f "$CLUSTER"/node*/quarantine/*
  eventually 30 kvctl status >/dev/null
  ends_with 0 kvctl status
  assert_equal 5 "${#lines[@]}"
  assert_matches "^NODE +ADDRESS +UP" "${lines[0]}"
  assert_matches "^node3 +127.0.0.3:7776 +yes .* $(fingerprint 1) +ok$" "${lines[3]}"
  kvctl status --json | python3 -m json.tool
  assert_equal "4 True []" "$(kvctl status --json | json '"{} {} {}".format(len(d["nodes"]), all(n["up"] for n in d["nodes"]), d["problems"])')"
  ends_with 0 kvctl_via 127.0.0.2 status
  assert_matches "^node2 +127.0.0.2:7776 +yes" "${lines[1]}"
}

@test "bench: measures and cleans up" {
  kvctl bench --size 64K --count 40 --concurrency 4 --json >result
  python3 -m json.tool result
  assert_equal "20 20 1310720" "$(json '"{} {} {}".format(d["put"]["operations"], d["get"]["operations"], d["get"]["bytes"])' <result)"
  ends_with 0 kvctl bench --size 1K --duration 300ms --mix 0/1 --keys 20
  assert_equal "" "$(grep '^put' <<<"$output")"
  assert_matches "get +[0-9]+ +[0-9.]+ " "$output"
  ends_with 0 kvctl_via 127.0.0.3 bench --size 0 --count 10 --mix 1/0
  assert_equal "" "$(kvctl ls kvctl-bench-)"
}

@test "bench: cleans up when it is interrupted" {
  "$KVCTL" bench --size 64K --duration 5min --node 127.0.0.1 >result 2>errors 3>&- &
  local bench=$! bench_status=0
  eventually 10 bash -c '[[ -n $("$1" ls kvctl-bench- --node 127.0.0.1) ]]' - "$KVCTL"
  # In the background a shell has SIGINT ignored.
  kill -TERM "$bench"
  wait "$bench" || bench_status=$?
  assert_equal 130 "$bench_status"
  assert_equal "kvctl: BENCH: interrupted" "$(cat errors)"
  assert_matches "put +[0-9]+" "$(cat result)"
  assert_equal "" "$(kvctl ls kvctl-bench-)"
}

@test "bench: ends at the first error, with its status" {
  ends_with 4 "$KVCTL" bench --count 10 --node 127.0.0.8
}

@test "a progress bar on a terminal, and none in a pipe" {
  kvctl put bar value 2>errors
  [[ ! -s errors ]]
  start_faucet 1000000 pause
  kvctl_via 127.0.0.9 get bar -o out 2>errors
  [[ ! -s errors ]]
  script -qec "stty cols 100; '$KVCTL' get bar -o out --node 127.0.0.9" screen
  assert_matches 'GET bar  \[=+ *\]  [0-9]+ %  .* of 2.9 MiB  .*B/s' "$(cat screen)"
  cmp out value
  script -qec "'$KVCTL' get bar -o out --no-progress --node 127.0.0.9" screen
  [[ ! $(cat screen) =~ MiB ]]
  # A value that goes to the terminal itself is not mixed with a bar.
  script -qec "'$KVCTL' get bar --node 127.0.0.9" screen
  [[ $(tr -d '\0' <screen) != *'of 2.9 MiB'* ]]
  stop_faucet
}

# make_tree DIRECTORY: files of several sizes at several depths.
make_tree() {
  mkdir -p "$1/sub/deep"
  cp value "$1/sub/deep/large"
  head -c 100000 value >"$1/sub/medium"
  echo a >"$1/a"
  : >"$1/sub/empty"
  echo b >"$1"/$'odd \n\xff'
}

@test "put -r and get -r: a directory, there and back, and again" {
  make_tree tree
  ends_with 0 kvctl put -r tree many/one
  assert_matches "^5 values stored \(3.0 MiB\)$" "$output"
  assert_equal 5 "$(kvctl ls many/one/ | wc -l)"
  kvctl get -e many/one/odd%20%0A%FF | cmp - tree/$'odd \n\xff'
  ends_with 0 kvctl_via 127.0.0.3 get -r many/one back -j 3
  assert_matches "^5 values fetched" "$output"
  diff -r tree back
  ends_with 0 kvctl put -r tree many/one/ --json
  assert_equal "5 0 0" "$(json '"{unchanged} {stored} {bytes}".format(**d)' <<<"$output")"
  echo changed >back/a
  rm back/sub/medium
  ends_with 0 kvctl get -r many/one back
  assert_matches "^2 values fetched .*, 3 values unchanged$" "$output"
  diff -r tree back
  # A prefix is a directory: what only begins with the same letters is none of it.
  kvctl put many/one-more value
  [[ ! -e back-more ]]
  ends_with 0 kvctl get -r many/one back
  assert_equal "5 values unchanged" "$output"
}

@test "put -r: what is no file is left out with a line, and no link is followed" {
  mkdir tree
  echo secret >outside
  ln -s ../outside tree/link
  ln -s .. tree/up
  mkfifo tree/fifo
  echo a >tree/a
  ends_with 0 kvctl put -r tree left-out
  assert_equal "1 value stored (2 B), 3 left out" "$output"
  assert_equal "$(printf 'kvctl: tree/%s, left out\n' \
    'fifo: neither a file nor a directory' 'link: a symbolic link' 'up: a symbolic link')" "$stderr"
  assert_equal "left-out/a" "$(kvctl ls left-out/)"
  ends_with 1 kvctl put -r nowhere left-out
  ends_with 64 kvctl put -r tree
  ends_with 64 kvctl put -r tree left-out --if-absent
}

@test "put -r and sync give the values that they send the Content-Type that is named, and none otherwise" {
  mkdir -p tree/sub
  echo a >tree/a
  echo b >tree/sub/b
  kvctl put -r tree typed-tree --content-type text/x-test
  for key in a sub/b; do assert_matches "type +text/x-test" "$(kvctl stat "typed-tree/$key")"; done
  echo more >tree/a
  kvctl sync tree kv:typed-tree --content-type text/x-other
  assert_matches "type +text/x-other" "$(kvctl stat typed-tree/a)"
  assert_matches "type +text/x-test" "$(kvctl stat typed-tree/sub/b)"
  echo most >tree/a
  kvctl put -r tree typed-tree
  assert_matches "type +application/octet-stream" "$(kvctl stat typed-tree/a)"
  ends_with 64 kvctl sync kv:typed-tree tree --content-type text/x-test
  ends_with 64 kvctl put -r tree typed-tree --content-type $'a\nb'
}

@test "get -r: keys that no file can have are refused one by one, and nothing is written outside" {
  local key
  for key in ../out a/../../out /etc/x a//b a/ . file file/below ok "$(printf 'x%.0s' {1..256})"; do
    kvctl put "evil/$key" value
  done
  kvctl put -e evil/nul%00 value
  mkdir -p safe/tree elsewhere
  ln -s ../../elsewhere safe/tree/link
  kvctl put evil/link/x value
  ends_with 1 kvctl get -r evil safe/tree
  assert_matches "^2 values fetched .*, 10 failed$" "$output"
  assert_matches "GET evil/../out: it cannot be a file: '\.\.' would lead out" "$stderr"
  assert_matches "GET evil/file/below: it cannot be a file: the key evil/file is a file" "$stderr"
  assert_matches "safe/tree/link/x: Not a directory" "$stderr"
  assert_equal 11 "$(wc -l <<<"$stderr")"
  assert_equal $'safe\nsafe/tree\nsafe/tree/file\nsafe/tree/link\nsafe/tree/ok' "$(find safe | LC_ALL=C sort)"
  [[ -z $(ls elsewhere) ]]
  # A link in the place of a file is replaced, not followed.
  rm safe/tree/ok
  ln -s ../../elsewhere/victim safe/tree/ok
  ends_with 1 kvctl get -r evil safe/tree
  [[ ! -L safe/tree/ok && ! -e elsewhere/victim ]]
}

@test "sync: both ways, with and without --delete and --dry-run" {
  local state
  make_tree tree
  kvctl sync tree kv:same
  echo other >tree/a
  rm tree/sub/empty
  state=$(kvctl ls -l same/ --json)
  ends_with 0 kvctl sync tree kv:same --delete --dry-run
  assert_equal $'del same/sub/empty\nput same/a' "$(grep -v dry-run <<<"$output" | LC_ALL=C sort)"
  assert_equal "$state" "$(kvctl ls -l same/ --json)"
  kvctl sync tree kv:same
  kvctl stat same/sub/empty
  ends_with 0 kvctl sync tree kv:same --delete
  assert_equal "1 value deleted, 4 values unchanged" "$output"
  ends_with 2 kvctl stat same/sub/empty
  echo more >tree/more
  kvctl put same/new value
  ends_with 0 kvctl sync kv:same tree
  [[ -e tree/more ]]
  cmp tree/new value
  ends_with 0 kvctl sync kv:same tree --delete
  [[ ! -e tree/more ]]
  kvctl get -r same copy
  diff -r tree copy
  ends_with 64 kvctl sync tree copy
  ends_with 64 kvctl sync kv:a kv:b
}

@test "sync --delete: deletes nothing where the source has nothing or cannot be read" {
  make_tree tree
  mkdir empty
  kvctl sync tree kv:guarded
  ends_with 1 kvctl sync empty kv:guarded --delete
  ends_with 1 kvctl sync nowhere kv:guarded --delete
  ends_with 1 kvctl sync kv:nothing-there tree --delete
  # What is there and is no file is not missing.
  rm tree/a
  ln -s sub tree/a
  ends_with 0 kvctl sync tree kv:guarded --delete
  assert_equal 5 "$(kvctl ls guarded/ | wc -l)"
  [[ -e tree/sub/medium ]]
}

@test "del: many keys, keys from a file, and all below a prefix" {
  local number
  for number in 1 2 3 4 5 6; do kvctl put "gone/$number" value; done
  kvctl put gone-not value
  ends_with 0 kvctl del gone/1 gone/2 gone/absent
  assert_equal "2 values deleted, 1 value absent" "$output"
  printf 'gone/3\n' >list
  kvctl del --from list
  printf 'gone/%%34\0' | kvctl del --from - --null -e
  assert_equal $'gone/5\ngone/6' "$(kvctl ls gone/)"
  # A list that broke off may end amid a key.
  ends_with 64 kvctl del --from - < <(printf 'gone/5')
  ends_with 64 kvctl del -r gone </dev/null
  assert_equal "kvctl: standard input is not a terminal: -r needs --yes" "$stderr"
  ends_with 0 kvctl del -r gone --dry-run
  assert_equal 2 "$(kvctl ls gone/ | wc -l)"
  script -qec "'$KVCTL' del -r gone --node 127.0.0.1" screen <<<n || true
  assert_matches "delete all values below gone\?" "$(cat screen)"
  assert_equal 2 "$(kvctl ls gone/ | wc -l)"
  kvctl del -r gone --yes
  assert_equal "" "$(kvctl ls gone/)"
  kvctl stat gone-not
  ends_with 64 kvctl del
  ends_with 64 kvctl del gone-not --from list
}

@test "ls: sizes and times come with the listing" {
  local key
  for key in k/{1..20} 'k/c d'; do printf 12345 >five; kvctl put "$key" five; done
  assert_matches '^ +5  20..-..-..T..:..:..Z  k/c d$' "$(kvctl ls -l 'k/c')"
  assert_equal "21 values, 105 bytes" "$(kvctl ls --total k/ | tail -n 1)"
  assert_equal "105 21 values k/" "$(kvctl du k/ | tr -s ' ' | sed 's/^ //')"
  assert_equal $'k/9\nk/c d' "$(kvctl ls k/ --start k/89)"
}

@test "cat and du" {
  kvctl put sizes/a value
  kvctl put sizes/sub/b value
  kvctl put sizes/sub/c value
  kvctl cat sizes/a sizes/sub/b | cmp - <(cat value value)
  ends_with 2 kvctl cat sizes/a sizes/absent
  assert_equal $'6000000 2 values sizes/sub/\n9000000 3 values sizes/' "$(kvctl du sizes/ | tr -s ' ' | sed 's/^ //')"
  assert_equal "8.6 MiB 3 values sizes/" "$(kvctl du -hs sizes/ | tr -s ' ' | sed 's/^ //')"
}

@test "cp and mv: all of it, or nothing" {
  kvctl put from value --content-type text/x-test
  kvctl cp from to
  kvctl get to | cmp - value
  assert_matches "type +text/x-test" "$(kvctl stat to)"
  kvctl_via 127.0.0.2 mv from moved
  kvctl get moved | cmp - value
  ends_with 2 kvctl stat from
  ends_with 5 kvctl cp moved to --if-absent
  ends_with 5 kvctl mv moved to --if-absent
  kvctl stat moved
  ends_with 2 kvctl mv absent to
  ends_with 64 kvctl mv to to
  : >empty
  kvctl put hollow empty
  kvctl mv hollow hollow-too
  assert_equal 0 "$(kvctl get hollow-too | wc -c)"
  # Damaged bytes do not become another value.
  flip_byte "$(value_file moved moved)" 1234567
  ends_with 3 kvctl mv moved to
  kvctl get to | cmp - value
  kvctl stat moved
  kvctl del moved
}

# kept_fields KEY: what is stored beside a value.
kept_fields() {
  curl --silent --fail --head "http://127.0.0.3:7776/$1" | tr -d '\r' |
    grep -iE '^(content-(type|encoding|disposition|language)|cache-control|expires|kvnode-meta-)' | sort
}

@test "cp and mv: what is stored beside the value goes along" {
  curl --silent --fail --upload-file value http://127.0.0.1:7776/fields --header 'Content-Type: text/x-test' \
    --header 'Content-Encoding: x-test' --header 'Content-Disposition: attachment; filename="a b"' \
    --header 'Content-Language: de' --header 'Cache-Control: max-age=60' \
    --header 'Expires: Sun, 29 Nov 2026 06:57:38 GMT' --header 'Kvnode-Meta-A: 1' --header 'Kvnode-Meta-B: two words'
  kept_fields fields >expected
  assert_equal 8 "$(wc -l <expected)"
  kvctl cp fields fields-copied
  kept_fields fields-copied | cmp - expected
  kvctl mv fields fields-moved
  kept_fields fields-moved | cmp - expected
  # Where there is nothing, nothing is made.
  kvctl put plain value
  kvctl cp plain plain-copied
  assert_equal "$(kept_fields plain)" "$(kept_fields plain-copied)"
  run ! getfattr --name user.kvnode.type "$(value_file plain-copied plain-copied)"
}

# next_faucet: in the place of the one before, one that lets everything through.
next_faucet() {
  stop_faucet
  rm heads
  start_faucet 100000000 cut
}

has_bytes() { [[ $(stat -c %s "$1" 2>/dev/null) == "$2" ]]; }

@test "cat and get to a stream go on where they stopped" {
  local command
  kvctl put streamed value
  start_faucet 1000000 cut
  for command in cat get; do
    kvctl_via 127.0.0.9 "$command" streamed --retries 9 >out
    cmp out value
  done
  stop_faucet
  assert_matches $'Range: bytes=1000000-\r' "$(cat heads)"
  assert_matches $'Range: bytes=2000000-\r' "$(cat heads)"
}

@test "cat never goes on with another value" {
  local reader
  kvctl put streamed value
  start_faucet 1000000 hold
  "$KVCTL" cat streamed --node 127.0.0.9 --retries 50 >out 2>err 3>&- &
  reader=$!
  eventually 10 has_bytes out 1000000
  random_file other 3000000
  kvctl put streamed other
  next_faucet
  status=0
  wait "$reader" || status=$?
  stop_faucet
  assert_equal 1 "$status"
  assert_matches "the value has changed since its first 1000000 bytes were written" "$(cat err)"
  cmp out <(head -c 1000000 value)
}

@test "cp and mv are tried again where that may help" {
  local command worker
  for command in cp mv; do
    kvctl put source value
    rm -f heads
    start_faucet 1000000 hold
    "$KVCTL" "$command" source "$command-target" --node 127.0.0.9 --retries 50 2>err 3>&- &
    worker=$!
    eventually 10 grep -q "^PUT /$command-target" heads
    next_faucet
    wait "$worker"
    stop_faucet
    assert_matches "trying again \(1 of 50\)" "$(cat err)"
    kvctl get "$command-target" | cmp - value
  done
  ends_with 2 kvctl stat source
  # What may have been done must not be done twice.
  kvctl put source value
  rm -f heads
  start_faucet 1000000 cut
  ends_with 4 kvctl_via 127.0.0.9 cp source if-absent --if-absent --retries 50
  stop_faucet
}

@test "mv: a deletion whose answer is lost is done again, and that there is nothing left is no failure" {
  kvctl put lost value
  start_faucet 100000000 lose
  ends_with 0 kvctl_via 127.0.0.9 mv lost found --retries 9
  stop_faucet
  assert_matches "DEL lost: .*; trying again \(1 of 9\)" "$stderr"
  assert_equal 2 "$(grep -c '^DELETE /lost' heads)"
  ends_with 2 kvctl stat lost
  kvctl get found | cmp - value
}

@test "put: a condition is not held against an attempt of which the answer was lost" {
  echo little >little
  start_faucet 100000000 lose-put
  ends_with 0 kvctl_via 127.0.0.9 put unseen little --if-absent --retries 9
  stop_faucet
  assert_matches "PUT unseen: .*; trying again \(1 of 9\)" "$stderr"
  assert_equal 2 "$(grep -c '^PUT /unseen' heads)"
  assert_equal 1 "$(grep '^Idempotency-Key' heads | sort -u | wc -l)"
  kvctl get unseen | cmp - little
  ends_with 5 kvctl put unseen little --if-absent --retries 9
  start_faucet 100000000 lose-put
  echo other >other
  ends_with 0 kvctl_via 127.0.0.9 put unseen other --if-match "$(kvctl stat unseen --json | json 'd["etag"]')" --retries 9
  stop_faucet
  kvctl get unseen | cmp - other
}

@test "put and get are tried again where that may help" {
  kvctl put again value
  start_faucet 1000000 cut
  ends_with 0 kvctl_via 127.0.0.9 get again -o out --retries 9
  assert_matches "closed the connection too early; trying again \(1 of 9\)" "$stderr"
  stop_faucet
  cmp out value
}

@test "completions for three shells" {
  "$KVCTL" --generate-completion-script bash >completion.bash
  bash -n completion.bash
  assert_matches "bench" "$(bash -c 'source completion.bash; complete -p kvctl; COMP_WORDS=(kvctl b); COMP_CWORD=1; _kvctl kvctl b; echo "${COMPREPLY[@]}"')"
  assert_matches '#compdef kvctl' "$("$KVCTL" --generate-completion-script zsh)"
  assert_matches 'complete' "$("$KVCTL" --generate-completion-script fish)"
}
