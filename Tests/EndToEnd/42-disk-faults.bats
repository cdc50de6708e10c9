# Disks that are full, read-only, failing, lying, hanging or gone: an error that says so, a node that stays up and
# serves what it can, a health check that tells the truth, and never a wrong byte passed off as a right one.

# shellcheck disable=SC2154 # support.bash and bats set variables, and every test is a subshell.

load support

KVCTL=${KVCTL:-${KVNODE%/*}/kvctl}

# Of the tests' two nodes, 1 is asked and 2 owns the key; node 2's store lies on a disk of its own.
setup() {
  cd "$BATS_TEST_TMPDIR" || return
  if ((EUID != 0)); then
    echo "# NOT RUN: $BATS_TEST_DESCRIPTION: mounting needs root" >&3
    skip 'mounting needs root'
  fi
  prepare_test_cluster
  mkdir disk
  DISK=$PWD/disk
  cp -a "$FOUNDED/node2" "$DISK/data"
  /usr/bin/python3 "$HELPERS/guardian.py" $$ "$PWD" "$PWD/guarded" 3>&- </dev/null &
  guardian=$!
  eventually 10 test -e guarded
  configure 2 disk '[Node]' "DataDirectory=$DISK/data" MinFree=0
  configure all limits '[Limits]' IdleTimeout=3s
  key=$(key_owned_by 2 key)
  other=$(key_owned_by 1 other)
  random_file value 200000
}

teardown() {
  if [[ -z ${guardian-} ]]; then return; fi
  # Frozen file systems first: what waits for one cannot be killed.
  if [[ -e freezer.pid ]]; then kill "$(cat freezer.pid)" || true; fi
  kill_cluster
  kill "$guardian"
  wait "$guardian" || true
}

# mount_disk BYTES [MKFS OPTION...]
mount_disk() {
  truncate -s "$1" image
  mkfs.ext4 -q -F -m 0 "${@:2}" image
  mount -o loop image "$DISK"
  # Node 2 is one of those that have agreed on a layout.
  cp -a "$FOUNDED/node2" "$DISK/data"
  sync -f "$DISK"
}

# Node 2, which checks itself every 0.3 s, as under a watchdog.
start_disk_node() { start_node 2 env WATCHDOG_USEC=900000; }

start_both() {
  start_node 1
  start_disk_node
}

value_path() { printf '%s/data/values/%s/%s' "$DISK" "$(printf '%s\n' "$1" | md5sum | cut -c 1-2)" "$1"; }

nothing_staged() { [[ -z $(find "$DISK/data/staging" -type f ! -name probe) ]]; }

# Fills the disk to its last block, also with what was only set aside at first.
fill_disk() {
  local number
  for number in 1 2 3; do
    dd if=/dev/zero of="$DISK/filler$number" bs=512 status=none 2>/dev/null || true
    sync -f "$DISK"
  done
}

# health N: the status and the reason. health_is N PATTERN
health() { curl -sS -m 5 -w '%{http_code}' "http://127.0.0.$1:7777/healthz" | tr '\n' ' '; }
health_is() { [[ $(health "$1") =~ $2 ]]; }

# http_status METHOD N KEY [CURL OPTION...]: what the node answers; the text goes to http.out.
http_status() { curl -sS -m 60 -o http.out -w '%{http_code}' -X "$1" "http://127.0.0.$2:7776/$3" "${@:4}"; }

# put_fails PATTERN [FILE]: a PUT of the key fails so, in every dialect, through the owner and through a relay.
put_fails() {
  local node
  for node in 1 2; do
    assert_matches "^ERROR: PUT $key: $1" "$(put $node "$key" "${2:-value}")"
    assert_matches "^ERROR: PUT $key: $1" "$(put $node "$key" "${2:-value}" "$(stat -c %s "${2:-value}")")"
    assert_matches "^ERROR: PUT $key: $1" "ERROR: $(http_status PUT $node "$key" -T "${2:-value}" >/dev/null; cat http.out)"
  done
}

# inject NODE SYSCALL:error=…[:when=N] [PATH]: from now on such calls fail, or each thread's Nth. Where a path is named,
# only calls about it do, and only those count: a node has many threads, and which of them does a call, and what else it
# has done by then, is no matter of a test. The path is compared with what a descriptor is open on, and with what stands
# in the call. The tracer ends with the node.
inject() {
  local pid
  pid=$(node_pid "$1")
  setpriv --pdeathsig KILL strace -f -qq ${3:+-P "$3"} -e "trace=${2%%:*}" -e "inject=$2" -o "$PWD/injected" -p "$pid" \
    3>&- </dev/null &
  tracer=$!
  eventually 10 is_traced "$pid"
}

# content_of N: the file of the Nth value that node 2 has taken since its start, while it is in the making.
content_of() { printf '%s/data/staging/%s' "$DISK" "$1"; }

# The directory that the key's value is in.
value_directory() { dirname "$(value_path "$key")"; }

is_traced() { ! grep -q '^TracerPid:\s0$' /proc/"$1"/task/*/status; }

# Ends an injection. A signal that strace can catch would leave it injecting.
end_injection() {
  kill -KILL "$tracer"
  wait "$tracer" 2>/dev/null || true
}

# The value is as it was, and the node takes the next one.
unharmed() {
  get 1 "$key" | cmp - before
  eventually 5 nothing_staged
  assert_equal "$key" "$(put 1 "$key" value)"
  get 2 "$key" | cmp - value
}

# A store that trusts its disk no more: it serves and says why, and takes nothing until it is started anew.
read_only_until_restart() {
  assert_equal 503 "$(http_status PUT 1 "$key" -T value)"
  assert_matches "^PUT $key: the store is read-only: fsync: " "$(cat http.out)"
  assert_matches "^ERROR: DEL $key: the store is read-only: fsync: " "$(del 1 "$key")"
  eventually 15 health_is 2 '^the store is read-only: fsync: .* 503$'
  assert_matches 'kvnode_store_read_only 1' "$(curl -sS http://127.0.0.2:7777/metrics)"
  kill_node 2
  start_disk_node
  eventually 15 health_is 2 '^ok 200$'
  nothing_staged
  assert_equal "$key" "$(put 1 "$key" value)"
  get 1 "$key" | cmp - value
}

prepare_injection() {
  mount_disk 64M
  start_both
  random_file before 100000
  assert_equal "$key" "$(put 1 "$key" before)"
}

@test "a disk that is full before a PUT: refused with 507 in every way, DEL makes room" {
  mount_disk 48M
  start_both
  random_file before 8000000
  assert_equal "$key" "$(put 1 "$key" before)"
  fill_disk
  put_fails 'no space: '
  for node in 1 2; do assert_equal 507 "$(http_status PUT $node "$key" -T value)"; done
  assert_equal 507 "$(http_status PUT 1 "$key" -T - -H 'Transfer-Encoding: chunked' <value)"
  eventually 15 health_is 2 '^no space: .* 503$'
  # What is there is served, and nothing of what was refused lies about.
  for node in 1 2; do get $node "$key" | cmp - before; done
  nothing_staged
  assert_equal '' "$(del 1 "$key")"
  eventually 15 health_is 2 '^ok 200$'
  assert_equal "$key" "$(put 1 "$key" value)"
  assert_equal "ERROR: GET $other: no such key" "$(get 2 "$other")"
}

@test "a disk that fills up during a PUT of unknown length: 507, the old value stays, the space comes back" {
  mount_disk 64M
  start_both
  assert_equal "$key" "$(put 1 "$key" value)"
  head -c 100M /dev/zero >large
  for node in 1 2; do
    assert_matches "^ERROR: PUT $key: no space: " "$(put $node "$key" large)"
    assert_equal 507 "$(http_status PUT $node "$key" -T - -H 'Transfer-Encoding: chunked' <large)"
    assert_matches "^PUT $key: no space: " "$(cat http.out)"
    get $node "$key" | cmp - value
    eventually 5 nothing_staged
  done
  assert_equal "$key" "$(put 1 "$key" <(head -c 30M large))"
}

@test "a PUT of known length that does not fit: 507 before a byte of it is sent" {
  mount_disk 64M
  start_both
  head -c 100M /dev/zero >large
  for node in 1 2; do
    assert_equal '507 0' "$(curl -sS -o /dev/null -w '%{http_code} %{size_upload}' -T large "http://127.0.0.$node:7776/$key")"
    assert_matches "^ERROR: PUT $key: no space: " "$(put $node "$key" large $((100 << 20)))"
  done
  nothing_staged
}

@test "the reserve of MinFree= holds during a PUT of unknown length" {
  mount_disk 128M
  configure 2 reserve '[Node]' MinFree=50%
  start_both
  head -c 100M /dev/zero >large
  assert_matches "^ERROR: PUT $key: no space: [0-9]+ bytes are free, [0-9]+ are reserved \\(MinFree=\\)$" "$(put 1 "$key" large)"
  eventually 5 nothing_staged
  assert_equal "$key" "$(put 1 "$key" value)"
}

@test "a file system without inodes left: 507, and DEL makes room" {
  mount_disk 64M -N 300
  start_both
  assert_equal "$key" "$(put 1 "$key" value)"
  number=0
  while : 2>/dev/null >"$DISK/filler$number"; do number=$((number + 1)); done
  assert_equal 507 "$(http_status PUT 1 "$key" -T value)"
  assert_matches "^ERROR: PUT $key: no space: " "$(put 2 "$key" value)"
  eventually 15 health_is 2 '^no space: .* 503$'
  assert_equal '' "$(del 1 "$key")"
  assert_equal "$key" "$(put 1 "$key" value)"
}

@test "a file system that has become read-only by an error: GET works, changes are errors, and a new mount cures it" {
  mount_disk 64M
  start_both
  assert_equal "$key" "$(put 1 "$key" value)"
  # As ext4 does with errors=remount-ro, whatever is open.
  mount -o remount,abort "$DISK"
  put_fails 'openat: Read-only file system'
  assert_equal 500 "$(http_status PUT 1 "$key" -T value)"
  assert_equal "ERROR: DEL $key: unlinkat: Read-only file system" "$(del 1 "$key")"
  eventually 15 health_is 2 '^openat: Read-only file system 503$'
  for node in 1 2; do get $node "$key" | cmp - value; done
  kill_node 2
  umount "$DISK"
  fsck.ext4 -p image || (($? == 1))
  mount -o loop image "$DISK"
  start_disk_node
  eventually 15 health_is 2 '^ok 200$'
  assert_equal "$key" "$(put 1 "$key" value)"
}

@test "a failed fsync of the content: the old value stays, and the store changes nothing any more" {
  prepare_injection
  inject 2 fsync:error=EIO:when=1 "$(content_of 2)"
  assert_matches "^ERROR: PUT $key: fsync: Input/output error" "$(put 1 "$key" value)"
  get 1 "$key" | cmp - before
  read_only_until_restart
}

@test "a failed fsync of the directory: the new value is there whole, unacknowledged, and the store changes nothing" {
  prepare_injection
  inject 2 fsync:error=EIO:when=1 "$(value_directory)"
  assert_matches "^ERROR: PUT $key: fsync: Input/output error" "$(put 1 "$key" value)"
  get 1 "$key" | cmp - value
  assert_equal 503 "$(http_status PUT 1 "$key" -T value)"
}

@test "a failed fsync of a DEL: an error, and the store changes nothing any more" {
  prepare_injection
  inject 2 fsync:error=EIO:when=1 "$(value_directory)"
  assert_matches "^ERROR: DEL $key: fsync: Input/output error" "$(del 1 "$key")"
  assert_equal 503 "$(http_status PUT 1 "$key" -T value)"
}

@test "an fsync that finds the disk full (delayed allocation) counts as failed too" {
  prepare_injection
  inject 2 fsync:error=ENOSPC:when=1 "$(content_of 2)"
  assert_equal 507 "$(http_status PUT 1 "$key" -T value)"
  get 1 "$key" | cmp - before
  assert_equal 503 "$(http_status PUT 1 "$key" -T value)"
  assert_matches 'the store is read-only' "$(cat http.out)"
}

@test "other calls of a PUT that fail once: an error, the old value stays, and the next PUT works" {
  mount_disk 64M
  start_node 1
  random_file before 100000
  # The call, what it is about, the status; with a value of 200,000 bytes the second write is not the first. The value is
  # the node's second: 2 is the name of its file for those calls that make the file and move it.
  while read -r fault about expected; do
    echo "fault: $fault" >&2
    case $about in
      content) path=$(content_of 2) ;;
      name) path=2 ;;
      disk) path=$DISK/data/values ;;
    esac
    start_node 2
    assert_equal "$key" "$(put 1 "$key" before)"
    inject 2 "$fault" "$path"
    assert_equal "$expected" "$(http_status PUT 1 "$key" -T value)"
    end_injection
    grep -q INJECTED injected
    if ((expected >= 500)); then unharmed; else get 1 "$key" | cmp - value; fi
    kill_node 2
  done <<'EOF'
