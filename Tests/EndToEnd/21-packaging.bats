# The script that makes the packages, as far as it can be tried without building one.

# shellcheck disable=SC2154 # support.bash and bats set variables, and every test is a subshell.

load support

setup() {
  # Other users can go into it, unlike into the directories of bats.
  place=$(mktemp -d -t kvnode-packaging.XXXXXX)
  chmod 0755 "$place"
  cd "$place" || return
}

teardown() { rm -rf "$place"; }

# A package with nothing in it.
make_package() {
  mkdir -p content/DEBIAN
  printf '%s\n' 'Package: kvnode' 'Version: 1' 'Architecture: all' 'Maintainer: Nobody <nobody@example.org>' \
    'Description: nothing' >content/DEBIAN/control
  dpkg-deb --root-owner-group --build content kvnode.deb
}

# repack_as USER: gives the package another version as that user, whose output goes to a directory of that name.
repack_as() {
  mkdir "$1"
  chown "$1" "$1"
  TMPDIR=$place/tmp setpriv --reuid "$1" --clear-groups "$place/build-deb.sh" --repack kvnode.deb --version 2 --output "$1"
}

@test "one user after the other makes packages in one temporary directory" {
  ((EUID == 0)) || skip "needs root, to be two users"
  command -v dpkg-deb >/dev/null || skip "no dpkg-deb"
  cp "$REPOSITORY/packaging/build-deb.sh" .
  mkdir -m 1777 tmp
  make_package
  for user in root nobody root; do
    rm -rf "$user"
    repack_as "$user"
    assert_equal 2 "$(dpkg-deb --field "$user/kvnode_2_all.deb" Version)"
  done
}
