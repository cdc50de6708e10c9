# shellcheck shell=bash
# What is made once for all suites that run together: data directories of four nodes that have agreed on a layout. A test
# begins with a copy of them, so that each of its nodes can be started without the others.

setup_suite() {
  source "${BASH_SOURCE[0]%/*}/support.bash"
  export FOUNDED=$BATS_SUITE_TMPDIR/founded
  CLUSTER=$FOUNDED
  require_free_ports
  write_configurations
  if [[ ${KVNODE_TLS-} ]]; then
    "${KVNODE%/*}/kvctl" cert init "$FOUNDED/pem" --config "$CLUSTER/node1.conf" >/dev/null
  fi
  start_cluster
  eventually 60 all_have_layout
  for node in "${NODES[@]}"; do stop_node "$node"; done
  rm -f "$FOUNDED"/*.conf "$FOUNDED"/*.log "$FOUNDED"/*.pid
}

all_have_layout() {
  for node in "${NODES[@]}"; do
    [[ $(curl --silent "http://$(node_address "$node"):$PORT/?status" | jq .layout) == 1 ]] || return 1
  done
}

stop_node() {
  kill "$(node_pid "$1")"
  wait "$(node_pid "$1")" || true
}
