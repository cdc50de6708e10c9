#!/bin/bash
# Troubles a cluster of five nodes with three copies of each value while clients write, read, delete and count, and has
# judged what these were told.
#
# usage: nemesis.bash KVNODE DIRECTORY SECONDS SEED [rollback]
#
# Each node is a host in a network namespace of its own, with a disk and a clock of its own. By chance, one or two at a
# time: a host hears nobody, or not one other, the cluster is cut in two, each host cannot hear the next (a ring), a node is
# killed, loses power, is stopped, its clock jumps, its disk is full, or is lost, and the list loses a host or gets it
# back. The status is 1 if no order explains what the clients were told of a key, if a value is missing, or if it was not
# whole. NEMESIS_KINDS names some of these, where not all are wanted (KINDS). Needs root and a C compiler.
#
# With rollback nothing of that happens, but at last three disks are put back to what they were before, which is more
# than three copies bear: a control, which has to be found.
set -euo pipefail

readonly HOSTS=(1 2 3 4 5) NETWORK=10.77.0 DISK_MIB=3072
# shellcheck disable=SC2206 # A word each.
readonly KINDS=(${NEMESIS_KINDS:-deaf oneway halves ring kill power stop clock full wipe list})
# How long it may take until nothing is left to be done.
readonly PATIENCE=300

kvnode=$1 directory=$2 seconds=$3 seed=$4 control=${5-}
helpers=$(cd "${BASH_SOURCE[0]%/*}" && pwd)
declare -A pids counts

main() {
  # A slave lets go of what others unmount meanwhile, and gives them nothing of its own.
  if [[ -z ${NEMESIS_NAMESPACE-} ]]; then
    NEMESIS_NAMESPACE=1 exec unshare --net --mount --propagation slave "$0" "$@"
  fi
  RANDOM=$seed
  mkdir -p "$directory/audit"
  # Nodes, which have mount namespaces of their own, let go of a disk that is unmounted here.
  mount --bind "$directory" "$directory"
  mount --make-shared "$directory"
  trap end EXIT
  make_network
  cc -O2 -shared -fPIC -o "$directory/clock.so" "$helpers/clock.c"
  for host in "${HOSTS[@]}"; do make_disk "$host"; done
  for host in "${HOSTS[@]}"; do
    list "$host" "${HOSTS[@]}"
    run "$host"
  done
  wait_until 60 has_layout
  "$helpers/audited.py" "$directory/audit" "$seed" "${HOSTS[@]/#/$NETWORK.}" >"$directory/audit.log" 2>&1 &
  wait_until 120 has_begun
  if [[ $control == rollback ]]; then roll_back; else trouble; fi
  touch "$directory/audit/stop"
  wait_until "$PATIENCE" test -e "$directory/audit/done"
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

make_disk() {
  truncate --size "${DISK_MIB}M" "$directory/disk$1.img"
  mkfs.ext4 -q -F -m 0 "$directory/disk$1.img"
  mkdir "$directory/disk$1"
  mount -o loop "$directory/disk$1.img" "$directory/disk$1"
}

# list N HOST...: has node N list these hosts.
list() {
  local node=$1 host
  shift
  {
    printf '[Node]\nName=node%s\nListen=%s.%s:7776\nDataDirectory=%s/disk%s/data\nMinFree=0\n' \
      "$node" "$NETWORK" "$node" "$directory" "$node"
    printf '[Access]\nOpen=yes\n[Limits]\nConnectTimeout=1s\nIdleTimeout=5s\n[Cluster]\nReplicas=3\n[Peers]\n'
    for host in "$@"; do printf 'node%s=%s.%s:7776\n' "$host" "$NETWORK" "$host"; done
  } >"$directory/new"
  mv "$directory/new" "$directory/node$node.conf"
}

run() {
  ip netns exec "host$1" env LD_PRELOAD="$directory/clock.so" CLOCK_FILE="$directory/clock$1" \
    "$kvnode" --config "$directory/node$1.conf" >>"$directory/node$1.log" 2>&1 &
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

# One or two at a time, on two hosts.
trouble() {
  local end=$((SECONDS + seconds)) first second host other
  while ((SECONDS < end)); do
    host=$((RANDOM % 5 + 1))
    other=$(((host + RANDOM % 4) % 5 + 1))
    first=${KINDS[RANDOM % ${#KINDS[@]}]}
    second=none
    if ((RANDOM % 2)); then second=${KINDS[RANDOM % ${#KINDS[@]}]}; fi
    # A disk is not lost while another is filled, nor while the list changes: that is more than is promised.
    case $first,$second in wipe,wipe | wipe,list | list,wipe) second=none ;; esac
    if [[ $first == wipe || $second == wipe ]]; then
      relist "${HOSTS[@]}"
      wait_until "$PATIENCE" stays_quiet 0
      version=$(told "$host" .layout)
    fi
    begin_trouble "$first" "$host"
    begin_trouble "$second" "$other"
    sleep $((RANDOM % 4 + 1))
    end_trouble "$first" "$host"
    end_trouble "$second" "$other"
    heal
    if [[ $first == wipe || $second == wipe ]]; then wait_until "$PATIENCE" stays_quiet "$((version + 1))" whole; fi
    sleep $((RANDOM % 3 + 1))
  done
  relist "${HOSTS[@]}"
  wait_until "$PATIENCE" stays_quiet 0
}

# begin_trouble KIND HOST
begin_trouble() {
  local host=$2 next=() number
  for ((number = 0; number < 5; number++)); do next[number]=$(((host + number - 1) % 5 + 1)); done
  case $1 in
    deaf) deafen "$host" "${next[@]:1}" ;;
    oneway) deafen "$host" "${next[1]}" ;;
    halves) for number in 0 1; do deafen "${next[number]}" "${next[@]:2}"; done ;;
    ring) for number in 0 1 2 3 4; do deafen "${next[number]}" "${next[(number + 1) % 5]}"; done ;;
    kill) kill_node "$host" ;;
    power) cut_power "$host" ;;
    stop) kill -STOP "${pids[$host]}" ;;
    # Up to three days ahead or back.
    clock) echo $(((RANDOM % 2 * 2 - 1) * (RANDOM % 72 + 1) * 3600)) >"$directory/clock$host" ;;
    # All but what a node needs to write down what it does.
    full) fill_disk "$host" ;;
    wipe)
      kill_node "$host"
      rm -rf "$directory/disk$host/data"
      ;;
    list) relist "${next[@]:RANDOM%2}" ;;
  esac
  counts[$1]=$((${counts[$1]-0} + 1))
}

