"""Room on the disk: measured, described, refused."""

from pathlib import Path

import pytest

from skerry.core import disk
from skerry.core.disk import Space, check_space, find_full_disk, measure_space, read_floor
from skerry.core.errors import DiskFullError, InvalidInputError

MB = 10**6


def test_states_and_words(tmp_path: Path) -> None:
    plenty = Space(tmp_path, free=900 * MB, total=1000 * MB, floor=500 * MB)
    low = Space(tmp_path, free=499 * MB, total=1000 * MB, floor=500 * MB)
    full = Space(tmp_path, free=1 * MB, total=60 * MB, floor=0)
    assert [(s.is_low, s.is_full) for s in (plenty, low, full)] == [
        (False, False), (True, False), (True, True),
    ]  # fmt: skip
    assert full.describe() == f"The disk of {tmp_path} is full: 1 MB of 60 MB are free."


def test_a_floor_above_what_is_free_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(disk.FLOOR_VARIABLE, "0")
    check_space(tmp_path, "A run")
    assert find_full_disk(tmp_path) is None
    monkeypatch.setenv(disk.FLOOR_VARIABLE, str(measure_space(tmp_path).total // MB + 1))
    with pytest.raises(DiskFullError, match=r"A run needs .* of free disk") as refused:
        check_space(tmp_path, "A run")
    assert str(tmp_path) in refused.value.what
    assert "skerry prune" in refused.value.remedy
    assert refused.value.status == 507


@pytest.mark.parametrize("text", ["", "-1", "lots", "1e3", "٣"])
def test_a_floor_that_is_not_a_number_is_named(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(disk.FLOOR_VARIABLE, text)
    with pytest.raises(InvalidInputError, match=disk.FLOOR_VARIABLE):
        read_floor()


def test_a_folder_that_is_gone_says_nothing(tmp_path: Path) -> None:
    assert find_full_disk(tmp_path / "gone") is None
