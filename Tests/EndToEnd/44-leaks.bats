# After a minute of traffic of every kind, much of it broken off, everything is back where it was: descriptors, pipes,
# threads, memory, files in staging/. With KVNODE_LONG=1 it is ten minutes.

# shellcheck disable=SC2154 # support.bash and bats set variables, and every test is a subshell.

load support

if [[ -n ${KVNODE_LONG-} ]]; then
  TRAFFIC_SECONDS=600
  export BATS_TEST_TIMEOUT=900
else
  TRAFFIC_SECONDS=${KVNODE_TRAFFIC_SECONDS:-60}
fi
# So many connections to one other node are kept for the next request, and so many pipes for the next relay.
POOLED_CONNECTIONS_MAX=64
POOLED_PIPE_ENDS_MAX=96

setup() {
  prepare_test_cluster
  cd "$BATS_TEST_TMPDIR" || return
  configure all limits '[Limits]' IdleTimeout=3s HeaderTimeout=3s
  configure all quiet '[Node]' AccessLog=no
}

teardown() { kill_cluster; }

traffic() { setpriv --pdeathsig KILL /usr/bin/python3 "$HELPERS/mix.py" "$1" 12 127.0.0.1 127.0.0.2; }

# count N socket|pipe|other: what node N has open.
count() {
  local links
  links=$(find "/proc/$(node_pid "$1")/fd" -type l -printf '%l\n')
  case $2 in
    other) grep -vc '^socket:\|^pipe:' <<<"$links" ;;
    *) grep -c "^$2:" <<<"$links" || true ;;
  esac
}

of_status() { awk -v name="$2:" '$1 == name { print $2 }' "/proc/$(node_pid "$1")/status"; }

at_most() {
  local limit=$1
  shift
  (($("$@") <= limit))
}

report() {
  local node
  for node in 1 2; do
    echo "$1: node$node: $(count $node socket) sockets, $(count $node pipe) pipe ends, $(count $node other) others," \
      "$(of_status $node Threads) threads, $(of_status $node VmRSS) KiB"
  done
}

@test "a minute of traffic with aborts leaves nothing behind" {
  start_node 1
  start_node 2
  # Nodes 3 and 4 are not there: requests for their keys fail, and leave nothing behind either.
  declare -A sockets others threads memory
  for node in 1 2; do
    sockets[$node]=$(count $node socket)
    others[$node]=$(count $node other)
  done
  # Warm: what is made once, as buffers of threads are, is there.
  traffic 8
  eventually 30 staging_is_empty 1
  eventually 30 staging_is_empty 2
  for node in 1 2; do
    threads[$node]=$(of_status $node Threads)
    memory[$node]=$(of_status $node VmRSS)
  done
  report before
  traffic "$TRAFFIC_SECONDS"
  report 'right after'
  for node in 1 2; do
    eventually 40 at_most $((${sockets[$node]} + POOLED_CONNECTIONS_MAX)) count $node socket
    eventually 10 at_most "${others[$node]}" count $node other
    eventually 10 at_most $POOLED_PIPE_ENDS_MAX count $node pipe
    eventually 10 staging_is_empty $node
    assert_equal "${threads[$node]}" "$(of_status $node Threads)"
  done
  report after
  for node in 1 2; do
    # An allocator returns what it likes: a quarter and 12 MiB are noise, a leak a request would be far more.
    ((memory[$node] * 5 / 4 + 12288 >= $(of_status $node VmRSS)))
    assert_matches 'kvnode_requests_in_flight 0' "$(curl -sS "http://127.0.0.$node:7777/metrics")"
  done
}
