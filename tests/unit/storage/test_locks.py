"""Locks exclude, name their holder, wait when asked to, and end with their process."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from skerry.core.errors import ConflictError
from skerry.storage.locks import hold_lock, is_held


def refuse(pid: str) -> ConflictError:
    return ConflictError(f"held by {pid}", remedy="wait")


@contextmanager
def other_holder(path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Let another process hold the lock until it is killed or its input ends."""
    program = (
        "import sys; from pathlib import Path; from skerry.storage.locks import hold_lock\n"
        f"with hold_lock(Path({str(path)!r})): print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        try:
            yield holder
        finally:
            holder.kill()


def test_a_lock_is_exclusive_within_a_process_too(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert not is_held(path)
    assert not path.exists()
    with hold_lock(path, refuse):
        assert is_held(path)
        with pytest.raises(ConflictError, match=f"held by {os.getpid()}"):
            hold_lock(path, refuse).__enter__()
    assert not is_held(path)


def test_a_lock_names_the_process_that_holds_it_and_ends_with_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with other_holder(path) as holder:
        with pytest.raises(ConflictError, match=f"held by {holder.pid}"):
            hold_lock(path, refuse).__enter__()
        holder.kill()
        holder.wait()
        with hold_lock(path, refuse):
            assert path.read_text() == str(os.getpid())


def test_without_a_refusal_the_lock_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with other_holder(path) as holder:
        assert holder.stdin is not None
        holder.stdin.close()
        with hold_lock(path):
            assert path.read_text() == str(os.getpid())


def test_only_the_owner_can_read_a_lock_file(tmp_path: Path) -> None:
    with hold_lock(tmp_path / "lock"):
        assert (tmp_path / "lock").stat().st_mode & 0o777 == 0o600
