"""Long reads of a distant file take few requests, short reads small ones."""

import io

import pytest

from skerry.storage.growing_reads import LARGEST_READ, GrowingReads

CONTENT = bytes(range(256)) * 4096 * 3
FIRST = 2**16


class Asked:
    """Gives parts of the content, and keeps which."""

    def __init__(self) -> None:
        self.parts: list[tuple[int, int]] = []

    def __call__(self, start: int, stop: int) -> bytes:
        self.parts.append((start, stop))
        return CONTENT[start:stop]


def open_content() -> tuple[io.BufferedReader, Asked]:
    asked = Asked()
    return io.BufferedReader(GrowingReads(asked, len(CONTENT)), FIRST), asked


def test_each_next_part_of_a_long_read_is_twice_as_long() -> None:
    stream, asked = open_content()
    assert b"".join(iter(lambda: stream.read(1000), b"")) == CONTENT
    sizes = [stop - start for start, stop in asked.parts]
    assert sizes[:4] == [FIRST, 2 * FIRST, 4 * FIRST, 8 * FIRST]
    assert [stop for _, stop in asked.parts[:-1]] == [start for start, _ in asked.parts[1:]]


def test_a_read_elsewhere_begins_small_again() -> None:
    stream, asked = open_content()
    stream.read(5 * FIRST)
    asked.parts.clear()
    assert stream.seek(20 * FIRST) == 20 * FIRST
    assert stream.read(10) == CONTENT[20 * FIRST : 20 * FIRST + 10]
    assert asked.parts == [(20 * FIRST, 21 * FIRST)]


def test_what_a_reader_wants_at_once_comes_at_once() -> None:
    asked = Asked()
    raw = GrowingReads(asked, len(CONTENT))
    buffer = bytearray(len(CONTENT))
    assert raw.readinto(buffer) == len(CONTENT)
    assert buffer == CONTENT
    assert asked.parts == [(0, len(CONTENT))]
    assert len(CONTENT) < LARGEST_READ


def test_nothing_comes_from_behind_the_end() -> None:
    stream, asked = open_content()
    assert stream.seek(-10, io.SEEK_END) == len(CONTENT) - 10
    assert stream.read() == CONTENT[-10:]
    stream.seek(len(CONTENT) + 5)
    assert stream.read(1) == b""
    assert all(stop <= len(CONTENT) for _, stop in asked.parts)


@pytest.mark.parametrize("nothing", [None, b""])
def test_a_file_that_was_removed_meanwhile_is_an_error(nothing: bytes | None) -> None:
    raw = GrowingReads(lambda *_: nothing, 10)
    with pytest.raises(OSError, match="removed while it was read"):
        raw.read(1)
