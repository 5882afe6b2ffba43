from pathlib import Path

import pytest

from skerry.hub.notices.limits import Memory, describe_idleness, list_notices, read_memory

GIB = 1 << 30


def second_version(folder: Path, used: int, limit: str, cached: int = 0) -> Path:
    (folder / "memory.current").write_text(f"{used}\n")
    (folder / "memory.max").write_text(f"{limit}\n")
    (folder / "memory.stat").write_text(f"anon 1\ninactive_file {cached}\nactive_file 7\n")
    return folder


def test_memory_is_what_cannot_be_freed_at_once(tmp_path: Path) -> None:
    folder = second_version(tmp_path, 10 * GIB, str(8 * GIB), cached=3 * GIB)
    assert read_memory(folder) == Memory(7 * GIB, 8 * GIB)


def test_the_first_version_of_control_groups_says_it_too(tmp_path: Path) -> None:
    (tmp_path / "memory").mkdir()
    (tmp_path / "memory" / "memory.usage_in_bytes").write_text(f"{5 * GIB}\n")
    (tmp_path / "memory" / "memory.limit_in_bytes").write_text(f"{8 * GIB}\n")
    (tmp_path / "memory" / "memory.stat").write_text(f"total_inactive_file {GIB}\n")
    assert read_memory(tmp_path) == Memory(4 * GIB, 8 * GIB)


@pytest.mark.parametrize("limit", ["max", str((1 << 63) - 4096), "damaged"])
def test_without_a_limit_there_is_nothing_to_say(tmp_path: Path, limit: str) -> None:
    assert read_memory(second_version(tmp_path, GIB, limit)) is None
    assert read_memory(tmp_path / "nothing") is None


@pytest.mark.parametrize(
    ("used", "free", "kinds"),
    [
        (7.3, 11, ["memory"]),
        (7.1, 11, []),
        (7.1, 9, ["disk"]),
        (8.0, 0, ["memory", "disk"]),
    ],
)
def test_notices_come_over_nine_tenths_of_memory_and_under_a_tenth_of_disk(
    used: float, free: float, kinds: list[str]
) -> None:
    notices = list_notices(Memory(int(used * GIB), 8 * GIB), int(free * GIB), 100 * GIB)
    assert [notice["kind"] for notice in notices] == kinds


def test_words_have_the_numbers() -> None:
    [notice] = list_notices(Memory(int(7.5 * GIB), 8 * GIB), GIB, 2 * GIB)
    assert "uses 7.5 of its 8 GiB" in notice["message"]
    [notice] = list_notices(None, GIB // 2, 10 * GIB)
    assert "0.5 GiB left of 10" in notice["message"]
    assert "ends in 10 minutes" in describe_idleness(10)
