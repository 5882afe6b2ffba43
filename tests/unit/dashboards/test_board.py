"""The run history as lines of a table."""

from datetime import UTC, datetime

import pytest
from tests.production_models import make_job, make_run

from skerry.core.time import parse_time
from skerry.dashboards.board import (
    RunFilter,
    describe_attempts,
    describe_job,
    describe_run,
    show_duration,
    show_local_time,
    show_time,
)

NOW = datetime(2026, 5, 1, 12, 0, 0, tzinfo=UTC)


def read_time(text: str | None) -> datetime | None:
    return parse_time(text) if text else None


def test_a_running_run_shows_how_far_it_is():
    row = describe_run(make_run(), prefix="/p", now=NOW)
    assert row.progress == (3, 11)
    assert row.duration == "1 min 30 s"
    assert row.epoch == 2
    assert row.self_approved
    assert row.address == "/p/run?id=0196"
    assert row.job_address == "/p/runs?job=water"


def test_a_run_that_succeeded_links_its_products():
    output = {
        "output": "turbidity", "collection": "water", "item": "t-1", "digest": "1e20aa",
        "epoch": 1, "published": "2026-05-01T11:59:00Z",
    }  # fmt: skip
    row = describe_run(
        make_run(status="succeeded", ended="2026-05-01T11:59:00Z", outputs=[output]), prefix="/p"
    )
    assert row.progress is None
    assert row.duration == "30 s"
    assert row.products == (("/p/map?item=water/t-1", "turbidity"),)


def test_a_waiting_run_has_no_time_yet():
    row = describe_run(make_run(status="queued", started=None, epoch=0), prefix="/p")
    assert (row.started, row.duration, row.epoch) == ("", "", 0)
    assert row.progress is None


@pytest.mark.parametrize(
    ("started", "ended", "shown"),
    [
        ("2026-05-01T10:00:00Z", "2026-05-01T10:00:09Z", "9 s"),
        ("2026-05-01T09:00:00Z", "2026-05-01T11:05:00Z", "2 h 05 min"),
        ("2026-05-01T12:00:05Z", None, "0 s"),  # a clock that runs ahead
        (None, None, ""),
    ],
)
def test_durations(started: str | None, ended: str | None, shown: str):
    assert show_duration(read_time(started), read_time(ended), NOW) == shown


def test_times_are_shown_in_utc():
    assert show_time(read_time("2026-05-01T12:30:00.123456+02:00")) == "2026-05-01 10:30:00 UTC"
    assert show_time(None) == ""


def test_a_job_by_clock_says_when_it_ticks_next():
    trigger = {"kind": "clock", "cron": "0 6 * * *", "timezone": "Europe/Berlin"}
    job = make_job(trigger=trigger, policy={"review": "required"}, next_tick="2026-05-02T04:00:00Z")
    row = describe_job(job, prefix="/p")
    assert row.next_tick == "2026-05-02 04:00:00 UTC"
    assert row.trigger == "0 6 * * * (Europe/Berlin)"
    assert row.review == "required"


def test_a_job_by_hand_has_no_next_tick():
    row = describe_job(make_job(trigger={"kind": "manual"}), prefix="/p")
    assert (row.trigger, row.next_tick) == ("by hand", "")


def test_every_attempt_links_the_files_that_it_has_written():
    folder = "/services/api/production/runs/0196/files"
    files = {
        1: ["log.txt"],  # killed: it wrote no page
        2: ["executed.ipynb", "executed.html", "manifest.json", "log.txt"],
        3: ["log.txt"],
    }
    common = {"adopted_epoch": None, "detail": None, "started": "2026-05-01T11:00:00Z"}
    attempts = [
        common | {"epoch": 1, "status": "crashed", "detail": "The process was killed.",
                  "ended": "2026-05-01T11:00:05Z"},
        common | {"epoch": 2, "status": "published", "ended": "2026-05-01T11:02:00Z"},
        common | {"epoch": 3, "status": "executing", "ended": None},
    ]  # fmt: skip
    for attempt in attempts:
        epoch = attempt["epoch"]
        attempt["files"] = [f"{folder}/{name}?epoch={epoch}" for name in files[epoch]]
    rows = describe_attempts(make_run(attempts=attempts), now=NOW)
    assert [row.epoch for row in rows] == [3, 2, 1]
    assert [[name for _, name in row.files] for row in rows] == [
        ["Log"], ["Notebook", "Log", "Manifest"], ["Log"],
    ]  # fmt: skip
    assert rows[1].files[0][0] == f"{folder}/executed.html?epoch=2"
    assert rows[2].detail == "The process was killed."


def test_a_tick_is_told_in_the_job_s_own_zone_too():
    assert show_local_time(read_time("2026-07-01T10:30:00Z"), "Europe/Berlin") == (
        "2026-07-01 12:30 Europe/Berlin"
    )
    assert show_local_time(read_time("2026-07-01T10:30:00Z"), "UTC") == ""
    assert show_local_time(read_time("2026-07-01T10:30:00Z"), "Nowhere/Else") == ""
    assert show_local_time(None, "Europe/Berlin") == ""


def test_a_filter_is_an_address():
    expected = RunFilter(job="a b", status="failed", before="0196")
    assert expected.link("/p") == "/p/runs?job=a+b&status=failed&before=0196"
    assert expected.link("/p", before="") == "/p/runs?job=a+b&status=failed"
    assert RunFilter().link("/p") == "/p/runs"
