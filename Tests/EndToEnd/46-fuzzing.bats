# The parsers under inputs that libFuzzer makes up, half a minute each: see Fuzzing/run. KVNODE_FUZZING_SECONDS says how
# long instead.

# shellcheck disable=SC2154 # support.bash and bats set variables, and every test is a subshell.

load support

# Two at a time, for all tests at once. What they came to is left to the tests.
setup_file() {
  export REPORT=$BATS_FILE_TMPDIR/report
  "$REPOSITORY/Fuzzing/run" --scratch "$BATS_FILE_TMPDIR" --jobs 2 --seconds "${KVNODE_FUZZING_SECONDS:-30}" \
    >"$REPORT" 2>&1 3>&- || true
}

# holds TARGET: the target ran to its end and nothing was found.
holds() {
  cat "$REPORT" >&2
  grep -qE "^$1: [0-9]+ inputs, [0-9]+ edges, nothing found\$" "$REPORT"
}

@test "the configuration holds what it promises, whatever the files say, and can be written anew" { holds configuration; }

@test "a classic line is a request that a relay passes on unchanged, or an error in one line" { holds classic-line; }

@test "an HTTP request means the same however it is written or relayed, or is an error in one line" {
  holds http-request
}

@test "another node's answer is passed on as it was read, or is an error in one line" { holds http-response; }

@test "a chunked body is the same, however the stream is cut into pieces" { holds chunked-body; }

@test "a key comes back from its path on the disk and in a request, and no two have the same" { holds key-path; }

@test "what was read from an attribute is written and served as it was" { holds value-attribute; }

@test "pages of keys, JSON and escaped text are read as they were written" { holds peer-text; }

@test "every target of the fuzzing has a test here" {
  for target in "$REPOSITORY"/Fuzzing/corpora/*; do
    grep -qE "holds ${target##*/}\b" "$BATS_TEST_FILENAME"
  done
}

@test "control: a fault that only coverage leads to is found, and the input that shows it is kept" {
  run "$REPOSITORY/Fuzzing/run" --scratch "$BATS_FILE_TMPDIR" --control --seconds 60
  echo "$output"
  [ "$status" -eq 1 ]
  assert_matches 'control: .* FOUND' "$output"
  grep -qaE '^ *PUT ' "$BATS_FILE_TMPDIR"/findings/control/crash-*
}
