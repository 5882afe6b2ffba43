"""What is written aside is there whole or not at all, and never over another's work."""

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from skerry.core.errors import ConflictError, InvalidInputError
from skerry.storage import locks, writing
from skerry.storage.locks import hold_lock
from skerry.storage.writing import LEFT_DAYS, check_free, make_aside, write_aside

LEFT = ".target.4194304.0123abcd.partial"
"""A folder of a writer that is no more; no process has this number."""


def fill_file(path: Path, text: str) -> None:
    path.write_text(text)


def fill_folder(path: Path, text: str) -> None:
    path.mkdir()
    fill_file(path / "inside", text)


def read(path: Path) -> str:
    return (path / "inside" if path.is_dir() else path).read_text()


Fill = Callable[[Path, str], None]
fills = pytest.mark.parametrize("fill", [fill_file, fill_folder])


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def make(
    target: Path, fill: Fill, text: str, then: Callable[[], None], *, replace: bool = False
) -> None:
    with make_aside(target, replace=replace) as aside:
        fill(aside, text)
        then()


def fail(error: BaseException) -> Callable[[], None]:
    def raise_it() -> None:
        raise error

    return raise_it


def leave(folder: Path, lock: str = "4194304") -> Path:
    left = folder / LEFT
    (left / "target").mkdir(parents=True)
    (left / "target.lock").write_text(lock)
    return left


@fills
def test_it_appears_when_the_block_ends(fill: Fill, tmp_path: Path) -> None:
    target = tmp_path / "target"
    with make_aside(target) as aside:
        assert aside.name == "target"
        fill(aside, "whole")
        assert not target.exists()
    assert read(target) == "whole"
    assert names(tmp_path) == ["target"]


@fills
@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_nothing_stays_of_a_block_that_fails(
    fill: Fill, error: type[BaseException], tmp_path: Path
) -> None:
    with pytest.raises(error):
        make(tmp_path / "target", fill, "half", fail(error()))
    assert names(tmp_path) == []


@fills
@pytest.mark.parametrize("other", [fill_file, fill_folder])
def test_what_another_finished_meanwhile_is_kept(fill: Fill, other: Fill, tmp_path: Path) -> None:
    target = tmp_path / "target"
    with pytest.raises(ConflictError, match=r"target was written by another program"):
        make(target, fill, "late", lambda: other(target, "first"))
    assert read(target) == "first"
    assert names(tmp_path) == ["target"]


@fills
def test_what_is_there_is_refused_before_the_block(fill: Fill, tmp_path: Path) -> None:
    fill(tmp_path / "target", "first")
    with (
        pytest.raises(ConflictError, match="target exists already"),
        make_aside(tmp_path / "target"),
    ):
        raise AssertionError
    assert read(tmp_path / "target") == "first"


def test_a_link_to_nowhere_is_something(tmp_path: Path) -> None:
    (tmp_path / "target").symlink_to(tmp_path / "nowhere")
    with pytest.raises(ConflictError, match="exists already"):
        check_free(tmp_path / "target")


@fills
@pytest.mark.parametrize("old", [fill_file, fill_folder, None])
def test_replacing(fill: Fill, old: Fill | None, tmp_path: Path) -> None:
    target = tmp_path / "target"
    if old is not None:
        old(target, "old")
    with make_aside(target, replace=True) as aside:
        fill(aside, "new")
        assert old is None or read(target) == "old"
    assert read(target) == "new"
    assert names(tmp_path) == ["target"]


@fills
@pytest.mark.parametrize("old", [fill_file, fill_folder])
def test_what_was_to_be_replaced_is_back_if_that_fails(
    fill: Fill, old: Fill, tmp_path: Path
) -> None:
    target = tmp_path / "target"
    old(target, "old")
    with (
        pytest.raises(InvalidInputError, match="cannot be written"),
        make_aside(target, replace=True),
    ):
        pass  # nothing was made
    assert read(target) == "old"
    with pytest.raises(ValueError, match="no"):
        make(target, fill, "new", fail(ValueError("no")), replace=True)
    assert read(target) == "old"
    assert names(tmp_path) == ["target"]


@pytest.mark.parametrize("old", [fill_file, fill_folder])
def test_an_old_product_comes_back_when_the_new_one_cannot_take_its_place(
    old: Fill, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "target"
    old(target, "old")
    rename = Path.rename

    def refuse(path: Path, other: Path) -> Path:
        if path.name == other.name:
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))
        return rename(path, other)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(InvalidInputError, match="target cannot be written"):
        make(target, fill_folder, "new", lambda: None, replace=True)
    assert read(target) == "old"
    assert names(tmp_path) == ["target"]


@fills
def test_of_many_threads_one_succeeds(fill: Fill, tmp_path: Path) -> None:
    target = tmp_path / "target"
    ready = Barrier(8)

    def write(number: int) -> bool:
        try:
            with make_aside(target) as aside:
                ready.wait()
                fill(aside, str(number))
        except ConflictError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(write, range(8)))
    assert done.count(True) == 1
    assert read(target) == str(done.index(True))
    assert names(tmp_path) == ["target"]


def test_texts_are_replaced_by_many_threads_at_once(tmp_path: Path) -> None:
    ready = Barrier(8)

    def write(number: int) -> None:
        ready.wait()
        write_aside(tmp_path / "target", str(number) * 1000)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    result = read(tmp_path / "target")
    assert len(result) == 1000
    assert len(set(result)) == 1
    assert names(tmp_path) == ["target"]


