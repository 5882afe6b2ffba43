"""What a kubelet changes in the machine's kernel and leaves behind: put back after it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.cluster.network import run

_SETTINGS = ("vm/overcommit_memory", "kernel/panic", "kernel/panic_on_oops")
_CONTROL_GROUPS = Path("/sys/fs/cgroup")
_OF_KUBERNETES = ("kubepods", "k8s.io")
_RESULTS = Path("/var/lib/cni/results")
_LINKS = Path("/var/log/containers")


@contextmanager
def keep_kernel(folder: Path) -> Iterator[None]:
    """Put settings back after the block; remove control groups, pods' networks and links to logs.

    Parameters
    ----------
    folder
        Where the node's files are: links to there go.
    """
    places = [Path("/proc/sys", name) for name in _SETTINGS]
    before = {place: place.read_text() for place in places}
    networks = _list_networks()
    groups = set(_find_groups())
    results = set(_RESULTS.glob("*"))
    try:
        yield
    finally:
        for place, text in before.items():
            place.write_text(text)
        for name in _list_networks() - networks:
            run("ip", "netns", "delete", name)
        for group in set(_find_groups()) - groups:
            _remove_group(group)
        for path in set(_RESULTS.glob("*")) - results:
            path.unlink()
        for link in _LINKS.glob("*"):
            if link.readlink().is_relative_to(folder):
                link.unlink()


def _list_networks() -> set[str]:
    names = {line.split()[0] for line in run("ip", "netns", "list").splitlines()}
    return {name for name in names if name.startswith("cni-")}


def _find_groups() -> Iterator[Path]:
    for name in _OF_KUBERNETES:
        yield from _CONTROL_GROUPS.glob(name)
        yield from _CONTROL_GROUPS.glob(f"*/{name}")


def _remove_group(group: Path) -> None:
    """Remove a control group and those in it, which have no processes any more."""
    folders = [Path(folder) for folder, _, _ in os.walk(group, topdown=False)]
    for folder in folders:
        with suppress(FileNotFoundError):
            folder.rmdir()
