#!/usr/bin/env bats
# Five machines keep three copies of each value, while clients of both dialects write, read, delete, create and count
# through all of them and everything happens to the machines that a fault can be: one by one, and two at a time. Then an
# order must explain all that the clients were told, and every value be there.
#
# KVNODE_TROUBLE_SECONDS is how long troubles come by chance (15, or 600 with KVNODE_LONG), KVNODE_TROUBLE_SEED which. Where
# KVNODE_EVIDENCE names a directory, what a failed run leaves is kept in it.

# nodes and here come from machines.bash.
# shellcheck disable=SC2154
load machines
load audit

nodes=(node1 node2 node3 node4 node5)

# What may happen by chance. See start_trouble.
readonly TROUBLES=(kill stop power outage host oneway halves ring clock full wipe install list)
# More than one machine suffers from these, so they go with no other but those that touch no process and no cable.
readonly OF_MANY=' outage halves ring '

setup_file() {
  export BATS_TEST_TIMEOUT=1800
  export SEED=${KVNODE_TROUBLE_SEED:-$SRANDOM}
  export TROUBLE_LOG=$BATS_FILE_TMPDIR/troubles
  cc -O2 -shared -fPIC -o "$BATS_FILE_TMPDIR/clock.so" "$here/../helpers/clock.c"
  boot_machines prepare_host
  patiently is_settled 0 "${nodes[@]}"
  start_audit "$SEED"
  clients_go_on
}

teardown_file() {
  if [ -e "$BATS_FILE_TMPDIR/failed" ] && [ -n "${KVNODE_EVIDENCE:-}" ]; then keep_evidence; fi
  end_audit
  end_cluster
}

# In the midst of what went wrong there is no use in more of it; what has been until then is judged all the same.
setup() {
  [ ! -e "$BATS_FILE_TMPDIR/failed" ] || [[ $BATS_TEST_DESCRIPTION == *'every answer'* ]] ||
    skip "a test before this one failed"
}

teardown() {
  local node
  [ -n "${BATS_TEST_COMPLETED:-}" ] || touch "$BATS_FILE_TMPDIR/failed"
  for node in "${nodes[@]}"; do rig join "$node"; done
}

keep_evidence() {
  local node
  mkdir -p "$KVNODE_EVIDENCE"
  cp -r "$AUDIT" "$TROUBLE_LOG" "$KVNODE_EVIDENCE"
  tell_status >"$KVNODE_EVIDENCE/status" 2>&1
  for node in "${nodes[@]}"; do
    journal "$node" >"$KVNODE_EVIDENCE/$node.journal" || true
    tree "$node" >"$KVNODE_EVIDENCE/$node.tree" || true
  done
}

# A host with a disk of its own, which can be full and lost, and a clock of its own, which can jump.
prepare_host() {
  rig poweroff "$1"
  rig disk "$1" 4096
  rig start "$1"
  rig push "$1" "$BATS_FILE_TMPDIR/clock.so" /usr/lib/clock.so
  on "$1" sh -c 'mkdir /etc/systemd/system/kvnode.service.d && cat >/etc/systemd/system/kvnode.service.d/clock.conf' <<'UNIT'
[Service]
Environment=LD_PRELOAD=/usr/lib/clock.so CLOCK_FILE=/etc/clock
UNIT
  on "$1" sh -c 'echo 0 >/etc/clock'
  rig install "$1" "$KVNODE_DEB" "$KVCTL_DEB"
  rig push "$1" "$KVNODE_DEB_NEXT" /var/tmp/next/kvnode.deb
  rig push "$1" "$KVCTL_DEB_NEXT" /var/tmp/next/kvctl.deb
  # Who is cut off need not be waited for long, and a disk that was lost is filled while clients go on.
  on "$1" sh -c 'printf "[Limits]\nConnectTimeout=1s\nIdleTimeout=10s\nMoveRate=1G\n[Cluster]\nReplicas=3\n" \
    >/etc/kvnode.conf.d/limits.conf'
  has_list "$1" 1 2 3 4 5
}

# has_list NODE NUMBER...: gives the node a list with the hosts of these numbers.
has_list() {
  local node=$1 number addresses=('' 192.0.2.11 '[2001:db8::12]:7776' node3 192.0.2.14:7776 192.0.2.15)
  local file=$BATS_FILE_TMPDIR/peers-$1.conf
  shift
  {
    echo "[Peers]"
    for number; do echo "node$number=${addresses[number]}"; done
  } >"$file"
  rig push "$node" "$file" /etc/kvnode.conf.d/peers.conf
  on "$node" systemctl reload kvnode.service
}

