#!/usr/bin/env bats
# What `apt install` leaves behind on four machines, and how the service looks to those who run it.

# nodes and here come from machines.bash.
# shellcheck disable=SC2154
load machines

setup_file() {
  boot_cluster
}

teardown_file() {
  end_cluster
}

@test "the sockets and the service are enabled and run" {
  local node
  for node in "${nodes[@]}"; do
    on "$node" systemctl is-enabled kvnode.socket kvnode-admin.socket kvnode.service kvnode-scrub.timer
    on "$node" systemctl is-active kvnode.socket kvnode-admin.socket kvnode.service kvnode-scrub.timer
  done
}

@test "nothing failed on the machine" {
  [ -z "$(on node1 systemctl --failed --no-legend)" ]
}

@test "systemd finds no fault with the units" {
  # Not for the manual pages: the machines have no man to show them.
  run on node1 systemd-analyze verify --man=no kvnode.service kvnode.socket kvnode-admin.socket \
    kvnode-scrub.service kvnode-scrub.timer
  echo "$output"
  [ -z "$output" ]
}

@test "the data belongs to the service's user alone" {
  [ "$(on node1 stat --format='%U:%G %a' /var/lib/kvnode)" = "kvnode:kvnode 750" ]
  [[ $(on node1 getent passwd kvnode) == *:/var/lib/kvnode:/usr/sbin/nologin ]]
}

@test "every machine answers for every key" {
  local number node key
  for number in 1 2 3 4; do
    key=$(key_of "$number" everywhere)
    [ "$(echo "value $number" | put node1 node2 "$key")" = "$key" ]
    for node in "${nodes[@]}"; do
      [ "$(get node3 "$node" "$key")" = "value $number" ]
    done
    # On its owner, and nowhere else.
    for node in "${nodes[@]}"; do
      run on "$node" sh -c "ls /var/lib/kvnode/values/*/$key"
      [ "$status" -eq 0 ] || [ "$node" != "node$number" ]
      [ "$status" -ne 0 ] || [ "$node" = "node$number" ]
    done
  done
}

@test "both address families are served" {
  [[ $(get node1 192.0.2.12 absent) == 'ERROR: '* ]]
  [[ $(get node1 2001:db8::12 absent) == 'ERROR: '* ]]
}

# Only the sockets run, as at a boot before the service was started.
leave_sockets_alone() {
  on "$1" systemctl stop kvnode.service
  on "$1" systemctl start kvnode.socket kvnode-admin.socket
}

is_refused() {
  [[ $(echo 'GET absent' | on "$1" timeout 30 nc -v -N "$2" 7776 2>&1) == *refused* ]]
}

@test "a stopped service stays stopped, whoever connects, and a start brings its sockets back" {
  local unit
  on node4 systemctl stop kvnode
  for unit in kvnode.service kvnode.socket kvnode-admin.socket; do
    eventually on node4 sh -c "! systemctl is-active --quiet $unit"
  done
  is_refused node1 node4
  fails on node4 systemctl is-active --quiet kvnode.service kvnode.socket
  [ -z "$(on node4 systemctl --failed --no-legend)" ]
  on node4 systemctl start kvnode
  on node4 systemctl is-active kvnode.service kvnode.socket kvnode-admin.socket
  answers node4
}

@test "a service that is stopped amid connections stays stopped" {
  on node1 systemd-run --quiet --unit=callers sh -c 'while :; do echo "GET absent" | nc -N -w 1 node4 7776; done'
  for _ in 1 2 3; do
    on node4 systemctl stop kvnode
    eventually is_refused node2 node4
    has_property node4 ActiveState inactive
    on node4 systemctl start kvnode
  done
  on node1 systemctl stop callers
  answers node4
}

@test "the directory for drop-ins is there, and the packages divide the files" {
  on node1 test -d /etc/kvnode.conf.d
  [ "$(on node1 dpkg-query --search /usr/bin/kvctl /usr/sbin/kvnode | cut -d : -f 1 | xargs)" = "kvctl kvnode" ]
  on node1 test -f /usr/share/kvnode/alerts.yml -a -f /usr/share/kvnode/dashboard.json
}

@test "the documents that are installed link to each other alone" {
  local document targets target
  for document in $(on node1 sh -c 'ls /usr/share/doc/kvnode/*.md* /usr/share/doc/kvnode/docs/*.md* 2>/dev/null'); do
    targets=$(on node1 sh -c "zcat -f $document" | grep -oP '\]\(\K(?!https?:)[^)#]+' || true)
    for target in $targets; do
      on node1 sh -c "cd ${document%/*} && ls $target $target.gz 2>/dev/null | grep -q ." || {
        echo "$document: $target"
        return 1
      }
    done
  done
}

@test "a connection from another machine starts the service and is answered" {
  local attempts=0 key
  key=$(key_of 4 woken)
  # The other nodes tell it how they do, again and again, and wake it too.
  until leave_sockets_alone node4 && has_property node4 ActiveState inactive; do
    [ $((++attempts)) -lt 20 ]
  done
  [ "$(echo value | put node1 node4 "$key")" = "$key" ]
  has_property node4 ActiveState active
}

@test "so does a relayed request" {
  local key
  key=$(key_of 3 relayed)
  leave_sockets_alone node3
  [ "$(echo value | put node1 node2 "$key")" = "$key" ]
  has_property node3 ActiveState active
}

@test "the admin port answers on the machine itself, and only there" {
  local request='printf "GET /healthz HTTP/1.0\r\n\r\n"'
  [[ $(on node1 sh -c "$request | nc -N 127.0.0.1 7777") == 'HTTP/1.'*' 200 '* ]]
  run on node2 sh -c "$request | nc -v -N -w 5 192.0.2.11 7777"
  [[ $output == *refused* ]]
}