end_trouble() {
  local host=$2
  case $1 in
    kill | power | wipe) run "$host" ;;
    stop) kill -CONT "${pids[$host]}" ;;
    clock) rm "$directory/clock$host" ;;
    full) rm "$directory/disk$host/ballast" ;;
  esac
}

# told N FILTER: of what node N says of itself.
told() { curl --silent --max-time 10 "http://$NETWORK.$1:7776/?status" | jq --compact-output "$2"; }

# is_quiet VERSION [whole]: all hosts have one list and go by one layout, at least this version, nothing is left to be done,
# and nobody knows of a key that has fewer copies than it should; or, with whole, looks for some either.
is_quiet() {
  local host states=() answer members='.layout, .fingerprint, .progress, .behind'
  if [[ ${2-} == whole ]]; then members+=', .repair'; fi
  for host in "${HOSTS[@]}"; do
    answer=$(told "$host" "[$members]")
    [[ $answer =~ ^\[([0-9]+),\"[^\"]+\"(,null)+\]$ ]] && ((BASH_REMATCH[1] >= $1)) || return 1
    states+=("$answer")
  done
  [[ $(printf '%s\n' "${states[@]}" | sort -u | wc -l) == 1 ]]
}

# What hosts have just read, or come to, has not made itself felt yet.
stays_quiet() { is_quiet "$@" && sleep 2 && is_quiet "$@"; }

# The disk goes first, and acknowledges nothing that it forgets.
cut_power() {
  "$helpers/cut_disk.py" "$directory/disk$1"
  kill_node "$1"
  umount "$directory/disk$1"
  # What is still mounted somewhere would be the same file system, with all that it should have forgotten.
  wait_until 60 is_off "$1"
  mount -o loop "$directory/disk$1.img" "$directory/disk$1"
}

is_off() { [[ -z $(losetup --associated "$directory/disk$1.img") ]]; }

# Values that come meanwhile take some of the space.
fill_disk() {
  local free
  : >"$directory/disk$1/ballast"
  while free=$(df --output=avail -B1 "$directory/disk$1" | tail -n 1) && ((free > 4 << 20)); do
    fallocate --length $((free - (4 << 20))) "$directory/disk$1/ballast" 2>/dev/null && break
  done
}

# What three hosts are told in the meantime they forget, as a backup does that is put back while all are stopped.
roll_back() {
  local host
  wait_until "$PATIENCE" stays_quiet 0
  for host in "${HOSTS[@]}"; do kill_node "$host"; done
  for host in 1 2 3; do cp --archive "$directory/disk$host/data" "$directory/disk$host/old"; done
  for host in "${HOSTS[@]}"; do run "$host"; done
  sleep "$seconds"
  for host in "${HOSTS[@]}"; do kill_node "$host"; done
  for host in 1 2 3; do
    rm -rf "$directory/disk$host/data"
    mv "$directory/disk$host/old" "$directory/disk$host/data"
  done
  for host in "${HOSTS[@]}"; do run "$host"; done
  counts[rollback]=1
  sleep "$seconds"
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
  local kind text=''
  for kind in "${!counts[@]}"; do
    if [[ $kind != none ]]; then text+="${text:+, }$kind ${counts[$kind]}"; fi
  done
  echo "troubles: $text"
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
