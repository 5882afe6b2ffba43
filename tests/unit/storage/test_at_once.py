"""Work on many things at once: in order, few ahead, and ended by the first error."""

from collections.abc import Iterator
from itertools import count, islice
from threading import Barrier

import pytest

from skerry.storage.at_once import do_at_once


def test_results_come_in_the_order_of_the_items() -> None:
    both = Barrier(2)

    def meet(number: int) -> int:
        both.wait(30)  # passes only if two are under way
        return -number

    assert list(do_at_once(meet, range(200), 2)) == [-number for number in range(200)]
    assert list(do_at_once(meet, [])) == []


def test_few_items_are_asked_for_ahead_of_any_number() -> None:
    asked = []

    def items() -> Iterator[int]:
        for number in count():
            asked.append(number)
            yield number

    results = do_at_once(str, items(), 4)
    assert list(islice(results, 100)) == [str(number) for number in range(100)]
    results.close()  # type: ignore[attr-defined]
    assert len(asked) < 100 + 4 * 5


def test_the_first_error_ends_it() -> None:
    def fail(number: int) -> int:
        if number == 7:
            raise ValueError(str(number))
        return number

    results = do_at_once(fail, count(), 2)
    assert list(islice(results, 7)) == list(range(7))
    with pytest.raises(ValueError, match="7"):
        next(results)
