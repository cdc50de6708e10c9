#!/usr/bin/env bats
# The package itself, before any machine has seen it.

setup_file() {
  [ -f "${KVNODE_DEB:-}" ]
}

@test "lintian finds nothing that is not explained" {
  # The one tag that is suppressed wants an init script for systems without systemd; an override of it would be an
  # error for later versions of lintian, which do not know the tag any more.
  run lintian --allow-root -EviIL +pedantic --fail-on error,warning \
    --suppress-tags package-supports-alternative-init-but-no-init.d-script "$KVNODE_DEB" "$KVCTL_DEB"
  echo "$output"
  [ "$status" -eq 0 ]
  # Neither what would not fail a build.
  [[ $output != *[EWIPX]': kv'* ]]
}

@test "the package is under 12 MiB" {
  [ "$(stat --format=%s "$KVNODE_DEB")" -lt $((12 * 1024 * 1024)) ]
}

@test "it needs only what Debian has: libraries by shlibs, no Swift" {
  run dpkg-deb --field "$KVNODE_DEB" Depends
  [[ $output == *libc6* ]]
  [[ $output == *libsystemd0* ]]
  [[ $output == *libmd0* ]]
  [[ ${output,,} != *swift* ]]
}

@test "the configuration is a conffile, and no other file is" {
  [ "$(dpkg-deb --info "$KVNODE_DEB" conffiles)" = /etc/kvnode.conf ]
}

@test "debug symbols come in a package of their own" {
  local debug
  debug=$(dirname "$KVNODE_DEB")/kvnode-dbgsym_$(basename "$KVNODE_DEB" | cut -d _ -f 2-)
  dpkg-deb --contents "$debug" | grep -q '/usr/lib/debug/.build-id/.*\.debug$'
}

@test "the manual pages have no flaws" {
  local directory page
  directory=$BATS_TEST_TMPDIR/package
  dpkg-deb --extract "$KVNODE_DEB" "$directory"
  for page in man8/kvnode.8 man5/kvnode.conf.5; do
    [ -f "$directory/usr/share/man/$page.gz" ]
    [ -z "$(man --warnings --local-file "$directory/usr/share/man/$page.gz" 2>&1 >/dev/null)" ]
  done
}
