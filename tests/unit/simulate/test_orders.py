from datetime import UTC, date, datetime, time
from pathlib import Path

import pytest

from skerry.core.errors import ConflictError, InvalidInputError
from skerry.simulate.orders import check_place, check_size, find_moment


@pytest.mark.parametrize(("size", "step"), [(60, 1), (61, 1), (120, 1), (60, 6), (114, 6)])
def test_sizes_within_the_limits(size: int, step: int) -> None:
    check_size(size, 60, 120, usual=90, step=step)


@pytest.mark.parametrize(("size", "step"), [(59, 1), (121, 1), (61, 6), (54, 6), (126, 6)])
def test_other_sizes_are_refused_with_one_to_try(size: int, step: int) -> None:
    with pytest.raises(InvalidInputError, match=f"{size} .* between 60 and 120") as caught:
        check_size(size, 60, 120, usual=90, step=step)
    assert "try 90" in caught.value.remedy.lower()


def test_a_day_may_be_written() -> None:
    noon = time(12, tzinfo=UTC)
    assert find_moment("2026-05-01", noon) == datetime(2026, 5, 1, 12, tzinfo=UTC)
    assert find_moment(date(2026, 5, 1), noon) == datetime(2026, 5, 1, 12, tzinfo=UTC)
    with pytest.raises(InvalidInputError, match="yesterday"):
        find_moment("yesterday", noon)


def test_a_product_that_exists_is_not_made_again(tmp_path: Path) -> None:
    check_place(tmp_path / "new.SAFE")
    with pytest.raises(ConflictError, match="exists already"):
        check_place(tmp_path)
