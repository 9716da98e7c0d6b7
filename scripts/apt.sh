# Sourced by the scripts that get what tests need.

# Installs Debian's packages of these names; fails where there is no apt, or it could not.
with_apt() {
  local sudo=()
  command -v apt-get >/dev/null || return
  if [ "$(id -u)" != 0 ]; then sudo=(sudo); fi
  "${sudo[@]}" apt-get update &&
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"
}
