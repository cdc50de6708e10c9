# Keys are bytes: any of them goes round, and none leaves its directory.

load support

setup_file() { start_suite_cluster; }
teardown_file() { kill_cluster; }

setup() { cd "$BATS_TEST_TMPDIR" || return; }

# file_of FORMAT PATH: where the value lies of the key that printf makes of FORMAT, found without our own code.
file_of() {
  local digest slot
  # shellcheck disable=SC2059 # The format is the key.
  digest=$( (printf "$1"; echo) | md5sum)
  slot=$((16#${digest:0:4}))
  echo "$CLUSTER/node$(((slot > 0 ? slot - 1 : 0) / 16384 + 1))/values/${digest:0:2}/$2"
}

# key_goes_round FORMAT PATH: through every node, and lies at PATH meanwhile.
key_goes_round() {
  local node
  for node in "${NODES[@]}"; do
    # shellcheck disable=SC2059 # The format is the key.
    cmp <(raw "$node" "PUT $1\nvalue $node") <(printf "$1\n")
    cmp "$(file_of "$1" "$2")" <(printf 'value %s' "$node")
    raw $((node % 4 + 1)) "GET $1\n" | cmp - <(printf 'value %s' "$node")
  done
  raw 1 "DEL $1\n" | cmp - /dev/null
  [ ! -e "$(file_of "$1" "$2")" ]
}

@test "letters, digits, '.', '_' and '-' stay as they are" {
  key_goes_round 'Az09._-..b' 'Az09._-..b'
}

@test "slashes are part of the key" {
  key_goes_round 'a/b' 'a%2Fb'
  key_goes_round '/' '%2F'
  key_goes_round '//a//' '%2F%2Fa%2F%2F'
}

@test "'.', '..' and paths of them stay inside" {
  key_goes_round '.' '%2E'
  key_goes_round '..' '%2E.'
  key_goes_round '../../../etc/passwd' '%2E.%2F..%2F..%2Fetc%2Fpasswd'
}

@test "a leading dot is escaped" {
  key_goes_round '.hidden' '%2Ehidden'
}

@test "percent signs do not clash with escapes" {
  key_goes_round '100%%' '100%25'
  key_goes_round '%%2F' '%252F'
}

@test "UTF-8" {
  key_goes_round 'na\303\257ve-\327\251\327\234\327\225\327\235' 'na%C3%AFve-%D7%A9%D7%9C%D7%95%D7%9D'
}

@test "bytes that are no UTF-8, control bytes and NUL" {
  key_goes_round '\377\376' '%FF%FE'
  key_goes_round 'a\001b\033c\177' 'a%01b%1Bc%7F'
  key_goes_round 'tab\there' 'tab%09here'
  key_goes_round 'cr\rhere' 'cr%0Dhere'
  key_goes_round 'nul\000here' 'nul%00here'
}

@test "a key like a directory's name of a long key" {
  key_goes_round 'plus+' 'plus%2B'
}

@test "a key of 1024 bytes continues in directories" {
  name=$(printf 'x%.0s' {1..240})
  key_goes_round "$(printf 'x%.0s' {1..1024})" "$name+/$name+/$name+/$name+/$(printf 'x%.0s' {1..64})"
}

@test "a key of 1024 bytes that are all escaped" {
  part=$(printf '%%2F%.0s' {1..80})
  path=$(printf "${part//%/%%}+/%.0s" {1..12})$(printf '%%2F%.0s' {1..64})
  key_goes_round "$(printf '/%.0s' {1..1024})" "$path"
}

@test "an escape is never split between two names" {
  name=$(printf 'x%.0s' {1..238})
  key_goes_round "$name/tail" "$name+/%2Ftail"
}

@test "a dot that begins a continued name is escaped" {
  name=$(printf 'x%.0s' {1..240})
  key_goes_round "$name.tail" "$name+/%2Etail"
}

@test "the longest name and the key that continues it live side by side" {
  name=$(printf 'y%.0s' {1..240})
  raw 1 "PUT $name\nshort" | cmp - <(echo "$name")
  raw 1 "PUT ${name}z\nlong" | cmp - <(echo "${name}z")
  raw 2 "GET $name\n" | cmp - <(printf short)
  raw 2 "GET ${name}z\n" | cmp - <(printf long)
  raw 3 "DEL ${name}z\n"
  raw 2 "GET $name\n" | cmp - <(printf short)
  # The directory that the long key needed is gone with it.
  [ ! -e "$(file_of "${name}z" "$name+")" ]
}

@test "a key of 1025 bytes is refused" {
  key=$(printf 'x%.0s' {1..1025})
  for operation in PUT GET DEL; do
    for node in "${NODES[@]}"; do
      assert_equal "ERROR: $operation: the key has 1025 bytes, the most is 1024" "$(raw "$node" "$operation $key\n")"
    done
  done
}

@test "keys that differ in case, or by an escape's spelling, are different keys" {
  raw 1 'PUT Case\nupper'
  raw 1 'PUT case\nlower'
  raw 1 'PUT a%%2Fb\nescaped'
  raw 1 'PUT a/b\nslash'
  raw 2 'GET Case\n' | cmp - <(printf upper)
  raw 2 'GET case\n' | cmp - <(printf lower)
  raw 2 'GET a%%2Fb\n' | cmp - <(printf escaped)
  raw 2 'GET a/b\n' | cmp - <(printf slash)
}

@test "nothing lies outside of the places that the layout names" {
  for node in "${NODES[@]}"; do
    cd "$CLUSTER/node$node"
    assert_equal "format id index layout node quarantine staging values" "$(find . -mindepth 1 -maxdepth 1 -printf '%f\n' | sort | xargs)"
    assert_equal "$(printf '%02x\n' {0..255})" "$(find values -mindepth 1 -maxdepth 1 -printf '%f\n' | sort)"
  done
}
