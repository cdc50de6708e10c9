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

@test "the dashboard is put together as Grafana wants it" {
  "$HELPERS/dashboard.py" "$REPOSITORY/monitoring/dashboard.json"
  jq -e '.title == "kvnode" and (.panels | length > 10)' "$REPOSITORY/monitoring/dashboard.json"
}

@test "a dashboard that is not is found out" {
  local fault line
  while IFS='#' read -r fault line; do
    jq "$fault" "$REPOSITORY/monitoring/dashboard.json" >faulty.json
    run -1 "$HELPERS/dashboard.py" faulty.json
    assert_matches "$line" "$output"
  done <<'FAULTS'
.panels[3].gridPos.x = 11#overlap
.panels[3].gridPos.w = 13#outside the grid
.panels[3].id = .panels[2].id#two panels have one id
.panels[3].datasource.uid = "abc"#its source is not the variable
.panels[3].targets[0].legend = "a"#unknown member legend
.panels[3].targets[0].expr |= gsub("[$]job"; "$jobs")#there is no variable jobs
.panels[3].fieldConfig.defaults.unit = "parsecs"#unknown unit
.panels[4].targets[1].refId = "A"#two with one refId
del(.templating.list[0])#there is not one variable for the source
FAULTS
}

# start_prometheus: one that scrapes the nodes every second and goes by the alerts.
start_prometheus() {
  cat >prometheus.yml <<CONFIGURATION
global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [$REPOSITORY/monitoring/alerts.yml]
scrape_configs:
  - job_name: kvnode
    static_configs: [{targets: ['127.0.0.1:7777', '127.0.0.2:7777']}]
CONFIGURATION
  setpriv --pdeathsig KILL prometheus --config.file=prometheus.yml --storage.tsdb.path=prometheus \
    --web.listen-address=127.0.0.5:9090 >prometheus.log 2>&1 3>&- </dev/null &
}

rules() { curl --silent --fail http://127.0.0.5:9090/api/v1/rules | jq -r "$1"; }

# All rules have been evaluated, each without an error.
rules_are_evaluated() { [[ $(rules '[.data.groups[].rules[].health] | unique | .[]') == ok ]]; }

dashboard_is_answered() { "$HELPERS/dashboard.py" "$REPOSITORY/monitoring/dashboard.json" http://127.0.0.5:9090; }

@test "a Prometheus that scrapes nodes answers each query of the dashboard, and evaluates each alert" {
  start_checked_node
  for node in 2 3 4; do start_node $node; done
  for node in 1 2; do get $node "$(key_owned_by $node key)"; done
  start_prometheus
  eventually 60 dashboard_is_answered
  eventually 20 rules_are_evaluated
  assert_equal "$(grep -c -- '- alert:' "$REPOSITORY/monitoring/alerts.yml")" "$(rules '[.data.groups[].rules[]] | length')"
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