pwrite64:error=EIO:when=1 content 500
pwrite64:error=ENOSPC:when=1 content 507
pwrite64:error=EDQUOT:when=1 content 507
pwrite64:error=EINTR:when=1 content 204
fsetxattr:error=ENOSPC:when=1 content 507
fsetxattr:error=EIO:when=1 content 500
fallocate:error=ENOSPC:when=1 content 507
fallocate:error=EIO:when=1 content 500
fallocate:error=EOPNOTSUPP:when=1 content 204
fallocate:error=EINTR:when=1 content 204
renameat:error=EIO:when=1 name 500
renameat:error=ENOSPC:when=1 name 507
openat:error=EIO:when=1 name 500
openat:error=EMFILE:when=1 name 500
fstatfs:error=EIO disk 500
EOF
}

@test "a DEL that fails: an error, the value stays, and the next DEL works" {
  prepare_injection
  inject 2 unlinkat:error=EIO
  assert_equal "ERROR: DEL $key: unlinkat: Input/output error" "$(del 1 "$key")"
  end_injection
  get 1 "$key" | cmp - before
  assert_equal '' "$(del 1 "$key")"
  assert_equal "ERROR: GET $key: no such key" "$(get 1 "$key")"
}

@test "a splice that fails in the relay: an error or a reset, never a wrong value, and the next request works" {
  prepare_injection
  random_file value 3000000
  for error in EINVAL EIO EINTR ENOMEM; do
    for when in 1 2 3; do
      echo "fault: $error at $when" >&2
      inject 1 "splice:error=$error:when=$when"
      answer=$(put 1 "$key" value)
      if ((when == 1)); then eventually 5 grep -q INJECTED injected; fi
      assert_matches "^(|$key|ERROR: .*)$" "$answer"
      get 2 "$key" >stored
      if [[ $answer == "$key" ]]; then cmp value stored; else cmp before stored; fi
      eventually 5 nothing_staged
      end_injection
      assert_equal "$key" "$(put 1 "$key" value)"
      inject 1 "splice:error=$error:when=$when"
      start_client getter 127.0.0.1 text="GET $key\\n" read
      finish_client getter
      if ((client_status == 0)); then cmp value getter.out; else assert_equal 104 "$client_status"; fi
      end_injection
      get 1 "$key" | cmp - value
      assert_equal "$key" "$(put 1 "$key" before)"
    done
  done
}

