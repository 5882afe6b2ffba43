"""Ticks of a cron expression in a time zone, across daylight saving."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import examples

from skerry.core.errors import InvalidInputError
from skerry.core.time import format_time, parse_time
from skerry.production.clock import check_clock, list_latest, next_tick


def ticks(cron: str, zone: str, begin: str, count: int) -> list[str]:
    moment, result = parse_time(begin), []
    for _ in range(count):
        moment = next_tick(cron, zone, moment)
        result.append(format_time(moment))
    return result


def test_ticks_keep_to_local_time_across_the_end_of_summer_time() -> None:
    # Helsinki leaves UTC+3 on 25 October 2026 at 04:00 local.
    assert ticks("30 5 * * *", "Europe/Helsinki", "2026-10-23T12:00:00Z", 3) == [
        "2026-10-24T02:30:00Z", "2026-10-25T03:30:00Z", "2026-10-26T03:30:00Z",
    ]  # fmt: skip


def test_a_tick_in_the_hour_that_spring_skips_comes_right_after_the_gap() -> None:
    # 29 March 2026: 03:00 becomes 04:00 in Helsinki; 03:30 does not exist.
    assert ticks("30 3 * * *", "Europe/Helsinki", "2026-03-28T12:00:00Z", 2) == [
        "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z",
    ]  # fmt: skip


def test_a_tick_in_the_hour_that_autumn_repeats_comes_once() -> None:
    # 25 October 2026: 03:30 happens twice in Helsinki.
    assert ticks("30 3 * * *", "Europe/Helsinki", "2026-10-24T12:00:00Z", 2) == [
        "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z",
    ]  # fmt: skip


def test_the_second_pass_of_that_hour_is_after_the_first() -> None:
    # 00:45Z is 03:45 for the first time, 01:10Z is 03:10 for the second.
    for begin in ("2026-10-25T00:45:00Z", "2026-10-25T01:10:00Z", "2026-10-25T01:29:59Z"):
        assert ticks("30 3 * * *", "Europe/Helsinki", begin, 1) == ["2026-10-26T01:30:00Z"]
    begin, end = (parse_time(f"2026-10-25T01:{minute}:00Z") for minute in ("05", "20"))
    assert list_latest("15 3 * * *", "Europe/Helsinki", begin, end, most=10) == []


CHANGES = {
    "Europe/Helsinki": ("2026-03-29", "2026-10-25"),
    "America/Havana": ("2026-03-08", "2026-11-01"),  # at midnight
    "Australia/Lord_Howe": ("2026-10-04", "2026-04-05"),  # by half an hour
    "Africa/Cairo": ("2026-04-24", "2026-10-30"),
    "Antarctica/Troll": ("2026-03-29", "2026-10-25"),  # by two hours
}
CRONS = (
    "30 0 * * *",
    "15 2 * * *",
    "45 1 * * *",
    "30 1,2 * * *",
    "0-30/10 2 * * *",
    "*/20 * * * *",
)


@pytest.mark.parametrize("cron", CRONS)
@pytest.mark.parametrize(
    ("zone", "day"), [(zone, day) for zone, days in CHANGES.items() for day in days]
)
def test_the_same_ticks_come_from_whatever_moment_they_are_counted(
    cron: str, zone: str, day: str
) -> None:
    midnight = parse_time(f"{day}T00:00:00Z")
    begin, end = midnight - timedelta(days=1), midnight + timedelta(days=2)
    sequence = [next_tick(cron, zone, begin)]
    while sequence[-1] < end:
        sequence.append(next_tick(cron, zone, sequence[-1]))
    assert sequence == sorted(set(sequence))
    for minutes in range(-6 * 60, 18 * 60, 11):
        moment = midnight + timedelta(minutes=minutes)
        assert next_tick(cron, zone, moment) == next(tick for tick in sequence if tick > moment)
    minute, hour, *_ = cron.split()
    if minute.isdigit() and hour.isdigit():
        days = [tick.astimezone(ZoneInfo(zone)).date() for tick in sequence]
        assert days == [days[0] + timedelta(days=number) for number in range(len(days))]


def test_hourly_ticks_are_never_lost_at_the_change() -> None:
    result = ticks("0 * * * *", "Europe/Helsinki", "2026-10-24T22:30:00Z", 5)
    assert result == [f"2026-10-2{4 + (23 + i) // 24}T{(23 + i) % 24:02d}:00:00Z" for i in range(5)]


@pytest.mark.parametrize(
    ("cron", "zone", "named"),
    [
        ("never", "UTC", "'never'"),
        ("61 * * * *", "UTC", "'61 * * * *'"),
        ("0 0 30 2 *", "UTC", "'0 0 30 2 *'"),
        ("* * * * * *", "UTC", "'* * * * * *'"),
        ("0 0 * * *", "Mars/Olympus", "'Mars/Olympus'"),
        ("0 0 * * *", "../../etc/passwd", "'../../etc/passwd'"),
    ],
)
def test_bad_clocks_are_refused_by_name(cron: str, zone: str, named: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        check_clock(cron, zone)
    assert named in caught.value.what


def list_daily(after: datetime, until: datetime) -> list[datetime]:
    return list_latest("0 5 * * *", "UTC", after, until, most=10)


def test_the_latest_ticks_come_first() -> None:
    after, until = parse_time("2026-05-05T06:00:00Z"), parse_time("2026-05-08T12:00:00Z")
    latest = [format_time(tick) for tick in list_daily(after, until)]
    assert latest == ["2026-05-08T05:00:00Z", "2026-05-07T05:00:00Z", "2026-05-06T05:00:00Z"]
    assert list_daily(until, until + timedelta(hours=1)) == []
    tick = parse_time("2026-05-08T05:00:00Z")
    assert list_daily(tick, tick) == []
    assert list_daily(tick - timedelta(seconds=1), tick) == [tick]


@pytest.mark.slow
@settings(max_examples=examples(60), deadline=None)
@given(
    cron=st.sampled_from(["*/5 * * * *", "30 3 * * *", "0 */6 * * *", "15 2 1 * *", "0 0 * * 0"]),
    zone=st.sampled_from(["UTC", "Europe/Helsinki", "America/New_York", "Australia/Lord_Howe"]),
    begin=st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    hours=st.integers(0, 24 * 40),
)
def test_the_latest_ticks_are_the_last_of_walking_every_tick(
    cron: str, zone: str, begin: datetime, hours: int
) -> None:
    until = begin + timedelta(hours=hours)
    walked, moment = [], next_tick(cron, zone, begin)
    while moment <= until:
        walked.append(moment)
        moment = next_tick(cron, zone, moment)
    assert list_latest(cron, zone, begin, until, most=5) == walked[::-1][:5]
