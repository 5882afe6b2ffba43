"""Expressions in a job's parameters: days and instants by each run."""

import calendar
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skerry.core.errors import InvalidInputError
from skerry.production.expressions import Occasion, fill_expressions

MAY = Occasion(date(2026, 5, 1), datetime(2026, 5, 1, 5, 30, tzinfo=UTC))
DAYS = st.dates(date(1990, 1, 1), date(2100, 1, 1))
COUNTS = st.integers(0, 9999)
SIGNS = st.sampled_from("+-")


def fill(text: str, occasion: Occasion = MAY) -> object:
    return fill_expressions({"value": text}, occasion)["value"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{{ day }}", "2026-05-01"),
        ("{{day}}", "2026-05-01"),
        ("{{ day - 3d }}", "2026-04-28"),
        ("{{ day-1w+2d }}", "2026-04-26"),
        ("{{ tick }}", "2026-05-01T05:30:00Z"),
        ("{{ tick - 6h }}", "2026-04-30T23:30:00Z"),
        ("{{ tick + 90min }}", "2026-05-01T07:00:00Z"),
        ("{{ tick - 1d }}", "2026-04-30T05:30:00Z"),
        ("from {{ day - 1d }} to {{ day }}.", "from 2026-04-30 to 2026-05-01."),
        ('{"a": {"b": "}}"}}', '{"a": {"b": "}}"}}'),
        ("{day}", "{day}"),
        ("", ""),
    ],
)
def test_they_are_replaced_and_other_text_stays(text: str, value: str) -> None:
    assert fill(text) == value


def test_they_stand_at_any_depth() -> None:
    values = {"days": ["{{ day }}", 3, {"end": "{{ day + 1d }}"}], "none": None}
    filled = fill_expressions(values, MAY)
    assert filled == {"days": ["2026-05-01", 3, {"end": "2026-05-02"}], "none": None}


@given(day=DAYS, sign=SIGNS, weeks=st.integers(0, 500), days=COUNTS)
def test_weeks_and_days_are_counted_as_in_the_calendar(
    day: date, sign: str, weeks: int, days: int
) -> None:
    tick = datetime(day.year, day.month, day.day, 23, 59, tzinfo=UTC)
    occasion = Occasion(day, tick)
    steps = f"{sign} {weeks}w {sign} {days}d"
    count = (7 * weeks + days) * (1 if sign == "+" else -1)
    moved = date.fromordinal(day.toordinal() + count)
    assert fill(f"{{{{ day {steps} }}}}", occasion) == moved.isoformat()
    assert fill(f"{{{{ tick {steps} }}}}", occasion) == f"{moved.isoformat()}T23:59:00Z"


@given(minutes=st.integers(-99_999, 99_999), hours=st.integers(-99_999, 99_999))
def test_hours_and_minutes_are_counted_in_seconds(minutes: int, hours: int) -> None:
    text = fill(f"{{{{ tick {hours:+d}h {minutes:+d}min }}}}")
    seconds = calendar.timegm(datetime.strptime(str(text), "%Y-%m-%dT%H:%M:%SZ").timetuple())  # noqa: DTZ007 - timegm reads UTC
    assert seconds - MAY.tick.timestamp() == 3600 * hours + 60 * minutes


def test_leap_days_are_days() -> None:
    for year, following in ((2027, "2027-03-01"), (2028, "2028-02-29"), (2100, "2100-03-01")):
        day = date(year, 2, 28)
        occasion = Occasion(day, datetime(year, 2, 28, tzinfo=UTC))
        assert fill("{{ day + 1d }}", occasion) == following


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{ dya }}", r"'\{\{ dya \}\}' is no expression"),
        ("{{ day - 3 }}", "is no expression"),
        ("{{ day - d }}", "is no expression"),
        ("{{ day 3d }}", "is no expression"),
        ("{{ 3d }}", "is no expression"),
        ("{{ day", "is no expression"),
        ("{{}}", "is no expression"),
        ("{{ item.id }}", "is no expression"),
        ("{{ day.__class__ }}", "is no expression"),
        ("{{ day - 6h }}", "has the unit 'h'"),
        ("{{ tick - 6m }}", "has the unit 'm'"),
        ("{{ day - 1٣d }}", "is no expression"),
        ("{{ day - 99999w - 99999w }}", "is not a day of the calendar"),
        ("{{ day " + "- 99999w " * 100_000, "is no expression"),
        ("{{" + " " * 100_000, "is no expression"),
    ],
)
def test_what_names_nothing_is_refused_with_what_there_is(text: str, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message) as refused:
        fill(text)
    assert len(refused.value.what) < 200
    assert refused.value.remedy


@given(st.text("{}daytick -+0123456789wdhmin \n", max_size=60))
def test_any_text_is_filled_or_refused(text: str) -> None:
    try:
        filled = fill(text)
    except InvalidInputError:
        assert "{{" in text
    else:
        assert isinstance(filled, str)
        assert "{{" in text or filled == text


def test_days_end_with_the_calendar() -> None:
    last = Occasion(date.max, datetime(2026, 5, 1, tzinfo=UTC) + timedelta())
    with pytest.raises(InvalidInputError, match="calendar"):
        fill("{{ day + 1d }}", last)