@test "a disk that cannot read a value: a GET of it ends in a reset, never in a clean end" {
  prepare_injection
  inject 2 sendfile:error=EIO
  for node in 1 2; do
    start_client getter 127.0.0.$node text="GET $key\\n" read
    finish_client getter
    # A relay that has not had the head of the answer yet can still say so.
    assert_matches "^(104 |0 ERROR: GET $key: node2 .*)$" "$client_status $(cat getter.out)"
  done
  end_injection
  get 1 "$key" | cmp - before
}

@test "real write-back errors: the disk takes bytes and loses them; nothing is acknowledged, what was there is served" {
  mkdir ram
  mount -t tmpfs -o size=40M none ram
  truncate -s 400M ram/image
  mkfs.ext4 -q -F -m 0 -E lazy_itable_init=1 -J size=4 ram/image
  mount -o loop ram/image "$DISK"
  cp -a "$FOUNDED/node2" "$DISK/data"
  start_both
  assert_equal "$key" "$(put 1 "$key" value)"
  sync -f "$DISK"
  head -c 100M /dev/urandom >large
  spoilt=$(key_owned_by 2 spoilt)
  answer=$(put 1 "$spoilt" large)
  assert_matches "^ERROR: PUT $spoilt: " "$answer"
  run ! node_is_gone 2
  eventually 10 health_is 2 ' 503$'
  assert_matches "^(PUT|ERROR)" "ERROR$(http_status PUT 1 "$key" -T value >/dev/null; cat http.out)"
  get 1 "$key" | cmp - value
  assert_equal "ERROR: GET $spoilt: no such key" "$(get 1 "$spoilt")"
}

