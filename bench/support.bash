# shellcheck shell=bash
# What the benches share. To be sourced; sources scripts/cluster.bash.
#
# A bench calls parse_options and begin_bench, then starts what it measures below $CLUSTER, its own directory. At its
# end, however that comes, all processes are stopped and what leftovers names is removed. Tables are lines of columns
# divided by tabs, the first with the headings.

# Numbers have a point.
export LC_ALL=C

bench_directory=$(cd "${BASH_SOURCE[0]%/*}" && pwd)
# shellcheck source=scripts/cluster.bash
source "$bench_directory/../scripts/cluster.bash"

readonly CONNECTIONS=64 THREADS=2
readonly NGINX_ADDRESS=127.0.0.1:9301 NGINX_PROXY_ADDRESS=127.0.0.1:9302 HAPROXY_ADDRESS=127.0.0.1:9303

# Prints the usage of the bench and ends it.
usage() {
  sed -n '/^# usage: /,/^#$/s/^# //p' "$0" >&2
  exit 64
}

# parse_options "NAME..." ARGUMENT...: sets the variable NAME to what follows --NAME, and KVNODE.
parse_options() {
  local allowed=" $1 " name binary=
  shift
  while (($# > 0)); do
    name=${1#--} name=${name//-/_}
    if [[ $1 != --* && -z $binary ]]; then
      binary=$1
    elif [[ $1 == --* && $allowed == *" $name "* ]] && (($# > 1)); then
      printf -v "$name" %s "$2"
      shift
    else
      usage
    fi
    shift
  done
  if [[ ! -x $binary || -d $binary ]]; then usage; fi
  KVNODE=$(realpath "$binary")
}

# begin_bench NAME: takes care of the end.
begin_bench() {
  bench_name=$1
  background=() leftovers=()
  trap end_bench EXIT
  require_free_ports
}

# use_directory [DIRECTORY]: makes the directory of the bench, CLUSTER, there.
use_directory() {
  CLUSTER=$(mktemp -d "${1:-${TMPDIR:-/tmp}}/kvnode-$bench_name.XXXXXX")
  leftovers+=("$CLUSTER")
  # The workers of nginx may be another user.
  chmod a+rx "$CLUSTER"
}

# use_memory MIB [DIRECTORY]: as above, but on a fresh tmpfs of that size where no directory is named.
use_memory() {
  if (($# == 2)) && [[ -n $2 ]]; then
    use_directory "$2"
    return
  fi
  if ((EUID != 0)); then
    echo "bench/$bench_name: only root can mount a tmpfs; name a directory with $1 MiB free" >&2
    exit 1
  fi
  use_directory
  mount -t tmpfs -o "size=$1m,mode=755" tmpfs "$CLUSTER"
  mounted=true
}

# enter_network ARGUMENT...: runs the bench with these arguments in a network namespace of its own, where TCP has
# Linux's usual congestion control, whatever the host's is: BBR paces every packet by a timer, which holds up everybody
# on a loopback.
enter_network() {
  if [[ -n ${BENCH_NETWORK:-} ]]; then return; fi
  if ((EUID != 0)); then
    echo "${0##*/}: only root can make a network namespace" >&2
    exit 1
  fi
  # shellcheck disable=SC2016 # The arguments are those of the inner shell.
  BENCH_NETWORK=own exec unshare --net bash -ec '
    ip link set lo up
    ip route replace table local local 127.0.0.0/8 dev lo src 127.0.0.1 congctl cubic
    exec "$@"' bash "$0" "$@"
}

end_bench() {
  if [[ -n ${CLUSTER:-} ]]; then kill_cluster; fi
  stop_background
  if [[ -n ${mounted:-} ]]; then umount "$CLUSTER"; fi
  rm -rf "${leftovers[@]}"
}

# Ends all processes that background names.
stop_background() {
  local pid
  for pid in "${background[@]}"; do
    kill "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
  background=()
}

# configure_node N COUNT [DIRECTORY]: a node of that many, with its values in DIRECTORY or $CLUSTER/nodeN. Access logs are off here as they are in nginx.
configure_node() {
  local peer
  mkdir -p "${3:-$CLUSTER/node$1}"
  {
    printf '[Node]\nName=node%s\nListen=%s:%s\n' "$1" "$(node_address "$1")" "$PORT"
    printf 'AdminListen=%s:7777\nDataDirectory=%s\nAccessLog=no\n' "$(node_address "$1")" "${3:-$CLUSTER/node$1}"
    printf '[Peers]\n'
    for ((peer = 1; peer <= $2; peer++)); do printf 'node%s=%s:%s\n' "$peer" "$(node_address "$peer")" "$PORT"; done
  } >"$CLUSTER/node$1.conf"
}

# Two nodes: what node 1 of four would own is owned by the first, what node 4 would by the second.
start_pair() {
  configure_node 1 2
  configure_node 2 2
  start_node 1
  start_node 2
}

# Sets local_keys and relayed_keys, for start_pair: as many keys of each node as concurrency says.
choose_keys() {
  local number
  local_keys=() relayed_keys=()
  for ((number = 0; number < concurrency; number++)); do
    local_keys+=("$(key_owned_by 1 "own$number-")")
    relayed_keys+=("$(key_owned_by 4 "other$number-")")
  done
}

# start_server ADDRESS COMMAND...: starts a server that stays in the foreground; its process is then ${background[-1]}.
start_server() {
  local address=$1
  shift
  if nc -z "${address%:*}" "${address#*:}"; then
    echo "bench/$bench_name: $address is taken" >&2
    exit 1
  fi
  setpriv --pdeathsig TERM "$@" &
  background+=($!)
  until nc -z "${address%:*}" "${address#*:}"; do
    if process_is_gone "${background[-1]}"; then
      echo "bench/$bench_name: $1 did not start" >&2
      exit 1
    fi
    sleep 0.05
  done
}

# start_nginx NAME ADDRESS SERVER: an nginx whose configuration has SERVER within http. What it receives it takes in
# pieces of body_buffer, which is nginx's default if not set.
start_nginx() {
  local directory=$CLUSTER/$1 kind user=
  # nginx tells which user its workers are to be only where it may choose.
  if ((EUID == 0)); then user='user root;'; fi
  mkdir -p "$directory/www"
  {
    printf 'daemon off; worker_processes 2; %s pid %s/pid; error_log %s/log error;\n' "$user" "$directory" "$directory"
    printf 'events { worker_connections 1024; }\nhttp {\n  access_log off; keepalive_requests 1000000000;\n'
    printf '  client_body_buffer_size %s;\n' "${body_buffer:-16k}"
    printf '  sendfile on; sendfile_max_chunk 2m; tcp_nopush on; client_max_body_size 0;\n'
    for kind in client_body proxy fastcgi uwsgi scgi; do printf '  %s_temp_path %s/%s;\n' "$kind" "$directory" "$kind"; done
    printf '%s\n}\n' "$3"
  } >"$directory/nginx.conf"
  start_server "$2" nginx -e "$directory/log" -c "$directory/nginx.conf"
}

# nginx as a store: GET, PUT and DELETE of files in $CLUSTER/nginx/www.
start_nginx_store() {
  start_nginx nginx "$NGINX_ADDRESS" "
    server { listen $NGINX_ADDRESS; location / { root $CLUSTER/nginx/www; dav_methods PUT DELETE; } }"
}

# nginx as a proxy to the nginx above.
start_nginx_proxy() {
  start_nginx nginx-proxy "$NGINX_PROXY_ADDRESS" "
    upstream store { server $NGINX_ADDRESS; keepalive 64; keepalive_requests 1000000000; }
    server { listen $NGINX_PROXY_ADDRESS; location / {
      proxy_pass http://store; proxy_http_version 1.1; proxy_set_header Connection \"\";
      proxy_request_buffering off; proxy_buffering off;
      proxy_buffer_size 256k; proxy_buffers 8 256k; proxy_busy_buffers_size 512k; } }"
}

# HAProxy as a proxy to the nginx above.
start_haproxy() {
  cat >"$CLUSTER/haproxy.cfg" <<HAPROXY
global
  nbthread 2
defaults
  mode http
  option splice-request
  option splice-response
  timeout connect 3s
  timeout client 60s
  timeout server 60s
listen proxy
  bind $HAPROXY_ADDRESS
  server store $NGINX_ADDRESS
HAPROXY
  start_server "$HAPROXY_ADDRESS" haproxy -db -q -f "$CLUSTER/haproxy.cfg"
}

client() { "$bench_directory/client.py" "$@"; }

# processor_ticks PID: what a process and its children have used, and had used by children that are gone.
processor_ticks() {
  local pid
  for pid in "$1" $(pgrep -P "$1"); do cat "/proc/$pid/stat"; done |
    sed 's/.*) //' | awk '{ ticks += $12 + $13 + $14 + $15 } END { print ticks }'
}

# peak_kib PID: the most memory that a process had.
peak_kib() { awk '$1 == "VmHWM:" { print $2 }' "/proc/$1/status"; }

# median NUMBER...
median() {
  printf '%s\n' "$@" | sort -g | awk '{ v[NR] = $1 } END { print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2 }'
}

# speed and cost JOB CONTESTANT: the medians of what a bench has put into speeds and costs.
# shellcheck disable=SC2086 # The numbers are words.
speed() { median ${speeds[$1/$2]}; }
# shellcheck disable=SC2086
cost() { median ${costs[$1/$2]}; }

# calculate FORMAT EXPRESSION: an arithmetic expression of awk; what cannot be divided is a dash.
calculate() { awk "BEGIN { printf \"$1\", $2 }" 2>/dev/null || printf '%s' -; }

# row COLUMN...: a line of a table.
row() {
  local IFS=$'\t'
  printf '%s\n' "$*"
}

# touch_memory BYTES: a virtual machine gets memory that it has not used for some seconds anew from its host, slowly,
# and whoever writes first pays; here that is this, and not the node. As far as there is room.
touch_memory() {
  if [[ -z ${mounted:-} ]]; then return; fi
  head -c "$1" /dev/zero >"$CLUSTER/touched" 2>/dev/null || true
  rm "$CLUSTER/touched"
}

# get_rate URL SECONDS: GETs a second, on $CONNECTIONS connections that are kept.
get_rate() {
  local report
  report=$(wrk -c "$CONNECTIONS" -t "$THREADS" -d "$2s" "$1")
  if grep -q 'Non-2xx\|Socket errors' <<<"$report"; then
    echo "wrong answers from $1:" >&2
    echo "$report" >&2
    exit 1
  fi
  awk '/^Requests\/sec/ { print $2 }' <<<"$report"
}

# told N MEMBER: what node N says of itself.
told() { curl --silent --fail --max-time 10 "http://$(node_address "$1"):$PORT/?status" | jq -r ".$2"; }

# await WHAT COMMAND...: waits until the command succeeds, for $wait_seconds at most, which is a minute if not set.
await() {
  local what=$1 deadline=$((SECONDS + ${wait_seconds:-60}))
  shift
  until "$@"; do
    if ((SECONDS >= deadline)); then
      echo "bench/$bench_name: this has not come true in time: $what" >&2
      exit 1
    fi
    sleep 0.05
  done
}

await_settled() { await "the nodes go by one layout" is_settled "$@"; }

# is_settled VERSION N...: the nodes go by one layout later than that version, and have nothing left to do.
is_settled() {
  local version=$1 node told versions=()
  shift
  for node; do
    told=$(told "$node" 'progress // "settled \(.layout)"') || return 1
    if [[ $told != settled\ [0-9]* ]]; then return 1; fi
    versions+=("${told#settled }")
  done
  [[ $(printf '%s\n' "${versions[@]}" | sort -u | wc -l) == 1 ]] && ((versions[0] > version))
}

# drop_caches: makes the next reads come from the disk, as root.
drop_caches() {
  sync
  echo 3 >/proc/sys/vm/drop_caches
}

# rotated NUMBER WORD...: the words, beginning with another one for each number: what comes first in a round is
# slower or faster than what follows, and that must not fall to the same one in each.
rotated() {
  local first=$(($1 % ($# - 1)))
  shift
  echo "${@:first + 1}" "${@:1:first}"
}

# show_table TITLE NAME: prints the table on standard input, and keeps it as NAME.tsv where --results names a directory.
show_table() {
  local table
  table=$(cat)
  printf '\n%s\n' "$1"
  awk -F '\t' '
    { for (i = 1; i <= NF; i++) { cell[NR, i] = $i; if (length($i) > width[i]) width[i] = length($i) } columns = NF }
    END {
      for (r = 1; r <= NR; r++) {
        line = ""
        for (i = 1; i <= columns; i++) line = line sprintf("  %-" width[i] "s", cell[r, i])
        sub(/ +$/, "", line)
        print line
      }
    }' <<<"$table"
  if [[ -n ${results:-} ]]; then
    mkdir -p "$results"
    printf '%s\n' "$table" >"$results/$2.tsv"
  fi
}
