# Classic and HTTP clients together, many at once, and every byte checked.

# shellcheck disable=SC2154 # support.bash and bats set variables, and every test is a subshell.

load support

setup() {
  cd "$BATS_TEST_TMPDIR" || return
  prepare_test_cluster
  configure all access '[Node]' AccessLog=no
}

teardown() { kill_cluster; }

descriptors() { find "/proc/$(node_pid "$1")/fd" -type l | wc -l; }
has_at_most_descriptors() { (($(descriptors "$1") <= $2)); }

# So many idle connections a node keeps to each other one, and each other one to it.
POOLED_CONNECTIONS_MAX=64

@test "200 connections of both dialects at once: every byte right" {
  local seconds=10 node before=()
  if [[ ${KVNODE_LONG:-} == 1 ]]; then seconds=60; fi
  start_cluster
  for node in "${NODES[@]}"; do before[node]=$(descriptors "$node"); done
  timeout 250 /usr/bin/python3 "$HELPERS/hammer.py" 200 "$seconds" >counts || { cat counts >&2; return 1; }
  cat counts >&2
  # All of it was done, and nothing is left behind but pooled connections and pipes.
  assert_equal 4 "$(grep -c 'delete=[0-9]* extra=[0-9]* get=[0-9]* put=[0-9]* shared=[0-9]*$' counts)"
  for node in "${NODES[@]}"; do
    eventually 30 staging_is_empty "$node"
    eventually 30 has_at_most_descriptors "$node" $((before[node] + 2 * 3 * POOLED_CONNECTIONS_MAX + 100))
    node_answers "$node"
  done
}

@test "and with nodes that have few threads of their own, few pipes and few descriptors" {
  local node
  for node in "${NODES[@]}"; do launch_node "$node" prlimit --nofile=1400:1400 taskset -c 0; done
  for node in "${NODES[@]}"; do await_node "$node"; done
  timeout 250 /usr/bin/python3 "$HELPERS/hammer.py" 100 5 >counts || { cat counts >&2; return 1; }
}