@test "a data directory that is removed under a node: every request about it is an error, relays go on" {
  mount_disk 64M
  start_both
  assert_equal "$key" "$(put 1 "$key" value)"
  rm -rf "$DISK/data"
  put_fails 'openat: No such file or directory'
  assert_equal "ERROR: GET $key: openat: No such file or directory" "$(get 1 "$key")"
  assert_equal "ERROR: DEL $key: openat: No such file or directory" "$(del 1 "$key")"
  eventually 15 health_is 2 '^openat: No such file or directory 503$'
  assert_equal "$other" "$(put 2 "$other" value)"
  get 2 "$other" | cmp - value
  kill_node 2
  # An empty directory would not be taken for the member's. One that is older has no vote, and serves what it has.
  cp -a "$FOUNDED/node2" "$DISK/data"
  start_disk_node
  eventually 15 health_is 2 "^ok.this host's data directory is older than the others remember it, .* 200$"
  assert_equal "$key" "$(put 1 "$key" value)"
}

# freeze, thaw: the disk hangs, and comes back.
freeze() {
  rm -f frozen
  setpriv --pdeathsig TERM /usr/bin/python3 "$HELPERS/freeze.py" "$DISK" "$PWD/frozen" 3>&- </dev/null &
  echo $! >freezer.pid
  eventually 10 test -e frozen
}

