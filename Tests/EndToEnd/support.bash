# shellcheck shell=bash disable=SC2034
# What the suites share. Each is run by bats with KVNODE naming the binary. With KVNODE_TLS=1 all nodes encrypt what they
# tell each other, and the requests of the README are made over TLS.

bats_require_minimum_version 1.5.0

REPOSITORY=$(cd "${BASH_SOURCE[0]%/*}/../.." && pwd)
HELPERS=$REPOSITORY/Tests/EndToEnd/helpers
KVNODE=${KVNODE:-$REPOSITORY/.build/debug/kvnode}
# A test that hangs fails instead. bats reads it before each test.
export BATS_TEST_TIMEOUT=${BATS_TEST_TIMEOUT:-300}

source "$REPOSITORY/scripts/cluster.bash"

# One cluster for all tests of a suite: for its setup_file and teardown_file, and its setup.
start_suite_cluster() {
  export CLUSTER=$BATS_FILE_TMPDIR/cluster
  require_free_ports
  found_cluster
  write_configurations
  if [[ ${KVNODE_TLS-} ]]; then encrypt_all; fi
  start_cluster
}

# A cluster of one test: for setup. The nodes are configured and not yet started.
prepare_test_cluster() {
  CLUSTER=$BATS_TEST_TMPDIR/cluster
  require_free_ports
  found_cluster
  write_configurations
  if [[ ${KVNODE_TLS-} ]]; then encrypt_all; fi
}

# Has all nodes encrypt, with the certificates that were made for the suites.
encrypt_all() {
  local node
  for node in "${NODES[@]}"; do
    configure "$node" 00-tls '[TLS]' "Certificate=$FOUNDED/pem/node$node.pem" "PrivateKey=$FOUNDED/pem/node$node.key" \
      "PeerAuthorities=$FOUNDED/pem/authority.pem" Peers=required
  done
}

# Gives the four nodes the data directories of nodes that have agreed on a layout already.
found_cluster() {
  mkdir -p "$CLUSTER"
  cp -a "$FOUNDED/." "$CLUSTER"
}

# Makes the four nodes such as have no layout yet and have served by their lists: each has a value.
unfound_cluster() {
  local node
  for node in "${NODES[@]}"; do
    rm -rf "$CLUSTER/node$node"
    mkdir -p "$CLUSTER/node$node/values/00"
    echo value >"$CLUSTER/node$node/values/00/old"
  done
}

# configure all|N NAME LINE...: adds a drop-in to the configuration of every node, or of one.
configure() {
  local nodes=("$1") name=$2 node
  shift 2
  if [[ ${nodes[0]} == all ]]; then nodes=("${NODES[@]}"); fi
  for node in "${nodes[@]}"; do
    mkdir -p "$CLUSTER/node$node.conf.d"
    printf '%s\n' "$@" >"$CLUSTER/node$node.conf.d/$name.conf"
  done
}

# put N KEY FILE [LENGTH], get N KEY, del N KEY: the requests of the README, through node N.
put() { (echo "PUT $2${4:+ $4}"; cat "$3") | talk "$1" -N; }
get() { echo "GET $2" | talk "$1"; }
del() { echo "DEL $2" | talk "$1"; }

# raw N FORMAT: sends what printf makes of FORMAT and half-closes.
raw() {
  # shellcheck disable=SC2059 # The format is the point: it can hold every byte.
  printf "$2" | talk "$1" -N
}

# talk N NC-ARGUMENT...: what nc does.
talk() {
  if [[ ${KVNODE_TLS-} ]]; then
    timeout 120 python3 "$HELPERS/tls_client.py" "$(node_address "$1")" "$FOUNDED/pem/authority.pem" ''
  else
    timeout 120 nc "${@:2}" "$(node_address "$1")" "$PORT"
  fi
}

# snippet NAME: the indented lines of docs/operating.md after the line that begins with NAME.
snippet() {
  awk -v name="$1" '
    index($0, name) == 1 { found = 1; next }
    found && /^    / { print substr($0, 5); begun = 1; next }
    found && begun && !/^$/ { exit }
  ' "$REPOSITORY/docs/operating.md"
}

# random_file PATH BYTES
random_file() { head -c "$2" /dev/urandom >"$1"; }

assert_equal() {
  if [[ $2 != "$1" ]]; then
    printf 'expected: %s\ngot:      %s\n' "$1" "$2" >&2
    return 1
  fi
}

assert_matches() {
  if [[ ! $2 =~ $1 ]]; then
    printf 'expected to match: %s\ngot:               %s\n' "$1" "$2" >&2
    return 1
  fi
}

# metric NODE NAME-AND-LABELS: its value, or nothing where there is none.
metric() { curl --silent --fail "http://127.0.0.$1:7777/metrics" | awk -v name="$2" '$1 == name { print $2 }'; }

assert_metric() { assert_equal "$2 $3" "$2 $(metric "$1" "$2")"; }

has_metric() { [[ $(metric "$1" "$2") == "$3" ]]; }

# eventually SECONDS COMMAND...: repeats the command until it succeeds.
eventually() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@"; do
    if ((SECONDS >= deadline)); then
      echo "this has not come true in time: $*" >&2
      return 1
    fi
    sleep 0.05
  done
}

# start_client NAME HOST STEP...: runs helpers/client.py in the background; its output goes to NAME.out.
start_client() {
  local name=$1
  shift
  setpriv --pdeathsig KILL /usr/bin/python3 "$HELPERS/client.py" "$@" \
    >"$BATS_TEST_TMPDIR/$name.out" 2>"$BATS_TEST_TMPDIR/$name.err" 3>&- </dev/null &
  echo $! >"$BATS_TEST_TMPDIR/$name.pid"
}

# Waits for a client and sets client_status: 0, or 104 (ECONNRESET) where the node reset the connection.
finish_client() {
  client_status=0
  wait "$(cat "$BATS_TEST_TMPDIR/$1.pid")" || client_status=$?
  cat "$BATS_TEST_TMPDIR/$1.err" >&2
}

# value_file KEY NAME: where the value of a key lies that is written as NAME in file names.
value_file() {
  local shard
  shard=$(printf '%s\n' "$1" | md5sum | cut -c 1-2)
  echo "$CLUSTER/node$(owner_of "$1")/values/$shard/$2"
}

# Every file and directory of a node's data, with what a write would change; but for staging/, where each node
# writes a small probe now and then to see whether its disk works.
data_state() { find "$CLUSTER/node$1" -path "$CLUSTER/node$1/staging" -prune -o -printf '%p %s %T@ %C@\n' | sort; }

# written_bytes N: what node N has written to files so far (proc(5)); a tmpfs does not count.
written_bytes() { awk '$1 == "write_bytes:" { print $2 }' "/proc/$(node_pid "$1")/io"; }

# has_staged N BYTES: node N has at least so many bytes of values in the making.
has_staged() {
  local bytes
  bytes=$(find "$CLUSTER/node$1/staging" -type f -printf '%s\n' | awk '{ sum += $1 } END { print sum + 0 }')
  ((bytes >= $2))
}

# staging_is_empty N: node N has no value in the making. Its own probe is none.
staging_is_empty() { [[ -z $(find "$CLUSTER/node$1/staging" -mindepth 1 ! -name probe) ]]; }

log_has() { grep -qF -- "$2" "$CLUSTER/node$1.log"; }

# fingerprint N: of the peer list in node N's configuration.
fingerprint() { "$KVNODE" --config "$CLUSTER/node$1.conf" --check-config | awk '$1 == "fingerprint" { print $2 }'; }
