"""What is on an image's disk."""

import os
import stat
from collections.abc import Iterator
from functools import cache
from pathlib import Path

_NOT_OF_THE_IMAGE = frozenset({"/proc", "/sys", "/dev", "/tests", "/run/secrets", "/tmp"})


def walk() -> Iterator[tuple[str, os.stat_result]]:
    """Yield each file and folder of the image, not what is mounted into it."""
    device = os.stat("/").st_dev
    for top, folders, files in os.walk("/"):
        folders[:] = [name for name in folders if os.path.join(top, name) not in _NOT_OF_THE_IMAGE]
        for name in folders + files:
            path = os.path.join(top, name)
            try:
                facts = os.lstat(path)
            except OSError:
                continue
            if facts.st_dev == device or os.path.ismount("/"):
                yield path, facts


@cache
def survey() -> "Survey":
    """Return what matters of all files, looked through once."""
    found = Survey()
    for path, facts in walk():
        found.take(path, facts)
    return found


class Survey:
    """Files that somebody else than their owner could use, names of secrets, and the size."""

    secret_names = frozenset({
        "pip.conf", "uv.toml", ".npmrc", "npmrc", ".netrc", ".git-credentials", "id_rsa",
        "id_ed25519", ".pypirc", "cookie_secret", "direct_url.json",
    })  # fmt: skip

    def __init__(self) -> None:
        self.writable: list[str] = []
        self.raised: list[str] = []
        self.secrets: list[str] = []
        self.size = 0
        self._counted: set[int] = set()

    def take(self, path: str, facts: os.stat_result) -> None:
        """Look at one."""
        if stat.S_ISLNK(facts.st_mode):
            return
        if facts.st_ino not in self._counted and stat.S_ISREG(facts.st_mode):
            self._counted.add(facts.st_ino)
            self.size += facts.st_size
        if os.access(path, os.W_OK) and not stat.S_ISSOCK(facts.st_mode):
            self.writable.append(path)
        if facts.st_mode & (stat.S_ISUID | stat.S_ISGID) and stat.S_ISREG(facts.st_mode):
            self.raised.append(path)
        name = Path(path).name
        if name in self.secret_names or (name.startswith("ssh_host_") and name.endswith("_key")):
            self.secrets.append(path)
