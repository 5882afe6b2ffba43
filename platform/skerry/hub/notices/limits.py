"""How near a server is to its limits, in words for its person.

Source: the kernel's documentation of control groups, version 1 (memory) and version 2
(``memory.current``, ``memory.max``, ``memory.stat``).
"""

from dataclasses import dataclass
from pathlib import Path

_MEMORY_SHARE = 0.9
_DISK_SHARE = 0.1
_UNLIMITED = 1 << 60
_GIB = 1 << 30
_GROUPS = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Memory:
    """Bytes of memory that are in use and cannot be freed at once, and the limit."""

    used: int
    limit: int


def read_memory(folder: Path = _GROUPS) -> Memory | None:
    """Return the memory of this container; None where it has no limit, or does not say it.

    Files that the kernel only remembers count as use in the kernel's figure, but not here: they
    go when memory is needed.
    """
    for current, limit, stat, cached in (
        ("memory.current", "memory.max", "memory.stat", "inactive_file"),
        (
            "memory/memory.usage_in_bytes",
            "memory/memory.limit_in_bytes",
            "memory/memory.stat",
            "total_inactive_file",
        ),
    ):
        try:
            most = (folder / limit).read_text().strip()
            used = int((folder / current).read_text())
            lines = (folder / stat).read_text().splitlines()
        except (OSError, ValueError):
            continue
        if not most.isdecimal() or int(most) >= _UNLIMITED:
            return None
        facts = dict(line.split(maxsplit=1) for line in lines if " " in line)
        return Memory(max(used - int(facts.get(cached, 0)), 0), int(most))
    return None


def list_notices(memory: Memory | None, disk_free: int, disk_size: int) -> list[dict[str, str]]:
    """Return what is short.

    Parameters
    ----------
    memory
        The server's memory; None where there is no limit.
    disk_free, disk_size
        Bytes of the home's volume.
    """
    notices = []
    if memory is not None and memory.used > _MEMORY_SHARE * memory.limit:
        notices.append(
            {
                "kind": "memory",
                "message": f"This server uses {memory.used / _GIB:.3g} of its "
                f"{memory.limit / _GIB:.3g} GiB of memory. At the limit it ends, and what is in "
                "memory is lost: close notebooks that you do not need, or restart their kernels.",
            }
        )
    if disk_free < _DISK_SHARE * disk_size:
        notices.append(
            {
                "kind": "disk",
                "message": f"Your home has {disk_free / _GIB:.2g} GiB left of "
                f"{disk_size / _GIB:.3g}. Delete what you do not need, or notebooks cannot be "
                "saved.",
            }
        )
    return notices


def describe_idleness(minutes: int) -> str:
    """Return the notice that a server ends soon."""
    return (
        f"Nobody looks at this page: the server ends in {minutes} minutes, unless a cell is "
        "running or you come back. Your files are kept."
    )
