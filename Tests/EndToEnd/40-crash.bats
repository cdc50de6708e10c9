# A node that is killed at any moment keeps what it has acknowledged, and nothing by half; and why: the order of the
# system calls by which a value becomes durable.
#
# KVNODE_KILLS says how many times nodes are killed (210), KVNODE_SEED repeats a run.

# shellcheck disable=SC2154 # support.bash and bats set variables, and every test is a subshell.

load support

KVCTL=${KVCTL:-${KVNODE%/*}/kvctl}

setup() {
  prepare_test_cluster
  cd "$BATS_TEST_TMPDIR" || return
  key=$(key_owned_by 1 key)
}

teardown() { kill_cluster; }

# What shows the order of a commit; `accept4` marks where a request begins.
TRACED=openat,mkdirat,fallocate,pwrite64,write,fsetxattr,fsync,fdatasync,rename,renameat,renameat2,unlinkat,unlink
TRACED+=,flock,newfstatat,sendto,sendmsg,sendfile,splice,shutdown,accept4

# A node under strace, which is the node's grandchild (-D): it ends with the node, and not the other way round.
start_traced() { start_node 1 strace -D -f -y -s 200 -e "trace=$TRACED" -o "$PWD/trace"; }

# in_order PATTERN...: see helpers/trace.py.
in_order() { /usr/bin/python3 "$HELPERS/trace.py" "$PWD/trace" "$@" >"$PWD/found" 2>&1; }

# strace writes a line after the call: so the last one may come a little later than the answer.
eventually_in_order() {
  eventually 5 in_order "$@" 2>/dev/null && return
  cat "$PWD/found" >&2
  return 1
}

values() { printf '%s/node1/values/%s' "$CLUSTER" "$(printf '%s\n' "$1" | md5sum | cut -c 1-2)"; }

@test "nodes killed at random moments under load lose nothing that was acknowledged and keep nothing by half" {
  run timeout 280 setpriv --pdeathsig KILL /usr/bin/python3 "$HELPERS/crash.py" \
    "$KVNODE" "$PWD" "${KVNODE_KILLS:-210}" ${KVNODE_SEED:+"$KVNODE_SEED"}
  echo "$output"
  [ "$status" -eq 0 ]
  assert_matches 'violations=0' "$output"
}

# A power cut would take the directory away with all that was acknowledged.
@test "the order of a first start: the data directory, what is in it, and its name in its parent" {
  rm -rf "$CLUSTER/node1"
  start_node 1 strace -D -f -y -s 200 -e trace=mkdir,mkdirat,fsync -o "$PWD/trace"
  eventually_in_order \
    "mkdir\\(\"$CLUSTER/node1\", 0750\\) += 0" \
    "fsync\\([0-9]+<$CLUSTER>\\) += 0" \
    "mkdirat\\([0-9]+<$CLUSTER/node1>, \"values\", 0750\\) += 0" \
    "fsync\\([0-9]+<$CLUSTER/node1>\\) += 0"
}

@test "the order of a PUT: content, attribute, sync, name, sync of the directory, answer" {
  start_traced
  assert_equal "$key" "$(raw 1 "PUT $key\nvalue")"
  eventually_in_order \
    'accept4.* += [0-9]+' \
    "not sendto.*\"$key" \
    "openat\\([0-9]+<$CLUSTER/node1/staging>, \"1\", O_RDWR\\|O_CREAT\\|O_EXCL" \
    "not sendto.*\"$key" \
    "pwrite64\\([0-9]+<$CLUSTER/node1/staging/1>, \"value\", 5, 0\\) += 5" \
    "fsetxattr\\([0-9]+<$CLUSTER/node1/staging/1>, \"user.kvnode\"" \
    'not pwrite64|fsetxattr' \
    "fsync\\([0-9]+<$CLUSTER/node1/staging/1>\\) += 0" \
    "not sendto.*\"$key" \
    "flock\\([0-9]+<$(values "$key")>, LOCK_SH\\|LOCK_NB\\) += 0" \
    'not flock' \
    "renameat\\([0-9]+<$CLUSTER/node1/staging>, \"1\", [0-9]+<$(values "$key")>, \"$key\"\\) += 0" \
    "not sendto.*\"$key" \
    "flock\\([0-9]+<$(values "$key")>, LOCK_UN\\) += 0" \
    "not sendto.*\"$key" \
    "fsync\\([0-9]+<$(values "$key")>\\) += 0" \
    "sendto.*\"$key"
}

@test "the order of an HTTP PUT of known length: its space comes first, 201 last" {
  start_traced
  head -c 3M /dev/zero >value
  assert_equal 201 "$(curl -sS -o answer -w '%{http_code}' -T value "http://127.0.0.1:7776/$key")"
  eventually_in_order \
    'openat\(.*/staging>, "1", O_RDWR\|O_CREAT\|O_EXCL' \
    "fallocate\\([0-9]+<$CLUSTER/node1/staging/1>, 0, 0, 3145728\\) += 0" \
    'sendto.*"HTTP/1.1 100 Continue' \
    "pwrite64\\([0-9]+<$CLUSTER/node1/staging/1>" \
    "fsetxattr\\([0-9]+<$CLUSTER/node1/staging/1>" \
    'not HTTP/1.1 20' \
    "fsync\\([0-9]+<$CLUSTER/node1/staging/1>\\) += 0" \
    'not HTTP/1.1 20' \
    "renameat\\(.*\"$key\"\\) += 0" \
    'not HTTP/1.1 20' \
    "fsync\\([0-9]+<$(values "$key")>\\) += 0" \
    'sendto.*"HTTP/1.1 201 '
}

@test "the order of a PUT under a long key: its new directory is durable before the name is in it" {
  start_traced
  # Longer than one file name; owned by whichever node, so the only node that runs must be that one.
  local number=1 long
  long=$(printf 'k%.0s' {1..400})
  until [[ $(owner_of "$long$number") == 1 ]]; do number=$((number + 1)); done
  long+=$number
  assert_equal "$long" "$(raw 1 "PUT $long\nvalue")"
  eventually_in_order \
    "fsync\\([0-9]+<$CLUSTER/node1/staging/1>\\) += 0" \
    "mkdirat\\([0-9]+<$(values "$long")>, \"k+\\+\"" \
    "not sendto.*\"kkk" \
    "fsync\\([0-9]+<$(values "$long")>\\) += 0" \
    "not sendto.*\"kkk" \
    "renameat\\([0-9]+<$CLUSTER/node1/staging>, \"1\", [0-9]+<$(values "$long")/k+\\+>" \
    "not sendto.*\"kkk" \
    "fsync\\([0-9]+<$(values "$long")/k+\\+>\\) += 0" \
    'sendto.*"kkk'
}

@test "the order of a DEL: the name goes, sync of the directory, answer" {
  start_traced
  raw 1 "PUT $key\nvalue"
  raw 1 "DEL $key\n"
  eventually_in_order \
    "sendto.*\"$key" \
    'accept4.* += [0-9]+' \
    "flock\\([0-9]+<$(values "$key")>, LOCK_SH\\|LOCK_NB\\) += 0" \
    'not flock|shutdown' \
    "unlinkat\\([0-9]+<$(values "$key")>, \"$key\", 0\\) += 0" \
    'not shutdown' \
    "fsync\\([0-9]+<$(values "$key")>\\) += 0" \
    'shutdown\(.*SHUT_WR\)'
  raw 1 "PUT $key\nvalue"
  assert_equal 204 "$(curl -sS -o answer -w '%{http_code}' -X DELETE "http://127.0.0.1:7776/$key")"
  eventually_in_order \
    'shutdown' \
    "sendto.*\"$key" \
    'not HTTP/1.1 204' \
    "unlinkat\\([0-9]+<$(values "$key")>, \"$key\", 0\\) += 0" \
    'not HTTP/1.1 204' \
    "fsync\\([0-9]+<$(values "$key")>\\) += 0" \
    'sendto.*"HTTP/1.1 204'
}

@test "the order of a repair: a mark that is durable, under the lock a last look and the exchange, syncs" {
  if [[ ! -x $KVCTL ]]; then skip "there is no $KVCTL"; fi
  start_node 1
  raw 1 "PUT $key\nvalue"
  printf V | dd of="$(values "$key")/$key" conv=notrunc status=none
  run -3 strace -f -y -s 200 -e "trace=$TRACED" -o "$PWD/trace" \
    "$KVCTL" check --repair --data-directory "$CLUSTER/node1"
  local quarantine=$CLUSTER/node1/quarantine mark=$key'\.[0-9]+'
  eventually_in_order \
    "openat\\([0-9]+<$quarantine>, \"$mark\", O_RDWR\\|O_CREAT\\|O_EXCL" \
    "fsetxattr\\([0-9]+<$quarantine/$mark>, \"user.kvnode.damaged\", \"$mark\"" \
    "fsync\\([0-9]+<$quarantine/$mark>\\) += 0" \
    "flock\\([0-9]+<$(values "$key")>, LOCK_EX\\|LOCK_NB\\) += 0" \
    'not flock' \
    "newfstatat\\([0-9]+<$(values "$key")>, \"$key\"" \
    'not flock' \
    "renameat2\\([0-9]+<$(values "$key")>, \"$key\", [0-9]+<$quarantine>, \"$mark\", RENAME_EXCHANGE\\) += 0" \
    "flock\\([0-9]+<$(values "$key")>, LOCK_UN\\) += 0" \
    "fsync\\([0-9]+<$quarantine>\\) += 0" \
    "fsync\\([0-9]+<$(values "$key")>\\) += 0"
}

# The protocol's weak spot: to a classic client "nothing" is the success of a DEL and the value of 0 bytes. So a death
# before the answer must be a reset.
@test "a node that is killed before it answers a classic DEL or GET resets the connection" {
  start_node 1
  start_node 2
  key=$(key_owned_by 2 key)
  raw 1 "PUT $key\nvalue"
  for verb in DEL GET PUT; do
    kill -STOP "$(node_pid 2)"
    start_client asker 127.0.0.1 text="$verb $key\\n" shut touch="$PWD/asked" read
    eventually 10 test -e asked
    # The relay has passed the request on, and waits.
    eventually 10 request_waits
    kill_node 1
    finish_client asker
    assert_equal 104 "$client_status"
    assert_equal '' "$(cat asker.out)"
    kill -CONT "$(node_pid 2)"
    rm asked
    start_node 1
  done
}

# Node 2, which is stopped, has not read something yet.
request_waits() { [[ -n $(ss -Htn state established 'src 127.0.0.2:7776' | awk '$1 > 0') ]]; }
