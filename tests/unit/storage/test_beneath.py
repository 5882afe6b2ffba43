import os
from pathlib import Path

import pytest

from skerry.core.errors import ForbiddenError, InvalidInputError
from skerry.storage.beneath import open_beneath, opened_beneath

KEY = "imports/a/product.zarr/0/c/0"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    file = tmp_path / "objects" / KEY
    file.parent.mkdir(parents=True)
    file.write_bytes(b"pixels")
    return tmp_path / "objects"


def count_open() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def read(root: Path, key: str) -> bytes:
    with opened_beneath(root, key) as file:
        return os.read(file, 100)


def test_a_file_is_read(root):
    assert read(root, KEY) == b"pixels"


@pytest.mark.parametrize("depth", range(1, len(KEY.split("/")) + 1))
def test_a_link_at_any_depth_is_refused_even_when_it_stays_inside(root, depth):
    link = root / "/".join(KEY.split("/")[:depth])
    aside = link.with_name(f"{link.name}.aside")
    link.rename(aside)
    link.symlink_to(aside)
    assert (root / KEY).read_bytes() == b"pixels", "the link works for whoever follows it"
    with pytest.raises(ForbiddenError, match="symbolic link"):
        read(root, KEY)


def test_a_link_to_nothing_is_refused_too(root):
    (root / KEY).unlink()
    (root / KEY).symlink_to("nowhere")
    with pytest.raises(ForbiddenError, match="symbolic link"):
        read(root, KEY)


def test_the_folder_itself_may_be_reached_through_a_link(root, tmp_path):
    (tmp_path / "data").symlink_to(root)
    assert read(tmp_path / "data", KEY) == b"pixels"


@pytest.mark.parametrize("key", ["imports/a", "imports/absent", f"{KEY}/below"])
def test_what_is_not_a_file_does_not_exist(root, key):
    with pytest.raises(FileNotFoundError):
        read(root, key)


@pytest.mark.parametrize("key", ["../secret", "imports/../../secret", "/etc/passwd", ""])
def test_a_key_cannot_leave_the_folder(root, key):
    with pytest.raises(InvalidInputError):
        read(root, key)


def test_a_named_pipe_holds_nobody(root):
    os.mkfifo(root / "imports/pipe")
    with pytest.raises(ForbiddenError, match="neither"):
        read(root, "imports/pipe")


def test_no_descriptor_is_left_open(root):
    before = count_open()
    for key in (KEY, "imports/absent", "imports/a"):
        try:
            os.close(open_beneath(root, key))
        except FileNotFoundError:
            continue
    assert count_open() == before