@test "the admin port starts a stopped service too" {
  leave_sockets_alone node1
  [[ $(on node1 sh -c 'printf "GET /healthz HTTP/1.0\r\n\r\n" | nc -N 127.0.0.1 7777') == 'HTTP/1.'*' 200 '* ]]
  has_property node1 ActiveState active
}

@test "systemctl status says in a line how the node is doing" {
  run on node1 systemctl status --no-pager kvnode.service
  [ "$status" -eq 0 ]
  [[ $output == *'Active: active (running)'* ]]
  [[ $output == *'Status: "Serving as node1 of 4 nodes: '*' value'*', '*' connection'*', '*' free"'* ]]
  [[ $output == *'TriggeredBy:'*kvnode.socket* ]]
}

@test "the journal finds a key's messages by field" {
  local key
  key=$(key_of 2 journal)
  # A value shorter than it was said to be: a failure, which is worth a message however little is logged.
  run on node1 sh -c "printf 'PUT $key 100\nshort' | nc -N node2 7776"
  [[ $output == 'ERROR: '* ]]
  run journal node2 --output=json KVNODE_KEY="$key"
  echo "$output"
  [[ $output == *'"KVNODE_OP":"PUT"'* ]]
  [[ $output == *'"PRIORITY":"'[0-7]'"'* ]]
  [[ $output == *'"_SYSTEMD_UNIT":"kvnode.service"'* ]]
  [[ $output == *'"CODE_FILE":"'* ]]
  [[ $(journal node2 KVNODE_KEY="$key" KVNODE_OP=GET) != *"$key"* ]]
}

@test "the journal names the peer that could not be reached" {
  local key
  key=$(key_of 4 unreachable)
  on node4 systemctl stop kvnode.service
  run get node1 node1 "$key"
  on node4 systemctl start kvnode.service
  [[ $output == 'ERROR: '*node4* ]]
  [[ $(journal node1 --output=json KVNODE_KEY="$key") == *'"KVNODE_PEER":"node4"'* ]]
}

@test "the sandbox is rated 1.1 or better" {
  local rating
  rating=$(on node1 systemd-analyze security --no-pager kvnode.service |
    awk '/Overall exposure level/ { print $(NF - 2) }')
  echo "rated $rating"
  awk -v rating="$rating" 'BEGIN { exit !(rating + 0 > 0 && rating + 0 <= 1.1) }'
}

@test "the service can write to its data and nowhere else, run no other program, and gain no right" {
  local pid
  pid=$(property node1 MainPID)
  # The path leads into the service's own view of the file system, with its rules.
  on node1 sh -c "rm -f /proc/$pid/root/var/lib/kvnode/probe && : >/proc/$pid/root/var/lib/kvnode/probe"
  on node1 rm /var/lib/kvnode/probe
  fails on node1 sh -c ": >/proc/$pid/root/etc/probe"
  fails on node1 sh -c ": >/proc/$pid/root/var/probe"
  fails on node1 "/proc/$pid/root/usr/bin/true"
  [ "$(on node1 grep -E '^Cap(Bnd|Eff)' "/proc/$pid/status" | cut -f 2 | sort -u)" = 0000000000000000 ]
  on node1 grep -q '^NoNewPrivs:[[:space:]]*1' "/proc/$pid/status"
  on node1 grep -q '^Seccomp:[[:space:]]*2' "/proc/$pid/status"
}

@test "a node without peers and settings serves its own host alone, and says what to set" {
  local host
  on node1 mv /etc/kvnode.conf.d/peers.conf /run/peers.conf
  on node1 systemctl reload kvnode.service
  run get node2 node1 absent
  [[ $output == 'ERROR: GET absent: '*" is not node1's own host, and no other is allowed yet: on node1 "*Open=yes* ]]
  [[ $(printf 'GET /absent HTTP/1.0\r\n\r\n' | on node2 nc -N node1 7776) == 'HTTP/1.1 403 '* ]]
  [[ $(put node2 node1 mine <<<value) == 'ERROR: PUT mine: '* ]]
  for host in localhost 127.0.0.1 ::1 192.0.2.11 2001:db8::11; do
    [[ $(get node1 "$host" absent) == 'ERROR: GET absent: no such key' ]]
  done
  on node1 sh -c 'printf "[Access]\nOpen=yes\n" >/etc/kvnode.conf.d/open.conf'
  on node1 systemctl reload kvnode.service
  [[ $(get node2 node1 absent) == 'ERROR: GET absent: no such key' ]]
  on node1 rm /etc/kvnode.conf.d/open.conf
  on node1 mv /run/peers.conf /etc/kvnode.conf.d/peers.conf
  on node1 systemctl reload kvnode.service
}

@test "no call of the service was refused by its sandbox" {
  # EPERM, which the filter answers with, where the node did not expect it.
  run journal node1 --unit=kvnode.service --grep='not permitted'
  [ -z "$output" ]
}

@test "the package's own tests pass" {
  local tests=$here/../../../packaging/debian/tests test
  # They ask one node about any key, so the node has to be on its own.
  on node1 mv /etc/kvnode.conf.d/peers.conf /run/peers.conf
  on node1 systemctl stop kvnode.service
  on node1 mv /var/lib/kvnode/layout /run/layout
  on node1 systemctl start kvnode.service
  for test in round-trip restart; do
    rig push node1 "$tests/$test" "/var/tmp/tests/$test"
    run on node1 bash "/var/tmp/tests/$test"
    echo "$output"
    [ "$status" -eq 0 ]
  done
  on node1 systemctl stop kvnode.service
  on node1 mv /run/layout /var/lib/kvnode/layout
  on node1 mv /run/peers.conf /etc/kvnode.conf.d/peers.conf
  on node1 systemctl start kvnode.service
}
