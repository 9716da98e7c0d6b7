# Sourced by the scripts that install what tests need.

# Installs Debian packages; fails if there is no apt, or if apt fails.
with_apt() {
  local sudo=()
  command -v apt-get >/dev/null || return
  if [ "$(id -u)" != 0 ]; then sudo=(sudo); fi
  "${sudo[@]}" apt-get update &&
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"
}
