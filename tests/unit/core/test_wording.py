"""Numbers and lists in words."""

import pytest

from skerry.core.wording import describe_bytes, describe_size, shorten, write_number


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "0 bytes"), (1, "1 byte"), (999, "999 bytes"), (1000, "1 kB"), (999_499, "999 kB"),
        (999_500, "1 MB"), (12_400_000, "12 MB"), (999_499_999, "999 MB"), (999_500_000, "1.0 GB"),
        (1_540_000_000, "1.5 GB"),
    ],
)  # fmt: skip
def test_bytes_are_told_in_the_unit_that_fits(count: int, words: str) -> None:
    assert describe_bytes(count) == words


def test_a_long_list_is_shortened() -> None:
    assert shorten(["a", "b", "c"]) == "a, b, c"
    assert shorten(["a", "b", "c", "d", "e"]) == "a, b, c and 2 more"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0, "0"), (0.0004, "0"), (0.5, "0.5"), (10, "10"), (100.0, "100"), (2.0004, "2"),
        (1_000_000.0, "1000000"), (1_234_567.891, "1234567.891"), (1e9, "1000000000"),
    ],
)  # fmt: skip
def test_large_numbers_are_written_out_and_keep_their_digits(value: float, words: str) -> None:
    assert write_number(value) == words


def test_a_size_is_told_in_words() -> None:
    assert describe_size(1, 2) == "1 processor and 2 GiB"
    assert describe_size(0.5, 1_048_576) == "0.5 processors and 1048576 GiB"
