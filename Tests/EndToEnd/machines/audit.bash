# Clients outside the machines, in both dialects and on all of nodes, of which each answer is written down and judged in
# the end (audited.py and linearizable.py), and what it takes to wait for what happens meanwhile. For files that have
# loaded `machines`.

# shellcheck shell=bash
# nodes and here come from machines.bash, BATS_FILE_TMPDIR from bats.
# shellcheck disable=SC2154

# start_audit SEED: in setup_file. The clients run in a namespace of their own, with this host's files.
start_audit() {
  export AUDIT=$BATS_FILE_TMPDIR/audit
  mkdir -p "$AUDIT"
  rig outside python3 "$here/../helpers/audited.py" "$AUDIT" "$1" "${nodes[@]/node/192.0.2.1}" \
    >"$AUDIT/log" 2>&1 3>&- </dev/null &
  echo $! >"$AUDIT/pid"
  patiently test -s "$AUDIT/progress" -o -s "$AUDIT/log"
  [ ! -s "$AUDIT/log" ] || {
    cat "$AUDIT/log" >&2
    return 1
  }
}

# end_audit: in teardown_file.
end_audit() {
  [ ! -e "${AUDIT:-}/pid" ] || kill -KILL "$(cat "$AUDIT/pid")" 2>/dev/null || true
}

# Ends the load, has every key read through every host, and judges all that was ever answered.
nothing_was_wrong() {
  touch "$AUDIT/stop"
  patiently test -e "$AUDIT/done"
  sed 's/^/# /' "$AUDIT/summary" >&3
  cat "$AUDIT/log" "$AUDIT/faults"
  python3 "$here/../helpers/linearizable.py" "$AUDIT/history" || return 1
  [ ! -s "$AUDIT/log" ] && [ ! -s "$AUDIT/faults" ]
}

# Tries a command until it succeeds, for five minutes: a limit for what hangs, for the machine may be busy.
patiently() {
  local deadline=$((SECONDS + 300))
  until "$@"; do
    if ((SECONDS >= deadline)); then
      echo "never came true: $*" >&2
      tell_status >&2
      return 1
    fi
    sleep 0.1
  done
}

# told NODE MEMBER: what the node says of itself.
told() {
  rig outside curl --silent --fail --max-time 10 "http://192.0.2.1${1#node}:7776/?status" | jq -r ".$2"
}

# tells NODE MEMBER PATTERN
# shellcheck disable=SC2053 # A pattern is what it is.
tells() { [[ $(told "$1" "$2") == $3 ]]; }

tell_status() {
  local node
  for node in "${nodes[@]}"; do echo "$node: $(told "$node" '| tojson')"; done
}

# is_settled VERSION NODE...: they go by one layout later than that version, and nothing is left to be done.
is_settled() {
  local version=$1 node versions=()
  shift
  for node; do
    tells "$node" progress null || return 1
    versions+=("$(told "$node" layout)")
  done
  [[ $(printf '%s\n' "${versions[@]}" | sort -u | wc -l) == 1 ]] && [[ ${versions[0]} =~ ^[0-9]+$ ]] &&
    ((versions[0] > version))
}

# Every client had some more requests done.
clients_go_on() {
  cp "$AUDIT/progress" "$AUDIT/before"
  patiently clients_have_progressed
}

clients_have_progressed() {
  awk 'NR == FNR { before[$1] = $2; next } $1 in before { clients++; more += $2 >= before[$1] + 2 }
    END { exit !(clients > 0 && more == clients) }' "$AUDIT/before" "$AUDIT/progress"
}