thaw() {
  kill "$(cat freezer.pid)"
  wait "$(cat freezer.pid)"
  rm freezer.pid
}

@test "a disk that hangs: health says so, relays through the node and its admin pages answer, and all goes on after" {
  mount_disk 64M
  configure all limits '[Limits]' IdleTimeout=60s
  start_both
  assert_equal "$key" "$(put 1 "$key" value)"
  assert_equal "$other" "$(put 1 "$other" value)"
  freeze
  # More than there are threads for the disk.
  for number in {1..24}; do
    start_client "putter$number" 127.0.0.2 text="PUT $(key_owned_by 2 "hung$number-") 5\\n" text=value shut read
  done
  eventually 10 health_is 2 '^the self-check has not come back for [0-9]+ s 503$'
  assert_equal '' "$(cat putter*.out)"
  # Everything that needs no disk.
  get 2 "$other" | timeout 5 cmp - value
  assert_equal "$other" "$(timeout 5 nc -N 127.0.0.2 7776 < <(echo "PUT $other"; cat value))"
  assert_matches 'kvnode_healthy 0' "$(curl -sS -m 5 http://127.0.0.2:7777/metrics)"
  assert_matches '"node":"node1"' "$(curl -sS -m 5 http://127.0.0.2:7777/status)"
  assert_matches '"health":"the self-check has not come back' "$(curl -sS -m 5 "http://127.0.0.2:7776/?status")"
  thaw
  for number in {1..24}; do
    finish_client "putter$number"
    assert_equal 0 "$client_status"
    assert_matches "^hung$number-[0-9]+$" "$(cat "putter$number.out")"
  done
  eventually 10 health_is 2 '^ok 200$'
  get 1 "$key" | cmp - value
}

