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

require_swift() {
  if command -v swift >/dev/null; then return 0; fi
  echo "swift is not on PATH: install Swift 6.2 or later (https://www.swift.org/install/linux/debian/) and add its" >&2
  echo "usr/bin to PATH" >&2
  return 1
}
