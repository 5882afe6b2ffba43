#!/usr/bin/env bash
# A base image without a registry: Debian from its own packages, and a Python of this machine.
# sudo images/base.sh [--python PROGRAM] [--suite bookworm] [--image localhost/skerry-base:bookworm]
set -euo pipefail

# What CPython's own modules are linked against, and what certificates are checked with.
LIBRARIES=ca-certificates,libbz2-1.0,libexpat1,libffi8,liblzma5,libncursesw6,libreadline8
LIBRARIES+=,libsqlite3-0,libssl3,libuuid1,zlib1g
# Parts of Python that no server needs: its own tests, headers' helpers, windows.
LEFT_OUT=(test idlelib tkinter turtledemo 'config-*' '__pycache__' 'site-packages/*' '_tkinter*')

say() { printf '\033[1m%s\033[0m\n' "$*" >&2; }
give_up() { echo "$*" >&2; exit 2; }

suite=bookworm image=localhost/skerry-base:bookworm program=
while [ $# -gt 0 ]; do
    case $1 in
        --python) program=$2 ;;
        --suite) suite=$2 ;;
        --image) image=$2 ;;
        *) give_up "$1 is not known. Usage: images/base.sh [--python PROGRAM] [--suite NAME] [--image NAME]" ;;
    esac
    shift 2 || give_up "A value is missing after $1."
done

[ "$(id -u)" = 0 ] || give_up "Only root can make a base: debootstrap changes its root folder. Use sudo."
command -v debootstrap >/dev/null || give_up "debootstrap is missing: apt-get install debootstrap"
for name in buildah podman docker; do
    if command -v "$name" >/dev/null && "$name" images >/dev/null 2>&1; then builder=$name; break; fi
done
[ "${builder-}" ] || give_up "Neither buildah nor podman nor docker works here: apt-get install buildah"

if [ -z "$program" ]; then
    program=$(dirname "$0")/../.venv/bin/python
    [ -x "$program" ] || program=python3.13
fi
ask() { "$program" -c "import sys; print($1)" 2>/dev/null || give_up "$program does not run: name a Python 3.13 with --python."; }
version=$(ask '"%d.%d" % sys.version_info[:2]')
[ "$version" = 3.13 ] || give_up "$program is Python $version; the images are made for 3.13."
prefix=$(ask 'sys.base_prefix')

work=$(mktemp -d "${TMPDIR:-/var/tmp}/skerry-base.XXXXXX")
trap 'rm -rf --one-file-system "$work"' EXIT
root=$work/root

say "Debian $suite from its packages, about a minute"
debootstrap --variant=minbase --include="$LIBRARIES" "$suite" "$root" >"$work/log" 2>&1 \
    || give_up "debootstrap failed: $(tail -n 3 "$work/log")"
rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/* "$root"/var/log/*
# debootstrap copies what names this machine and its network
rm -f "$root/etc/hostname" "$root/etc/resolv.conf"
# a runtime mounts its own; where none does, programs still find localhost
printf '127.0.0.1\tlocalhost\n::1\tlocalhost\n' >"$root/etc/hosts"

say "Python $version from $prefix"
mkdir -p "$root/usr/local/bin" "$root/usr/local/lib"
cp -a "$prefix/bin/python$version" "$root/usr/local/bin/"
ln -sf "python$version" "$root/usr/local/bin/python3"
ln -sf "python$version" "$root/usr/local/bin/python"
tar -C "$prefix/lib" "${LEFT_OUT[@]/#/--exclude=}" -c "python$version" | tar -C "$root/usr/local/lib" -x
mkdir -p "$root/usr/local/lib/python$version/site-packages"
for library in "$prefix"/lib/libpython*.so*; do
    [ ! -e "$library" ] || cp -a "$library" "$root/usr/local/lib/"
done
# A shared interpreter looks for its library where it was built: let it look where it is now.
case $(ldd "$prefix/bin/python$version") in
    *libpython*)
        command -v patchelf >/dev/null || give_up "patchelf is missing: apt-get install patchelf"
        patchelf --set-rpath /usr/local/lib "$root/usr/local/bin/python$version"
        ;;
esac
chown -R 0:0 "$root/usr/local"

missing=$(chroot "$root" sh -c 'ldd /usr/local/lib/python3.13/lib-dynload/*.so 2>&1' | grep 'not found' | sort -u || true)
[ -z "$missing" ] || give_up "This Python needs libraries that the base lacks: $missing"
chroot "$root" /usr/local/bin/python3.13 -c 'import bz2, ctypes, lzma, sqlite3, ssl, venv, zlib' \
    || give_up "This Python does not run on Debian $suite: take one that was built for it, or uv's."

say "Image $image by $builder"
case $builder in
    buildah)
        container=$(buildah from scratch)
        buildah add --quiet "$container" "$root" / >/dev/null
        buildah config --env PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin --cmd python3 "$container"
        buildah commit --quiet --format docker --rm "$container" "$image" >/dev/null
        ;;
    *) tar -C "$root" -c . | "$builder" import --change 'CMD ["python3"]' - "$image" >/dev/null ;;
esac
echo "$image"
