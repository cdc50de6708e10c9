# The judge of histories, and the clients that write them, which the tests on machines rely on: what is right passes,
# and what is wrong is found.

# shellcheck disable=SC2154 # support.bash and bats set variables.

load support

setup_file() { export BATS_TEST_TIMEOUT=900; }

setup() {
  AUDIT=$BATS_TEST_TMPDIR/audit
  mkdir "$AUDIT"
}

teardown() {
  [ ! -e "$AUDIT/pid" ] || kill -KILL "$(cat "$AUDIT/pid")" 2>/dev/null || true
  [ -z "${CLUSTER:-}" ] || kill_cluster
}

judge() { "$HELPERS/linearizable.py" "$@"; }

# start_audit COUNT: starts a cluster and clients on all of it, and waits until each of these has so many requests done.
start_audit() {
  prepare_test_cluster
  start_cluster
  setpriv --pdeathsig KILL "$HELPERS/audited.py" "$AUDIT" 1 127.0.0.{1..4} >"$AUDIT/log" 2>&1 3>&- </dev/null &
  echo $! >"$AUDIT/pid"
  eventually 200 has_acknowledged "$1" || {
    cat "$AUDIT/progress" "$AUDIT/log" "$CLUSTER"/node?.log
    return 1
  }
}

# Every client has so many requests done.
has_acknowledged() {
  [ -s "$AUDIT/progress" ] &&
    awk -v least="$1" '$2 < least && !/large/ { late++ } END { exit late > 0 }' "$AUDIT/progress"
}

end_audit() {
  touch "$AUDIT/stop"
  eventually 200 test -e "$AUDIT/done"
  cat "$AUDIT/log" "$AUDIT/summary"
}

@test "histories of which the verdict is known get it" {
  judge --vectors "$HELPERS/histories.txt"
}

@test "control: a verdict that is turned round is told of" {
  sed 's/^good an open swap was done/bad an open swap was done/' "$HELPERS/histories.txt" >"$AUDIT/turned"
  run judge --vectors "$AUDIT/turned"
  echo "$output"
  assert_equal 1 "$status"
  assert_equal "an open swap was done" "${lines[1]}"
}

@test "a history that cannot be read is refused" {
  local line
  for line in '1 2 k put' '1 2 k get a b' '2 1 k put a' '1 - k get a' '1 - k swap a b done' '1 2 k swap a b' \
    '1 2 k move a' '1 2 k put a existed' '1 two k put a' '1 2'; do
    echo "$line" >"$AUDIT/history"
    run judge "$AUDIT/history"
    ((status == 1)) || return 1
    assert_matches 'Error' "$output"
  done
}

@test "a long history is judged, and one wrong answer in it is found" {
  python3 - >"$AUDIT/history" <<'PYTHON'
# Four clients at a time write and read; each takes effect in the midst.
for turn in range(5000):
    at = 100 * turn
    print(at, at + 60, "k put", "a%d" % turn)
    print(at + 10, at + 70, "k get", "a%d" % turn)
    print(at + 65, at + 90, "k put", "b%d" % turn)
    print(at + 66, at + 99, "k get", "b%d" % turn)
PYTHON
  judge "$AUDIT/history"
  sed -i 's/k get b3000$/k get b2999/' "$AUDIT/history"
  run judge "$AUDIT/history"
  echo "$output"
  assert_equal 1 "$status"
  assert_matches '1 of them at fault' "$output"
  assert_matches 'k get b2999' "$output"
}

@test "what a cluster in peace answers its clients can be explained" {
  start_audit 60
  end_audit
  [ ! -s "$AUDIT/faults" ]
  judge "$AUDIT/history"
  # Of each kind there were some.
  local kind
  for kind in 'put .* created' 'put .* replaced' 'get v' 'get -' 'delete existed' 'delete absent' 'swap .* done'; do
    grep -qE " $kind" "$AUDIT/history"
  done
}

@test "control: a value that is lost, and one with wrong bytes, are found" {
  start_audit 5
  rm "$(value_file still7.0 still7.0)"
  printf X | dd status=none conv=notrunc bs=1 seek=600 of="$(value_file still8.0 still8.0)"
  end_audit
  run cat "$AUDIT/faults"
  assert_matches 'still8.0 has wrong bytes' "$output"
  run judge "$AUDIT/history"
  echo "$output"
  assert_equal 1 "$status"
  assert_matches 'still7.0: no order explains' "$output"
  assert_matches ' 1 of them at fault' "$output"
}

# nemesis SECONDS [CONTROL]
nemesis() { "$HELPERS/nemesis.bash" "$KVNODE" "$BATS_TEST_TMPDIR/nemesis" "$1" "$RANDOM" "${@:2}"; }

require_root() {
  if ((EUID != 0)); then
    echo "# NOT RUN: $BATS_TEST_DESCRIPTION: network namespaces need root" >&3
    skip 'network namespaces need root'
  fi
}

@test "with three copies there is an order while hosts are killed, stopped, cut off and taken from the list" {
  require_root
  local seconds=40
  if [[ -n ${KVNODE_LONG-} ]]; then seconds=300; fi
  nemesis "$seconds"
}

@test "control: that more disks than one are put back to what they were before is found" {
  require_root
  run nemesis 4 rollback
  echo "$output"
  assert_equal 1 "$status"
  assert_matches 'no order explains' "$output"
}
