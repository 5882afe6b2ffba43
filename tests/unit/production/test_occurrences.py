"""Occurrence keys."""

import pytest

from skerry.core.errors import InvalidInputError
from skerry.core.time import parse_time
from skerry.production.occurrences import (
    check_partition,
    key_for_request,
    key_for_tick,
)


def test_keys_say_what_made_the_run() -> None:
    tick = parse_time("2026-05-01T08:30:00+03:00")
    assert key_for_tick(tick) == "clock/2026-05-01T05:30:00Z"
    assert key_for_request("my-key") == "manual/my-key"
    assert key_for_request(None) != key_for_request(None)


@pytest.mark.parametrize("bad", ["a/b", "", "../x", "x" * 121])
def test_keys_from_outside_are_checked(bad: str) -> None:
    with pytest.raises(InvalidInputError):
        key_for_request(bad)


def test_partitions_may_stand_in_item_ids() -> None:
    assert check_partition("") == ""
    assert check_partition("T33UVV") == "T33UVV"
    for bad in ("a/b", "x" * 61, " "):
        with pytest.raises(InvalidInputError):
            check_partition(bad)
