"""Numbers and lists in words."""

import pytest

from skerry.core.wording import describe_bytes, shorten


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
