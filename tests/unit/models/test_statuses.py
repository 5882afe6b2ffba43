"""The statuses that models name are those that the tables allow."""

import re
from enum import StrEnum

import pytest
from sqlalchemy import CheckConstraint, Table

from skerry.models.jobs import Review
from skerry.models.releases import ReleaseStatus
from skerry.models.runs import AttemptStatus, RunStatus
from skerry.production import tables


@pytest.mark.parametrize(
    ("table", "column", "statuses"),
    [
        (tables.releases, "status", ReleaseStatus),
        (tables.jobs, "review", Review),
        (tables.runs, "status", RunStatus),
        (tables.attempts, "status", AttemptStatus),
    ],
)
def test_table_and_model_name_the_same(table: Table, column: str, statuses: type[StrEnum]) -> None:
    rules = [
        str(rule.sqltext)
        for rule in table.constraints
        if isinstance(rule, CheckConstraint) and str(rule.sqltext).startswith(f"{column} IN")
    ]
    assert len(rules) == 1
    assert re.findall(r"'(\w+)'", rules[0]) == [status.value for status in statuses]


def test_a_run_that_has_ended_without_success_can_be_retried() -> None:
    assert [status for status in RunStatus if not status.has_ended] == ["queued", "running"]
    assert [status for status in RunStatus if status.can_be_retried] == [
        "failed", "cancelled", "passed"
    ]  # fmt: skip
