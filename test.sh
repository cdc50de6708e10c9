#!/bin/bash
# Builds kvnode and runs all its tests. The last line says how they went; before it stand a line a step and suite, and
# what failed. All that was written is kept, in a directory that is named, if something failed.
#
# usage: test.sh
#
# Needs Debian with a Swift toolchain on PATH, and port 7776 of 127.0.0.1…4 free. What else is missing is installed
# with apt, as root or through sudo.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

source scripts/packages.bash

readonly TEST_PACKAGES=(
  attr bats curl dnsutils e2fsprogs golang-go iproute2 jq mount ncat netcat-openbsd netcat-traditional nftables procps python3 python3-requests
  shellcheck socat strace testssl.sh util-linux wget xxhash
)
# Prometheus brings promtool, which judges the metrics; it and the proxies bring daemons that nobody asked for.
readonly UNSTARTED_PACKAGES=(haproxy nginx prometheus varnish)
# What building the package and booting machines needs.
readonly MACHINE_PACKAGES=(lintian man-db mmdebstrap systemd-container)

passed=0 failed=0 skipped=0 all_passed=0

main() {
  require_swift
  export PATH=$BUILD_PATH
  require_packages "${BUILD_PACKAGES[@]}" "${PACKAGE_BUILD_PACKAGES[@]}" "${TEST_PACKAGES[@]}" "${MACHINE_PACKAGES[@]}"
  require_packages_unstarted "${UNSTARTED_PACKAGES[@]}"
  results=$(mktemp -d -t kvnode-test.XXXXXX)
  trap clear_up EXIT

  step "format" check_format
  step "build" swift build --build-tests
  KVNODE=$(swift build --show-bin-path)/kvnode
  export KVNODE
  run_unit_tests
  run_suites suites bats --formatter cat --timing Tests/EndToEnd
  run_suites encrypted env KVNODE_TLS=1 bats --formatter cat --timing Tests/EndToEnd/{11-values,12-keys,37-copies}.bats
  run_suites machines env BATS_FORMATTER=cat Tests/EndToEnd/machines/run
  all_passed=$((failed == 0 && passed > 0))
  if ((!all_passed)); then tell_where; fi
  summarize
}

# step NAME COMMAND...: a step without which the rest makes no sense.
step() {
  echo "== $1"
  if ! "${@:2}" >"$results/$1.log" 2>&1; then
    cat "$results/$1.log" >&2
    echo "test.sh: $1 failed: $results/$1.log" >&2
    exit 1
  fi
}

clear_up() { if ((all_passed)); then rm -rf "$results"; fi; }

tell_where() { echo "all that was written: $results"; }

check_format() { swift format lint --strict --recursive --parallel Sources Tests Fuzzing Package.swift; }

run_unit_tests() {
  local status=0 report log=$results/unit.log verdict=ok start=$SECONDS
  echo "== unit tests"
  # No report is left by a test process that crashes; the status tells.
  # A test that blocks a thread for good is beyond the limit that it has inside.
  timeout 1200 swift test --skip-build --xunit-output "$results/unit.xml" >"$log" 2>&1 || status=$?
  for report in "$results"/unit*.xml; do
    if [[ -e $report ]]; then count_report "$report"; fi
  done
  if ((status != 0 && failed == 0)); then failed=1; fi
  if ((failed > 0)); then
    verdict=FAIL
    print_unit_failures "$log"
  fi
  printf '%-4s %-16s  %s passed, %s failed, %s skipped, %s s\n' \
    "$verdict" unit "$passed" "$failed" "$skipped" $((SECONDS - start))
}

# print_unit_failures FILE: what failed, each with the lines that belong to it; and the end, where a crash is reported.
print_unit_failures() {
  awk '/^✘|error:/ { failing = 1 } /^(◇|✔|➜|⚠)/ { failing = 0 } failing' "$1"
  if ! grep -q '^✘' "$1" || grep -q 'unexpected signal' "$1"; then
    echo "the last lines of it all:"
    tail -n 40 "$1"
  fi
}

# count_report FILE: adds what an xUnit report counts.
count_report() {
  local tests failures skips
  read -r tests failures skips < <(python3 - "$1" <<'PYTHON'
import sys
import xml.etree.ElementTree as tree

total = failures = skips = 0
for suite in tree.parse(sys.argv[1]).iter("testsuite"):
    total += int(suite.get("tests", 0))
    failures += int(suite.get("failures", 0)) + int(suite.get("errors", 0))
    skips += int(suite.get("skipped", 0))
print(total, failures, skips)
PYTHON
  ) || return 0 # A process that crashed has left half a report; its status tells of that.
  passed=$((passed + tests - failures - skips))
  failed=$((failed + failures))
  skipped=$((skipped + skips))
}

# run_suites NAME COMMAND...: runs bats suites and adds what they count. bats must say which suite it is at.
run_suites() {
  local status=0 report=$results/$1.log
  echo "== $1"
  "${@:2}" 2>&1 | Tests/EndToEnd/helpers/brief.py "$report" || status=$?
  passed=$((passed + $(count_lines '^ok [0-9]+ ' "$report") - $(count_lines '^ok [0-9]+ .* # skip' "$report")))
  skipped=$((skipped + $(count_lines '^ok [0-9]+ .* # skip' "$report")))
  failed=$((failed + $(count_lines '^not ok ' "$report")))
  # A suite that cannot even be read, or a test that did not run, fails without a line of its own.
  if ((status != 0)) && ! grep -q '^not ok ' "$report"; then echo "FAIL $1: the command ended with status $status"; fi
  if ((status != 0 && failed == 0)); then failed=1; fi
}

count_lines() { grep -cE -- "$1" "$2" || true; }

summarize() {
  echo "$passed passed, $failed failed, $skipped skipped"
  ((all_passed))
}

main "$@"
