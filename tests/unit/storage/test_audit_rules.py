"""Which columns of a table the audit tells, and what it calls a row."""

import pytest
from sqlalchemy import BigInteger, Column, MetaData, String, Table

from skerry.storage.audit_rules import find_rule, is_decided, leave_unrecorded, record_changes
from skerry.storage.columns import Moment


def make_table(info: dict[str, object], *columns: Column[object]) -> Table:
    return Table("things", MetaData(), Column("id", String, primary_key=True), *columns, info=info)


def test_times_and_what_is_left_out_are_not_recorded_but_the_key_always_is() -> None:
    table = make_table(
        record_changes("thing", "{id}", without=("id", "content")),
        Column("at", Moment, primary_key=True), Column("owner", String), Column("content", String),
        Column("seen_at", Moment), Column("created", BigInteger), Column("updated", BigInteger),
        Column("expires", BigInteger),
    )  # fmt: skip
    rule = find_rule(table)
    assert rule is not None
    assert [column.name for column in rule.list_columns(table)] == ["id", "at", "owner", "expires"]


@pytest.mark.parametrize(
    ("name", "described"), [("{id}", "thing/a"), ("{collection}/{id}", "thing/lakes/a")]
)
def test_a_row_is_called_by_its_kind_and_its_columns(name: str, described: str) -> None:
    rule = find_rule(make_table(record_changes("thing", name)))
    assert rule is not None
    assert rule.describe({"id": "a", "collection": "lakes"}) == described


def test_a_table_that_says_nothing_is_not_decided() -> None:
    assert not is_decided(make_table({}))
    assert find_rule(make_table({})) is None
    left_out = make_table(leave_unrecorded("signs of life are of the moment"))
    assert is_decided(left_out)
    assert find_rule(left_out) is None
    assert is_decided(make_table(record_changes("thing", "{id}")))
