#!/bin/sh
# Put programs of the distribution into an image: programs.sh PACKAGE=PROGRAM...
# A program that the base has already is left as it is; so a base without a package manager serves,
# too, if it brings all of them.
set -eu

missing=
for entry in "$@"; do
    program=${entry#*=}
    command -v "$program" >/dev/null 2>&1 || [ -e "/usr/sbin/$program" ] || missing="$missing ${entry%%=*}"
done
[ -n "$missing" ] || exit 0

if [ -f /run/secrets/apt.conf ]; then export APT_CONFIG=/run/secrets/apt.conf; fi
if command -v apt-get >/dev/null; then
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    # shellcheck disable=SC2086
    apt-get install -y -qq --no-install-recommends $missing >/dev/null
    rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/*-old /var/log/apt /var/log/*.log
    rm -f /etc/ssh/ssh_host_*_key /etc/ssh/ssh_host_*_key.pub  # a key in an image is everybody's
    exit 0
fi
missing=$(echo "$missing" | sed 's/openssh-client\b/openssh-clients/')
if command -v dnf >/dev/null; then
    # shellcheck disable=SC2086
    dnf install -y -q --setopt=install_weak_deps=False $missing && dnf clean all -q
elif command -v microdnf >/dev/null; then
    # shellcheck disable=SC2086
    microdnf install -y --setopt=install_weak_deps=0 $missing && microdnf clean all
else
    echo "The base image has no apt-get, dnf or microdnf, and lacks:$missing. Take a base that has them." >&2
    exit 1
fi