# others NODE: all but this one, beginning with the next.
others() {
  local number=${1#node} step
  for step in 1 2 3 4; do echo "node$(((number + step - 1) % 5 + 1))"; done
}

# Nothing is left to be done by any host, and nobody knows of a key that has fewer copies than it should. The layout is
# later than LEAST.
is_quiet() {
  local node
  is_settled "$LEAST" "${nodes[@]}" || return 1
  for node in "${nodes[@]}"; do tells "$node" behind null || return 1; done
}

# Nor does anybody look for such keys any more.
is_whole() {
  local node
  is_quiet || return 1
  for node in "${nodes[@]}"; do tells "$node" repair null || return 1; done
}

# await_end KIND...: what these troubles have brought about has come to its end. Before another disk may be lost all must
# hold the same again.
await_end() {
  if [[ " $* " == *' wipe '* ]]; then
    patiently is_quiet
    # What comes of a new layout begins within moments.
    sleep 1
    patiently is_whole
  else
    patiently is_quiet
  fi
  LEAST=0
}

LEAST=0

# start_trouble KIND NODE: has it begin, and notes that.
start_trouble() {
  local node=$2 other next
  mapfile -t next < <(others "$node")
  echo "$1 $node" >>"$TROUBLE_LOG"
  echo "$(date +%T) $1 $node begins"
  case $1 in
    # The process ends at once, and systemd starts another.
    kill)
      pid=$(property "$node" MainPID)
      on "$node" systemctl kill --signal=KILL kvnode.service
      ;;
    # For less long than the watchdog takes.
    stop) on "$node" systemctl kill --signal=STOP kvnode.service ;;
    power) rig blackout "$node" ;;
    # All machines at once.
    outage) at_once rig blackout "${nodes[@]}" ;;
    # One host is cut off from the others, but not from the clients.
    host) rig sever "$node" ;;
    # One host does not hear one other, which hears it.
    oneway) rig deafen "$node" "${next[0]}" ;;
    # Two hosts are cut off from the other three.
    halves) for other in "$node" "${next[0]}"; do rig deafen "$other" "${next[@]:1}"; done ;;
    # Nobody hears the next.
    ring) for other in "${nodes[@]}"; do rig deafen "$other" "$(others "$other" | head -n 1)"; done ;;
    # Up to three days ahead or back.
    clock) set_clock "$node" $(((RANDOM % 2 * 2 - 1) * (RANDOM % 72 + 1) * 3600)) ;;
    # Too little space for a value is left, but enough for what a node writes down for itself.
    full) patiently fill_disk "$node" ;;
    # Of all that lay on the disk nothing is left.
    wipe)
      LEAST=$(told "${next[0]}" layout)
      rig crash "$node"
      rig wipe "$node"
      rig forget "$node"
      ;;
    # A higher version for the first time, later the same once more.
    install) install_next "$node" ;;
    # The host is off the list, and what it has goes to others.
    list)
      LEAST=$(told "${next[0]}" layout)
      for other in "${next[@]}"; do has_list "$other" "${next[@]#node}"; done
      patiently is_later "${next[0]}"
      LEAST=$(told "${next[0]}" layout)
      ;;
  esac
}

stop_trouble() {
  local node=$2 other
  case $1 in
    kill) patiently was_replaced "$node" "$pid" ;;
    stop) on "$node" systemctl kill --signal=CONT kvnode.service ;;
    power | wipe) rig start "$node" ;;
    outage) at_once rig start "${nodes[@]}" ;;
    host | oneway | halves | ring) for other in "${nodes[@]}"; do rig join "$other"; done ;;
    clock) set_clock "$node" 0 ;;
    full) on "$node" rm -f /var/lib/kvnode/ballast ;;
    list) for other in "${nodes[@]}"; do has_list "$other" 1 2 3 4 5; done ;;
  esac
  echo "$(date +%T) $1 $node is over"
}

# Fails where a value has just taken some of the space.
fill_disk() {
  # shellcheck disable=SC2016 # The machine's shell does it.
  on "$1" sh -c 'cd /var/lib/kvnode && fallocate -l $(($(df --output=avail -B1 . | tail -n 1) - 4194304)) ballast'
}

is_later() {
  local version
  version=$(told "$1" layout)
  [[ $version =~ ^[0-9]+$ ]] && ((version > LEAST))
}

# at_once COMMAND WORD NODE...: for all these nodes.
at_once() {
  local node pids=() pid
  for node in "${@:3}"; do
    "$1" "$2" "$node" 3>&- &
    pids+=($!)
  done
  for pid in "${pids[@]}"; do wait "$pid"; done
}

# set_clock NODE SECONDS: has the node's process take it to be so much later.
set_clock() { on "$1" sh -c "echo $2 >/etc/clock"; }

