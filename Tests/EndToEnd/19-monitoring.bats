# The alerts and the dashboard that the package brings: well-formed, right about what they watch, and asking for nothing
# that a node does not tell.

# shellcheck disable=SC2154 # support.bash and bats set variables, and every test is a subshell.

load support

setup() {
  cd "$BATS_TEST_TMPDIR" || return
  prepare_test_cluster
}

teardown() { kill_cluster; }

# Starts a node with a directory for what it remembers, in which a check has left its status.
start_checked_node() {
  mkdir state
  echo 3 >state/last-check
  touch --date=@1700000000 state/last-check
  # shellcheck disable=SC2016 # Expanded by the shell that becomes the node.
  start_node 1 sh -c 'exec "$@" --state state' sh
}

told_metrics() { curl --silent --fail http://127.0.0.1:7777/metrics | awk '$2 == "TYPE" { print $3 }' | sort -u; }

# Without what Prometheus adds to a histogram's name, and without the labels of its own.
asked_metrics() { grep -ohE '\b(kvnode|process)_[a-z_]+' "$@" | sed -E 's/_(bucket|sum|count)$//' | sort -u; }

tells_of_values() { told_metrics | grep -qx kvnode_store_values; }

@test "promtool finds the alerts well-formed, and right by their tests" {
  promtool check rules "$REPOSITORY/monitoring/alerts.yml"
  promtool test rules "$REPOSITORY/monitoring/alerts.test.yml"
}

@test "alerts and dashboard ask for metrics that a node gives, and for nothing else" {
  start_checked_node
  eventually 20 tells_of_values
  told_metrics >told
  for file in alerts.yml dashboard.json; do
    asked_metrics <(grep -E 'expr' "$REPOSITORY/monitoring/$file") >asked
    (($(wc -l <asked) > 10))
    assert_equal '' "$(comm -23 asked told)"
  done
}

@test "the dashboard is JSON with a title and a query for each panel, numbered each once" {
  jq -e '.title == "kvnode" and (.panels | length > 10) and all(.panels[]; .title != "" and (.targets | length > 0))
    and ([.panels[].id] | unique | length) == (.panels | length)' "$REPOSITORY/monitoring/dashboard.json"
}

@test "docs/operating.md says what to do about each alert" {
  local alert
  while read -r alert; do
    grep -q "^|.*\`$alert\`.*|" "$REPOSITORY/docs/operating.md" || {
      echo "$alert" >&2
      return 1
    }
  done < <(sed -n 's/.*- alert: //p' "$REPOSITORY/monitoring/alerts.yml")
}

@test "the last check, the configuration, the peer list and the process are in /metrics" {
  start_checked_node
  assert_metric 1 kvnode_last_check_exit_status 3
  assert_metric 1 kvnode_last_check_time_seconds 1700000000
  assert_metric 1 "kvnode_peer_list_info{fingerprint=\"$(fingerprint 1)\"}" 1
  assert_metric 1 kvnode_configuration_refused 0
  now=$(date +%s)
  for name in kvnode_configuration_load_time_seconds process_start_time_seconds; do
    value=$(metric 1 $name)
    ((${value%.*} > now - 600 && ${value%.*} <= now))
  done
  assert_metric 1 process_max_fds "$(awk '/Max open files/ { print $5 }' "/proc/$(node_pid 1)/limits")"
}

@test "a peer that does not answer is down in /metrics, and up once it does, though nobody asks for anything of it" {
  start_cluster
  eventually 30 has_metric 1 'kvnode_peer_up{peer="node3"}' 1
  kill_node 3
  eventually 30 has_metric 1 'kvnode_peer_up{peer="node3"}' 0
  start_node 3
  eventually 30 has_metric 1 'kvnode_peer_up{peer="node3"}' 1
  # A look is no request of a client's that failed.
  assert_metric 1 'kvnode_relay_failures_total{peer="node3",failure="unreachable"}' ''
}

@test "what a request finds of a peer is in /metrics at once" {
  start_cluster
  key=$(key_owned_by 3 key)
  get 1 "$key"
  eventually 10 has_metric 1 'kvnode_peer_up{peer="node3"}' 1
  kill_node 3
  get 1 "$key"
  eventually 10 has_metric 1 'kvnode_peer_up{peer="node3"}' 0
  assert_metric 1 'kvnode_relay_failures_total{peer="node3",failure="unreachable"}' 1
  start_node 3
  get 1 "$key"
  eventually 10 has_metric 1 'kvnode_peer_up{peer="node3"}' 1
}

@test "what is refused is counted by its HTTP status" {
  start_node 1
  key=$(key_owned_by 1 key)
  get 1 "$key"
  raw 1 'GET\n'
  eventually 10 has_metric 1 'kvnode_requests_refused_total{status="404"}' 1
  eventually 10 has_metric 1 'kvnode_requests_refused_total{status="400"}' 2
  assert_metric 1 'kvnode_connections_refused_total{reason="not_allowed"}' 0
}

@test "connections from addresses that are not allowed are counted" {
  configure 1 access '[Access]' AllowedClients=127.0.0.1
  start_node 1
  nc -N -s 127.0.0.9 127.0.0.1 7776 </dev/null || true
  eventually 10 has_metric 1 'kvnode_connections_refused_total{reason="not_allowed"}' 1
}
