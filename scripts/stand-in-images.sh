#!/usr/bin/env bash
# Makes stand-ins for the base images of deploy/Dockerfile, for a machine that reaches no registry of images, from
# Debian's packages and this machine's Rust toolchain: localhost/quorate-build, and localhost/quorate-runtime, which has
# the packages of Debian that distroless/cc has, and no shell. Needs root, buildah and debootstrap.
set -euo pipefail
cd "$(dirname "$0")/.."

suite=bookworm
build=localhost/quorate-build
runtime=localhost/quorate-runtime
# What glibc programs that speak TLS need.
packages=(base-files ca-certificates libc6 libgcc-s1 netbase tzdata)

# The mirror that this machine uses.
mirror=$(apt-get indextargets --format '$(SITE)' | head -n 1)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/build
small=$work/runtime

# An image of the files in a folder, with the settings that follow.
image() {
  local name=$1 files=$2 container
  shift 2
  container=$(buildah from scratch)
  buildah add --quiet "$container" "$files" / >/dev/null
  buildah config "$@" "$container"
  buildah commit --quiet --rm "$container" "$name" >/dev/null
  echo "stand-in: $name, $(du --summarize --human-readable "$files" | cut -f 1)"
}

debootstrap --variant=minbase --include="gcc,libc6-dev,ca-certificates,netbase,tzdata" "$suite" "$root" "$mirror" \
  >"$work/log" 2>&1 || { tail -n 20 "$work/log" >&2; exit 1; }
# The certificates of this machine, which may know more authorities.
cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"

# The parts of the packages, in a root that is laid out like theirs.
mkdir -p "$small"/{usr/bin,usr/lib,usr/lib64,usr/sbin,tmp,home/nonroot}
for folder in bin lib lib64 sbin; do ln -s "usr/$folder" "$small/$folder"; done
chmod 1777 "$small/tmp"
chroot "$root" dpkg --listfiles "${packages[@]}" | sort -u | grep -E '^/(etc|lib|usr)' |
  grep -v -E '^/usr/share/(doc|man|lintian|locale)|^/usr/s?bin/|^/s?bin/' | sed 's|^/||' >"$work/list"
tar --create --directory "$root" --no-recursion --files-from "$work/list" --ignore-failed-read 2>/dev/null |
  tar --extract --directory "$small" --keep-directory-symlink
cp "$root/etc/ssl/certs/ca-certificates.crt" "$small/etc/ssl/certs/"
printf 'root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n' >"$small/etc/passwd"
printf 'root:x:0:\nnonroot:x:65532:\n' >"$small/etc/group"
chown 65532:65532 "$small/home/nonroot"
image "$runtime" "$small" --user 65532:65532 --workingdir /home/nonroot

toolchain=$(rustc --print sysroot)
mkdir -p "$root/usr/local/cargo" "$root/usr/local/rust"
tar --create --directory "$toolchain" --exclude ./share --exclude '*-src' . | tar --extract --directory "$root/usr/local/rust"
rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/usr/share/{doc,man,locale}
image "$build" "$root" --env CARGO_HOME=/usr/local/cargo --env "PATH=/usr/local/rust/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
