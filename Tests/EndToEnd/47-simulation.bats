# The registers of keys and of the layout in simulated clusters: see scripts/simulate. The seeds are fixed, so that each run
# is the same. KVNODE_SCHEDULES says how many schedules are run (15000).

# shellcheck disable=SC2154 # support.bash and bats set variables, and every test is a subshell.

load support

simulate() { "$REPOSITORY/scripts/simulate" --jobs 2 "$@"; }

@test "whatever crashes, is lost or comes late, every history is linearizable and all comes to rest" {
  run simulate --first 1 --count "${KVNODE_SCHEDULES:-15000}"
  echo "$output"
  assert_equal 0 "$status"
  assert_matches "${KVNODE_SCHEDULES:-15000} schedules, 0 violations" "$output"
  # It would prove nothing if nothing had gone wrong in them.
  for fault in kills 'power cuts' partitions 'messages lost' 'messages late' 'messages doubled' 'syncs failed' 'disks lost' \
    'stops in good order' 'values damaged' 'disks put back' 'first layouts decided'; do
    assert_matches "$fault: [0-9]{3,}" "$output"
  done
}

@test "control: every rule that is left out is missed" {
  run simulate --mutants
  echo "$output"
  assert_equal 0 "$status"
  assert_equal 40 "$(grep -c ': caught in schedule ' <<<"$output")"
}

@test "in no order of the requests of two rounds, with a restart, is anybody told what does not hold" {
  run simulate --exhaust
  echo "$output"
  assert_equal 0 "$status"
  assert_equal 3 "$(grep -cE ': [0-9]{6,} moments, all right$' <<<"$output")"
}

@test "control: among all orders is one in which a promise that a restart forgets does harm" {
  run simulate --exhaust --without keepsHorizon
  echo "$output"
  assert_equal 1 "$status"
  assert_matches 'moments, told' "$output"
}
