#!/bin/bash
# Troubles a cluster of five nodes with three copies of each value while clients write, read, delete and count, and has
# judged what these were told.
#
# usage: nemesis.bash KVNODE DIRECTORY SECONDS SEED
#
# Each node is a host in a network namespace of its own. In turn and by chance: a host hears nobody, the cluster is cut in
# two, each host cannot hear the next (a ring), a node is killed, a node is stopped, and the list loses a host or gets it
# back. The status is 1 if no order explains what the clients were told of a key, if a value is missing, or if it was not
# whole. Needs root.
set -euo pipefail

readonly HOSTS=(1 2 3 4 5) NETWORK=10.77.0

kvnode=$1 directory=$2 seconds=$3 seed=$4
helpers=$(cd "${BASH_SOURCE[0]%/*}" && pwd)
declare -A pids counts

main() {
  if [[ -z ${NEMESIS_NAMESPACE-} ]]; then NEMESIS_NAMESPACE=1 exec unshare --net --mount "$0" "$@"; fi
  RANDOM=$seed
  mkdir -p "$directory/audit"
  trap end EXIT
  make_network
  for host in "${HOSTS[@]}"; do
    list "$host" "${HOSTS[@]}"
    run "$host"
  done
  wait_until 60 has_layout
  "$helpers/audited.py" "$directory/audit" "$seed" "${HOSTS[@]/#/$NETWORK.}" >"$directory/audit.log" 2>&1 &
  wait_until 120 has_begun
  trouble
  touch "$directory/audit/stop"
  wait_until 300 test -e "$directory/audit/done"
  report
}

make_network() {
  local host
  mount -t tmpfs tmpfs /run
  mkdir /run/netns
  ip link set lo up
  ip link add bridge type bridge
  ip address add "$NETWORK.100/24" dev bridge
  ip link set bridge up
  for host in "${HOSTS[@]}"; do
    ip netns add "host$host"
    ip link add "port$host" type veth peer name eth0 netns "host$host"
    ip link set "port$host" master bridge up
    ip -n "host$host" address add "$NETWORK.$host/24" dev eth0
    ip -n "host$host" link set eth0 up
    ip -n "host$host" link set lo up
  done
}

# list N HOST...: has node N list these hosts.
list() {
  local node=$1 host
  shift
  {
    printf '[Node]\nName=node%s\nListen=%s.%s:7776\nDataDirectory=%s/node%s\nMinFree=0\n' \
      "$node" "$NETWORK" "$node" "$directory" "$node"
    printf '[Access]\nOpen=yes\n[Limits]\nConnectTimeout=1s\nIdleTimeout=5s\n[Cluster]\nReplicas=3\n[Peers]\n'
    for host in "$@"; do printf 'node%s=%s.%s:7776\n' "$host" "$NETWORK" "$host"; done
  } >"$directory/new"
  mkdir -p "$directory/node$node"
  mv "$directory/new" "$directory/node$node.conf"
}

run() {
  ip netns exec "host$1" "$kvnode" --config "$directory/node$1.conf" >>"$directory/node$1.log" 2>&1 &
  pids[$1]=$!
}

wait_until() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@"; do
    if ((SECONDS >= deadline)); then
      echo "this has not come true in time: $*" >&2
      exit 1
    fi
    sleep 0.1
  done
}

has_layout() {
  local host
  for host in "${HOSTS[@]}"; do
    [[ $(curl --silent "http://$NETWORK.$host:7776/?status" | jq -r '.layout, .progress') == $'1\nnull' ]] || return 1
  done
}

# Every client has some requests done.
has_begun() {
  [[ -s $directory/audit/progress ]] &&
    awk '$2 < 5 && !/large/ { late++ } END { exit late > 0 }' "$directory/audit/progress"
}

trouble() {
  local end=$((SECONDS + seconds)) kind host next=() number
  while ((SECONDS < end)); do
    host=$((RANDOM % 5 + 1))
    for ((number = 0; number < 5; number++)); do next[number]=$(((host + number - 1) % 5 + 1)); done
    kind=$((RANDOM % 6))
    case $kind in
      0) deafen "$host" "${next[@]:1}" ;;
      1) for number in 0 1; do deafen "${next[number]}" "${next[@]:2}"; done ;;
      2) for number in 0 1 2 3 4; do deafen "${next[number]}" "${next[(number + 1) % 5]}"; done ;;
      3) kill_node "$host" ;;
      4) kill -STOP "${pids[$host]}" ;;
      5) relist "${next[@]:RANDOM%2}" ;;
    esac
    counts[$kind]=$((${counts[$kind]-0} + 1))
    sleep $((RANDOM % 4 + 1))
    case $kind in
      3) run "$host" ;;
      4) kill -CONT "${pids[$host]}" ;;
    esac
    heal
    sleep $((RANDOM % 3 + 1))
  done
}

# deafen N HOST...: host N hears nothing of these.
deafen() {
  local addresses
  addresses=$(printf "$NETWORK.%s, " "${@:2}")
  ip netns exec "host$1" nft -f - <<NFT
table inet cut {
  chain input {
    type filter hook input priority 0;
    ip saddr { ${addresses%, } } drop
  }
}
NFT
}

heal() {
  local host
  for host in "${HOSTS[@]}"; do ip netns exec "host$host" nft flush ruleset; done
}

kill_node() {
  kill -KILL "${pids[$1]}"
  wait "${pids[$1]}" 2>/dev/null || true
}

relist() {
  local host
  for host in "${HOSTS[@]}"; do list "$host" "$@"; done
  for host in "${HOSTS[@]}"; do kill -HUP "${pids[$host]}" 2>/dev/null || true; done
}

report() {
  printf 'deaf hosts %s, halves %s, rings %s, kills %s, stops %s, lists %s\n' \
    "${counts[0]-0}" "${counts[1]-0}" "${counts[2]-0}" "${counts[3]-0}" "${counts[4]-0}" "${counts[5]-0}"
  cat "$directory/audit/summary"
  # What no history can say, such as a value that is not whole.
  [[ ! -s $directory/audit/faults ]] || {
    cat "$directory/audit/faults"
    exit 1
  }
  "$helpers/linearizable.py" "$directory/audit/history"
}

end() {
  local pid
  for pid in "${pids[@]}" $(jobs -p); do kill -KILL "$pid" 2>/dev/null || true; done
}

main "$@"
