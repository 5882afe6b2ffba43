#!/bin/sh
# The one account of an image, uid and gid 1000, whatever the base calls its own: user.sh FOLDER...
# The folders are its own. It has no password, and nothing in the image lets it become root.
set -eu

sed -i -E '/^skerry:/d; /^[^:]*:[^:]*:1000:/d' /etc/passwd
sed -i -E '/^skerry:/d; /^[^:]*:[^:]*:1000:/d' /etc/group
echo 'skerry:x:1000:1000:Skerry:/home/skerry:/bin/bash' >>/etc/passwd
echo 'skerry:x:1000:' >>/etc/group
for folder in "$@"; do
    mkdir -p "$folder"
    chown 1000:1000 "$folder"
    chmod 0750 "$folder"
done
# Programs that would run as their owner instead of their caller, and folders that all may write to.
find / -xdev -perm /6000 -type f -exec chmod a-s {} +
chmod 0755 /var/tmp /run/lock 2>/dev/null || true
