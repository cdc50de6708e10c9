# What a power cut leaves: the same promises as after a kill, now with everything gone that was not on the disk. And
# that the test can fail: without the syncs of Durability=full it finds losses.
#
# KVNODE_POWER_CUTS says how often the power is cut (50).

# shellcheck disable=SC2154 # support.bash and bats set variables, and every test is a subshell.

load support

setup() {
  cd "$BATS_TEST_TMPDIR" || return
  if ((EUID != 0)); then
    echo "# NOT RUN: $BATS_TEST_DESCRIPTION: mounting needs root" >&3
    skip 'mounting needs root'
  fi
  require_free_ports
}

# cut_power ROUNDS DURABILITY: mounts and loop devices end with the mount namespace, whatever ends the test.
cut_power() {
  timeout 280 unshare --mount --propagation private setpriv --pdeathsig KILL \
    /usr/bin/python3 "$HELPERS/power_cut.py" "$KVNODE" "$PWD" "$@"
}

@test "power cut under load: every acknowledged value and deletion is there, nothing is there by half" {
  run cut_power "${KVNODE_POWER_CUTS:-50}" full
  echo "$output"
  assert_equal 0 "$status"
  assert_matches 'violations=0' "$output"
  # It would prove nothing if nothing had been acknowledged.
  assert_matches 'acknowledged=[0-9]{3,}' "$output"
}

@test "control: with Durability=relaxed a power cut does lose something, and the test sees it" {
  run cut_power 10 relaxed
  echo "$output"
  assert_equal 3 "$status"
}
