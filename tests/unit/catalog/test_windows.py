"""Windows of time: together they hold all times, and the first are narrow where there is much."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skerry.catalog.spacetime import EARLIEST, LATEST, Span
from skerry.catalog.windows import Extent, expect, plan_windows

YEAR_US = 365 * 24 * 3600 * 10**6
FULL = Extent(count=1_000_000, first=0, last=3 * YEAR_US)
FEW = Extent(count=1000, first=0, last=3 * YEAR_US)

moments = st.integers(-YEAR_US, 5 * YEAR_US)


def plan(extent: Extent, area: float, span: Span | None = None, *, down: bool) -> list[Span]:
    windows = plan_windows(extent, area, span, 11, down=down)
    return [(window.begins, window.ends) for window in windows]


@given(
    extent=st.sampled_from([FULL, FEW, Extent(0, 0, 0), Extent(9, 5, 5)]),
    area=st.floats(0, 64_800),
    span=st.none() | st.tuples(moments, moments).map(lambda pair: (min(pair), max(pair))),
    down=st.booleans(),
)
def test_windows_adjoin_and_hold_all_times(
    extent: Extent, area: float, span: Span | None, down: bool
) -> None:
    windows = plan(extent, area, span, down=down)
    assert 1 <= len(windows) < 10
    in_order = windows[::-1] if down else windows
    assert in_order[0][0] == EARLIEST
    assert in_order[-1][1] == LATEST
    assert all(first[1] + 1 == second[0] for first, second in pairwise(in_order))
    assert all(begins <= ends for begins, ends in windows)


def test_a_large_place_of_a_full_catalogue_is_searched_from_its_newest_days() -> None:
    newest, *others = plan(FULL, 40 * 40, down=True)
    assert FULL.last - newest[0] < YEAR_US / 300
    assert others
    oldest, *_ = plan(FULL, 40 * 40, down=False)
    assert oldest[1] < YEAR_US / 300
    wider, *_ = plan(FULL, 5 * 5, down=True)
    assert newest[0] > wider[0] > FULL.last - YEAR_US


def test_where_little_is_expected_all_is_searched_at_once() -> None:
    assert plan(FEW, 40 * 40, down=True) == [(EARLIEST, LATEST)]
    month = (YEAR_US, YEAR_US + YEAR_US // 12)
    assert plan(FULL, 5 * 5, month, down=True) == [(EARLIEST, LATEST)]


def test_each_window_is_expected_to_have_more_than_the_window_before() -> None:
    windows = list(plan_windows(FULL, 40 * 40, None, 11, down=True))
    expected = [window.expected for window in windows]
    assert expected == sorted(expected)
    assert expected[0] == pytest.approx(22)
    everything = expect(FULL, 40 * 40, None)
    assert expected[-1] == everything == pytest.approx(1_000_000 * 1600 / 64_800)
    assert expect(FULL, 40 * 40, (0, YEAR_US)) == pytest.approx(everything / 3)