install_next() {
  local pid
  pid=$(property "$1" MainPID)
  on "$1" apt-get install -y -q --reinstall /var/tmp/next/kvnode.deb /var/tmp/next/kvctl.deb \
    >"$BATS_TEST_TMPDIR/install-$1.log" 2>&1 || {
    cat "$BATS_TEST_TMPDIR/install-$1.log" >&2
    return 1
  }
  patiently was_replaced "$1" "$pid"
}

# trouble KIND NODE SECONDS: one that passes, and what comes of it.
trouble() {
  start_trouble "$1" "$2"
  sleep "$3"
  stop_trouble "$1" "$2"
  await_end "$1"
}

# two_troubles: some two that may come together, on different hosts.
two_troubles() {
  local first second node=node$((RANDOM % 5 + 1)) other
  other=$(others "$node" | sed -n "$((RANDOM % 4 + 1))p")
  until
    first=${TROUBLES[RANDOM % ${#TROUBLES[@]}]}
    second=${TROUBLES[RANDOM % ${#TROUBLES[@]}]}
    may_come_together "$first" "$second"
  do :; done
  start_trouble "$first" "$node"
  start_trouble "$second" "$other"
  sleep $((RANDOM % 5 + 1))
  # The first may be a change of the list, which needs all hosts to be told.
  stop_trouble "$second" "$other"
  stop_trouble "$first" "$node"
  await_end "$first" "$second"
}

# A change of the list begins while all is well, and an installation amid something else. A disk is not lost while the list
# changes: a host that is gone then for good, and a disk that is another, are more than is promised.
may_come_together() {
  [[ $1 != "$2" && $2 != list && $1 != install && "$1 $2" != 'list wipe' ]] || return 1
  # A host that is off can be neither told nor cut off, and all hosts are off at once.
  [[ "$1 $2" != *outage* || "$1 $2" == 'clock outage' || "$1 $2" == 'full outage' ]] || return 1
  [[ $OF_MANY != *" $1 "* || $OF_MANY != *" $2 "* ]]
}

tree() { "$here/../helpers/tree.py" "$(rig data "$1")"; }

tell_counts() {
  cut -d ' ' -f 1 "$TROUBLE_LOG" | sort | uniq -c |
    awk '{ text = text separator $2 " " $1; separator = ", " } END { print "# troubles: " text }'
}

# Each value lies on three hosts, with the same bytes and the same record.
copies_agree() {
  local node
  for node in "${nodes[@]}"; do tree "$node"; done >"$BATS_TEST_TMPDIR/trees"
  # A file of no bytes says that a key was deleted.
  awk -v empty=e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 '
    $2 != empty { copies[$0]++ }
    END { for (line in copies) if (copies[line] != 3) { print copies[line], line; wrong++ } exit wrong > 0 }
  ' "$BATS_TEST_TMPDIR/trees" >"$BATS_TEST_TMPDIR/differing"
}

@test "three copies: processes, machines, cables, clocks and disks fail one by one" {
  trouble kill node1 0
  trouble stop node2 2
  trouble power node3 1
  trouble host node4 3
  trouble oneway node5 3
  trouble halves node1 3
  trouble ring node2 3
  trouble clock node3 1
  trouble full node4 2
  trouble outage node1 1
  clients_go_on
}

@test "three copies: a host leaves the list and comes back, and all are upgraded" {
  local node
  trouble list node5 0
  for node in "${nodes[@]}"; do start_trouble install "$node"; done
  await_end install
  [ "$(on node5 dpkg-query --show kvnode)" = "$(printf 'kvnode\t%s' "$(dpkg-deb --field "$KVNODE_DEB_NEXT" Version)")" ]
  clients_go_on
}

@test "three copies: a disk is lost, and is filled again by itself, and then another" {
  local node lost=(node2 node4)
  [ -z "${KVNODE_LONG:-}" ] || lost=("${nodes[@]}")
  for node in "${lost[@]}"; do trouble wipe "$node" 0; done
  clients_go_on
}

# bats test_tags=chance
@test "three copies: two troubles at a time, by chance" {
  local seconds=15 end
  [ -z "${KVNODE_LONG:-}" ] || seconds=600
  end=$((SECONDS + ${KVNODE_TROUBLE_SECONDS:-$seconds}))
  echo "# seed $SEED" >&3
  RANDOM=$SEED
  while ((SECONDS < end)); do two_troubles; done
  clients_go_on
}

# bats test_tags=chance
@test "three copies: what was acknowledged is there through every host, and every answer that was given can be explained" {
  tell_counts >&3
  nothing_was_wrong
}

# bats test_tags=chance
@test "three copies: in the end three hosts hold each value, and hold the same" {
  local node
  # Whoever starts compares what it has with the others.
  for node in "${nodes[@]}"; do on "$node" systemctl restart kvnode.service; done
  patiently copies_agree
}
