# shellcheck shell=bash
# Installs Debian packages, for install.sh and test.sh. To be sourced.

# What building kvnode needs beside a Swift toolchain.
# shellcheck disable=SC2034 # Used by whoever sources this file.
readonly BUILD_PACKAGES=(liblmdb-dev libmd-dev libssl-dev libxxhash-dev libsystemd-dev pkg-config)

# What building the Debian package needs besides.
# shellcheck disable=SC2034 # Used by whoever sources this file.
readonly PACKAGE_BUILD_PACKAGES=(build-essential debhelper dpkg-dev fakeroot)

# require_packages PACKAGE...: installs those that are missing, quietly.
require_packages() {
  local package missing=()
  for package in "$@"; do
    if ! is_installed "$package"; then missing+=("$package"); fi
  done
  if ((${#missing[@]} == 0)); then return 0; fi
  echo "installing ${missing[*]}"
  apt_get update
  apt_get install --yes --no-install-recommends "${missing[@]}"
}

# Like require_packages, for packages whose daemons must not run.
require_packages_unstarted() {
  local package
  for package in "$@"; do
    if is_installed "$package"; then continue; fi
    ln -sf /dev/null "/etc/systemd/system/$package.service"
    require_packages "$package"
    pkill -x "$package" || true
  done
}

is_installed() { [[ $(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null) == installed ]]; }

# Runs apt-get as root; what it says is shown only when it fails.
apt_get() {
  local output sudo=()
  if ((EUID != 0)); then
    if ! command -v sudo >/dev/null; then
      echo "installing packages needs root: run this as root, or install sudo" >&2
      return 1
    fi
    sudo=(sudo)
  fi
  if ! output=$("${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq "$@" 2>&1); then
    echo "$output" >&2
    return 1
  fi
}

# Builds run as the user who called sudo, where there is one: with that user's toolchain, and leaving that user's files.
as_builder() {
  if [[ -z $BUILDER ]]; then
    PATH=$BUILD_PATH "$@"
  else
    runuser -u "$BUILDER" -- env "HOME=$(home_of "$BUILDER")" "PATH=$BUILD_PATH" "$@"
  fi
}

home_of() { getent passwd "$1" | cut -d : -f 6; }

# Sets BUILDER, empty for whoever runs this, and BUILD_PATH: sudo takes away the PATH that leads to a toolchain in a home.
find_builder() {
  BUILDER=
  BUILD_PATH=$PATH:${HOME:-/root}/.local/share/swiftly/bin
  if ((EUID != 0)) || [[ ${SUDO_USER:-root} == root ]]; then return 0; fi
  BUILD_PATH=$PATH:$(path_of_login "$SUDO_USER" -l):$(path_of_login "$SUDO_USER" -il)
  BUILD_PATH+=:$(home_of "$SUDO_USER")/.local/share/swiftly/bin
  # Somebody else's tree is built by root.
  if runuser -u "$SUDO_USER" -- test -w .; then BUILDER=$SUDO_USER; fi
}

# path_of_login USER OPTIONS: the PATH that the user's shell has with these options. Many set it where only a shell that is
# interactive looks (Debian's .bashrc ends early for others); such a one must neither take the terminal nor wait for anyone.
path_of_login() {
  local shell
  shell=$(getent passwd "$1" | cut -d : -f 7)
  # What a login prints besides the path goes before the last line.
  timeout 10 setsid --wait runuser -u "$1" -- env -i "HOME=$(home_of "$1")" "USER=$1" "LOGNAME=$1" "SHELL=$shell" \
    TERM=dumb PATH=/usr/local/bin:/usr/bin:/bin "$shell" "$2" -c 'echo; printenv PATH' 2>/dev/null </dev/null |
    tail -n 1 || true
}

require_swift() {
  find_builder
  if as_builder sh -c 'command -v swift' >/dev/null; then return 0; fi
  echo "swift is not on PATH${SUDO_USER:+, nor on that of $SUDO_USER}: install Swift 6.2 or later" >&2
  echo "(https://www.swift.org/install/linux/debian/) and add its usr/bin to PATH" >&2
  return 1
}