@test "a disk that hangs does not keep the node from finding other nodes by name" {
  mount_disk 64M
  sed -i 's/^node1=127.0.0.1:/node1=localhost:/' "$CLUSTER"/node[12].conf
  configure all limits '[Limits]' IdleTimeout=60s
  start_both
  assert_equal "$other" "$(put 1 "$other" value)"
  freeze
  for number in {1..24}; do
    start_client "putter$number" 127.0.0.2 text="PUT $(key_owned_by 2 "hung$number-") 5\\n" text=value shut read
  done
  eventually 10 health_is 2 ' 503$'
  timeout 5 nc 127.0.0.2 7776 <<<"GET $other" | cmp - value
  thaw
}

# A disk whose every sync takes a second, and 100 clients that put small values into it for 15 s: from now on until
# finish_puts. The service manager listens, and waits 10 s at the most for a sign of life.
start_puts_on_slow_disk() {
  mount_disk 64M
  configure all limits '[Limits]' IdleTimeout=200s
  setpriv --pdeathsig KILL /usr/bin/python3 "$HELPERS/manager.py" "$PWD/notify" >heard 3>&- </dev/null &
  manager=$!
  eventually 10 test -S notify
  start_node 1
  start_node 2 env NOTIFY_SOCKET="$PWD/notify" WATCHDOG_USEC=10000000
  assert_equal "$key" "$(put 1 "$key" value)"
  inject 2 fsync:delay_exit=1000000
  setpriv --pdeathsig KILL /usr/bin/python3 "$HELPERS/puts.py" 2 100 15 "$PWD/sent" >putters.out 3>&- </dev/null &
  putters=$!
  eventually 20 test -e sent
}

puts_are_under_way() { ! process_is_gone "$putters"; }

# Every one of the PUTs has been acknowledged in the end.
finish_puts() {
  wait "$putters"
  assert_matches '^[0-9]{3,} acknowledged$' "$(cat putters.out)"
  end_injection
}

# Drops what the kernel holds of the stored value in memory, so that the next GET is of the disk.
forget_value() { dd if="$(value_path "$key")" iflag=nocache count=0 status=none; }

@test "beside PUTs that wait for a slow disk's syncs, GETs of what is there and of what is not do not wait" {
  start_puts_on_slow_disk
  none=$(key_owned_by 2 none)
  rounds=0
  while puts_are_under_way; do
    # The PUTs alone would take 25 s one after another on 8 threads.
    assert_equal "ERROR: GET $none: no such key" "$(timeout 10 nc 127.0.0.2 7776 <<<"GET $none")"
    forget_value
    timeout 10 nc 127.0.0.1 7776 <<<"GET $key" | cmp - value
    rounds=$((rounds + 1))
  done
  ((rounds > 3))
  finish_puts
}

@test "a slow disk that has many PUTs to sync is no sick one: health stays good, and the watchdog hears of the node" {
  start_puts_on_slow_disk
  while puts_are_under_way; do
    assert_equal 'ok 200' "$(health 2)"
  done
  finish_puts
  kill "$manager"
  wait "$manager" || true
  read -r count longest <heard
  echo "$count signs of life, $longest ms at the most without one" >&2
  ((count >= 3 && longest < 10000))
}

@test "a value that was cut short, or grew, is an error to read, in every way; it can be replaced and deleted" {
  start_node 1
  configure 2 disk '[Node]' "DataDirectory=$DISK/data"
  start_node 2
  for change in 199999 200001 0; do
    assert_equal "$key" "$(put 1 "$key" value)"
    truncate -s "$change" "$(value_path "$key")"
    for node in 1 2; do
      assert_equal "ERROR: GET $key: the stored value is damaged: the file has $change of 200000 bytes" "$(get $node "$key")"
      assert_equal 500 "$(http_status GET $node "$key")"
      assert_equal 500 "$(curl -sS -I -o /dev/null -w '%{http_code}' "http://127.0.0.$node:7776/$key")"
      assert_equal 500 "$(http_status GET $node "$key" -H 'Range: bytes=0-9')"
    done
  done
  assert_matches 'kvnode_damaged_values_total [1-9]' "$(curl -sS http://127.0.0.2:7777/metrics)"
  assert_equal "$key" "$(put 1 "$key" value)"
  get 1 "$key" | cmp - value
  truncate -s 3 "$(value_path "$key")"
  assert_equal '' "$(del 1 "$key")"
  assert_equal "ERROR: GET $key: no such key" "$(get 1 "$key")"
}

