# What the README shows, as it shows it, of every node.

load support

setup_file() { start_suite_cluster; }
teardown_file() { kill_cluster; }

setup() { cd "$BATS_TEST_TMPDIR" || return; }

@test "a text is put through every node and read back through every node" {
  echo "The quick brown fox" >myfile
  for putter in "${NODES[@]}"; do
    host=127.0.0.$putter
    answer=$( (echo "PUT mykey$putter"; cat myfile) | nc -N "$host" 7776)
    assert_equal "mykey$putter" "$answer"
    for getter in "${NODES[@]}"; do
      host=127.0.0.$getter
      echo "GET mykey$putter" | nc "$host" 7776 >answer
      cmp myfile answer
    done
  done
}

@test "a binary value is put through every node and read back through every node" {
  random_file myfile 1000000
  for putter in "${NODES[@]}"; do
    host=127.0.0.$putter
    (echo "PUT binary$putter"; cat myfile) | nc -N "$host" 7776 >answer
    cmp answer <(echo "binary$putter")
    for getter in "${NODES[@]}"; do
      host=127.0.0.$getter
      echo "GET binary$putter" | nc "$host" 7776 | cmp - myfile
    done
  done
}

@test "DEL through any node takes the key away for all, answers nothing, and is no error for an absent key" {
  for deleter in "${NODES[@]}"; do
    echo value >myfile
    (echo "PUT gone"; cat myfile) | nc -N 127.0.0.1 7776
    host=127.0.0.$deleter
    for _ in 1 2; do
      echo "DEL gone" | nc "$host" 7776 >answer
      assert_equal 0 "$(stat -c %s answer)"
    done
    for getter in "${NODES[@]}"; do
      assert_equal "ERROR: GET gone: no such key" "$(echo "GET gone" | nc "127.0.0.$getter" 7776)"
    done
  done
}

@test "a PUT that states its length stores the same value" {
  random_file myfile 54321
  for putter in "${NODES[@]}"; do
    host=127.0.0.$putter
    answer=$( (echo "PUT counted $(stat -c %s myfile)"; cat myfile) | nc -N "$host" 7776)
    assert_equal counted "$answer"
    echo "GET counted" | nc 127.0.0.1 7776 | cmp - myfile
  done
}

@test "a second PUT replaces the value, a shorter one too" {
  echo "a longer first value" >first
  echo second >second
  (echo "PUT replaced"; cat first) | nc -N 127.0.0.1 7776
  (echo "PUT replaced"; cat second) | nc -N 127.0.0.2 7776
  for getter in "${NODES[@]}"; do
    echo "GET replaced" | nc "127.0.0.$getter" 7776 | cmp - second
  done
}

@test "a line may end in CR LF, and words may be several spaces apart" {
  raw 1 'PUT   spaced  \r\nvalue' >answer
  cmp answer <(echo spaced)
  raw 2 'GET spaced\r\n' | cmp - <(printf value)
}

@test "hashme and hashmetoo lie on the nodes that the original put them on" {
  echo one >one
  put 3 hashme one
  put 3 hashmetoo one
  cmp one "$CLUSTER/node1/values/12/hashme"
  cmp one "$CLUSTER/node4/values/c7/hashmetoo"
}