def test_leftovers_of_the_dead_are_removed_whatever_runs_by_their_number(tmp_path: Path) -> None:
    leave(tmp_path)
    reused = tmp_path / f".target.{os.getpid()}.0123abcd.partial"
    reused.mkdir()
    (reused / "target.lock").write_text(str(os.getpid()))
    write_aside(tmp_path / "target", "")
    assert names(tmp_path) == ["target"]


def test_folders_of_the_living_and_of_other_targets_stay(tmp_path: Path) -> None:
    living = leave(tmp_path)
    others = [".target.partial", ".target.b.12.0123abcd.partial", ".b.12.0123abcd.partial"]
    for other in others:
        (tmp_path / other).mkdir()
    with hold_lock(living / "target.lock"):
        write_aside(tmp_path / "target", "")
    assert names(tmp_path) == sorted([LEFT, "target", *others])


def test_a_private_file_is_private_from_its_first_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "secret"
    target.write_text("old and longer")
    target.chmod(0o644)
    modes = []
    write_bytes = Path.write_bytes

    def watch(path: Path, *arguments: object, **named: object) -> int:
        modes.append(path.stat().st_mode & 0o777)
        return write_bytes(path, *arguments, **named)

    monkeypatch.setattr(Path, "write_bytes", watch)
    write_aside(target, "new", private=True)
    assert target.read_text() == "new"
    assert [*modes, target.stat().st_mode & 0o777] == [0o600, 0o600]
    assert names(tmp_path) == ["secret"]


@pytest.mark.parametrize("lock", ["", None])
def test_without_a_lock_only_the_old_is_a_leftover(lock: str | None, tmp_path: Path) -> None:
    left = leave(tmp_path, lock or "")
    if lock is None:
        (left / "target.lock").unlink()
    write_aside(tmp_path / "target", "")
    assert names(tmp_path) == [LEFT, "target"]
    long_ago = (left.stat().st_mtime - LEFT_DAYS * 86400 - 1,) * 2
    for item in (*left.iterdir(), left):
        os.utime(item, long_ago)
    write_aside(tmp_path / "target", "")
    assert names(tmp_path) == ["target"]


@fills
def test_where_there_are_no_locks_links_and_syncfs(
    fill: Fill, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.ENOTSUP, "no such thing here")

    monkeypatch.setattr(locks, "lock_descriptor", refuse)
    monkeypatch.setattr(writing.os, "link", refuse)
    monkeypatch.setattr(writing.ctypes, "CDLL", lambda *_, **__: None)
    leave(tmp_path)
    with make_aside(tmp_path / "target") as aside:
        fill(aside, "whole")
    assert read(tmp_path / "target") == "whole"
    assert names(tmp_path) == [LEFT, "target"]
    late = tmp_path / "late"
    with pytest.raises(ConflictError, match="late was written"):
        make(late, fill, "late", lambda: fill(late, "first"))
    assert read(tmp_path / "late") == "first"


@fills
def test_it_is_on_the_disk_before_it_has_its_name(
    fill: Fill, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = []
    for name in ("_put_on_disk", "_publish", "_put_folder_on_disk"):
        real = getattr(writing, name)

        def note(*words: object, name: str = name, real: object = real, **more: object) -> None:
            order.append(name)
            real(*words, **more)  # type: ignore[operator]

        monkeypatch.setattr(writing, name, note)
    with make_aside(tmp_path / "target") as aside:
        fill(aside, "whole")
    assert order == ["_put_on_disk", "_publish", "_put_folder_on_disk"]
    if fill is fill_file:
        order.clear()
        writing.write_aside(tmp_path / "of-the-living", "", outlasts_power=False)
        assert order == ["_publish"], "nobody waits for the disk"


def test_folders_above_are_made_when_asked(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="does not exist"), make_aside(tmp_path / "a" / "b"):
        raise AssertionError
    with make_aside(tmp_path / "a" / "b", parents=True) as aside:
        aside.write_text("")
    assert names(tmp_path / "a") == ["b"]


def test_errors_of_the_system_name_the_target(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(InvalidInputError, match=r"file/b cannot be written"),
        make_aside(tmp_path / "file" / "b", parents=True),
    ):
        raise AssertionError
    long = tmp_path / ("n" * 250)
    with pytest.raises(InvalidInputError, match=r"n cannot be written"), make_aside(long):
        raise AssertionError
    with (
        pytest.raises(InvalidInputError, match=r"target cannot be written: No space left"),
        make_aside(tmp_path / "target"),
    ):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with pytest.raises(OSError, match="source"), make_aside(tmp_path / "target"):
        raise OSError(errno.EIO, os.strerror(errno.EIO), "/source")
    assert names(tmp_path) == ["file"]


STRAGGLING = """
import sys, threading
from pathlib import Path
from skerry.storage.writing import make_aside

gone, written = threading.Event(), threading.Event()

def straggle():
    gone.wait()
    aside.mkdir(parents=True)
    written.set()

with __import__("contextlib").suppress(KeyboardInterrupt):
    with make_aside(Path(sys.argv[1])) as aside:
        threading.Thread(target=straggle).start()
        raise KeyboardInterrupt
gone.set()
"""


def test_what_threads_write_after_an_interrupt_goes_with_the_process(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", STRAGGLING, tmp_path / "target"], check=True)
    assert names(tmp_path) == []


def test_a_killed_writer_leaves_what_the_next_one_removes(tmp_path: Path) -> None:
    program = (
        "import os, sys; from pathlib import Path; from skerry.storage.writing import make_aside\n"
        "with make_aside(Path(sys.argv[1])) as aside:\n"
        "    aside.mkdir(); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", program, tmp_path / "target"], check=False)
    assert done.returncode == -signal.SIGKILL
    assert len(names(tmp_path)) == 1
    write_aside(tmp_path / "target", "next")
    assert names(tmp_path) == ["target"]
