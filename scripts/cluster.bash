# shellcheck shell=bash
# Clusters of four nodes on 127.0.0.1…4:7776, for the tests, the benches and the demonstration. To be sourced.
#
# KVNODE is the binary. CLUSTER is a directory; node N has in it its configuration (nodeN.conf and drop-ins), its
# data (nodeN/), what it wrote (nodeN.log) and its process (nodeN.pid).

readonly PORT=7776
readonly NODES=(1 2 3 4)

node_address() { echo "127.0.0.$1"; }

node_pid() { cat "$CLUSTER/node$1.pid"; }

# Another kvnode, or anything else, on the ports would answer in the place of the nodes that are meant. One that has just
# been killed may need a moment to be gone.
require_free_ports() {
  local node tries=0
  for node in "${NODES[@]}"; do
    while nc -z -w 1 "$(node_address "$node")" "$PORT" 2>/dev/null; do
      if ((++tries <= 50)); then
        sleep 0.1
        continue
      fi
      echo "port $PORT of $(node_address "$node") is taken: stop what listens there (ss -ltnp 'sport = :$PORT')" >&2
      return 1
    done
  done
}

# Writes the four configurations.
write_configurations() {
  local node peer
  mkdir -p "$CLUSTER"
  for node in "${NODES[@]}"; do
    {
      printf '[Node]\nName=node%s\nListen=%s:%s\n' "$node" "$(node_address "$node")" "$PORT"
      printf 'AdminListen=%s:7777\nDataDirectory=%s/node%s\n' "$(node_address "$node")" "$CLUSTER" "$node"
      printf '[Peers]\n'
      for peer in "${NODES[@]}"; do printf 'node%s=%s:%s\n' "$peer" "$(node_address "$peer")" "$PORT"; done
    } >"$CLUSTER/node$node.conf"
  done
}

# start_node N [COMMAND...]: starts a node, as an argument of the command if there is one, and waits until it serves.
start_node() {
  launch_node "$@"
  await_node "$1"
}

# Like start_node, without waiting.
launch_node() {
  local node=$1
  shift
  # The node dies with the shell that started it, however that one ends. Descriptor 3 is what bats waits for.
  setpriv --pdeathsig KILL "$@" "$KVNODE" --config "$CLUSTER/node$node.conf" \
    >>"$CLUSTER/node$node.log" 2>&1 3>&- </dev/null &
  echo $! >"$CLUSTER/node$node.pid"
}

start_cluster() {
  local node
  for node in "${NODES[@]}"; do launch_node "$node"; done
  for node in "${NODES[@]}"; do await_node "$node"; done
}

await_node() {
  local deadline=$((SECONDS + 30))
  until node_answers "$1"; do
    if node_is_gone "$1" || ((SECONDS >= deadline)); then
      echo "node$1 does not serve; it wrote:" >&2
      cat "$CLUSTER/node$1.log" >&2
      return 1
    fi
    sleep 0.02
  done
}

# Asks for something that every node answers by itself.
node_answers() {
  local answer
  answer=$(echo HELLO | nc -N -w 5 "$(node_address "$1")" "$PORT" 2>/dev/null) && [[ $answer == ERROR:* ]]
}

node_is_gone() { process_is_gone "$(node_pid "$1")"; }

# A zombie is gone too: only its parent has not asked for its status yet.
process_is_gone() {
  local state
  state=$(sed 's/.*) //; s/ .*//' "/proc/$1/stat" 2>/dev/null) || return 0
  [[ -z $state || $state == Z ]]
}

# Ends a node as a power cut would, and returns once it is gone.
kill_node() {
  local pid
  pid=$(node_pid "$1")
  kill -KILL "$pid" 2>/dev/null || true
  # A child is waited for, quietly; of others it can only be seen that they are gone.
  wait "$pid" 2>/dev/null || true
  until process_is_gone "$pid"; do sleep 0.01; done
}

kill_cluster() {
  local node
  for node in "${NODES[@]}"; do
    if [[ -e $CLUSTER/node$node.pid ]]; then kill_node "$node"; fi
  done
}

# The slot of a key: the first two bytes of the MD5 of the key and a LF.
slot_of() { echo $((16#$(printf '%s\n' "$1" | md5sum | cut -c 1-4))); }

# The number of the node that owns a key, among four.
owner_of() {
  local slot
  slot=$(slot_of "$1")
  echo $(((slot > 0 ? slot - 1 : 0) / 16384 + 1))
}

# key_owned_by N PREFIX: the first of PREFIX1, PREFIX2, … that node N owns.
key_owned_by() {
  local number=1
  until [[ $(owner_of "$2$number") == "$1" ]]; do number=$((number + 1)); done
  echo "$2$number"
}