@test "a value that is cut short while it is being sent: a reset" {
  start_node 1
  configure 2 disk '[Node]' "DataDirectory=$DISK/data"
  start_node 2
  truncate -s 256M large
  for node in 1 2; do
    assert_equal "$key" "$(put 1 "$key" large)"
    start_client getter 127.0.0.$node text="GET $key\\n" read=1000 touch="$PWD/begun" await="$PWD/go-on" read
    eventually 10 test -e begun
    truncate -s 100M "$(value_path "$key")"
    touch go-on
    finish_client getter
    assert_equal 104 "$client_status"
    rm begun go-on
  done
}

@test "a flipped bit is found by kvctl check, named, and taken out of the way with --repair" {
  if [[ ! -x $KVCTL ]]; then skip "there is no $KVCTL"; fi
  start_node 1
  configure 2 disk '[Node]' "DataDirectory=$DISK/data"
  start_node 2
  assert_equal "$key" "$(put 1 "$key" value)"
  whole=$(key_owned_by 2 whole)
  assert_equal "$whole" "$(put 1 "$whole" value)"
  "$KVCTL" check --data-directory "$DISK/data"
  path=$(value_path "$key")
  flipped=$(printf '\\x%02x' $((0x$(dd if="$path" bs=1 skip=123456 count=1 status=none | xxd -p) ^ 1)))
  printf '%b' "$flipped" | dd of="$path" bs=1 seek=123456 conv=notrunc status=none
  run -3 "$KVCTL" check --data-directory "$DISK/data"
  assert_matches "damaged: values/../$key \\(key $key\\): " "$output"
  run -3 "$KVCTL" check --repair --data-directory "$DISK/data"
  assert_matches "moved to quarantine/$key" "$output"
  assert_matches '^ERROR: .*the stored value is damaged: it lies in quarantine/' "$(get 1 "$key")"
  get 1 "$whole" | cmp - value
  run -3 "$KVCTL" check --data-directory "$DISK/data"
  assert_matches '1 key lost to quarantine/ earlier' "$output"
  assert_matches "lost: values/../$key \\(key $key\\): " "$output"
  assert_metric 2 kvnode_damaged_values_total 1
  eventually 20 has_metric 2 kvnode_quarantined_files 1
  assert_matches "key=$key .*a damaged value was moved away" "$(cat "$CLUSTER/node2.log")"
  kill_node 2
  start_node 2
  eventually 10 log_has 2 '1 damaged value lies in quarantine/'
  assert_equal "$key" "$(put 1 "$key" value)"
  get 1 "$key" | cmp - value
}

# A check is stopped between a signal and the next in the middle of its work, and the lock stays.
@test "who holds the lock of a directory for ever makes a PUT or DEL in it an error, and nothing else" {
  start_node 1
  own=$(key_owned_by 1 own)
  shard=$CLUSTER/node1/values/$(printf '%s\n' "$own" | md5sum | cut -c 1-2)
  assert_equal "$own" "$(put 1 "$own" value)"
  head -c 1000 value >other
  setpriv --pdeathsig KILL flock --exclusive "$shard" setpriv --pdeathsig KILL sh -c 'touch locked; exec sleep 600' &
  eventually 10 test -e locked
  locked="another process, such as a check that stands still, has values/${shard##*/} locked"
  assert_equal "ERROR: PUT $own: $locked" "$(put 1 "$own" other)"
  assert_equal 503 "$(curl -sS -o answer -w '%{http_code}' -X DELETE "http://127.0.0.1:7776/$own")"
  assert_equal "DEL $own: $locked" "$(cat answer)"
  get 1 "$own" | cmp - value
  elsewhere=$(key_owned_by 1 elsewhere)
  assert_equal "$elsewhere" "$(put 1 "$elsewhere" value)"
  kill "$!"
  eventually 10 flock --exclusive --nonblock "$shard" true
  assert_equal "$own" "$(put 1 "$own" other)"
  get 1 "$own" | cmp - other
}
