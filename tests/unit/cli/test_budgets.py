"""`skerry budget` against a served api."""

from collections.abc import Iterator

import pytest
from click.testing import CliRunner
from tests.served_api import ServedApi

from skerry.cli.budgets import budget_group
from skerry.client.login import Login
from skerry.client.session import Session
from skerry.core.errors import ForbiddenError, InvalidInputError, NotFoundError
from skerry.core.scopes import OPERATOR, SCIENTIST


@pytest.fixture
def sessions(api: ServedApi, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Session]]:
    """Return the sessions of an operator and of Ann; commands use that of the operator."""
    api.book.tokens |= {"olga": ("olga", OPERATOR), "ann": ("ann", SCIENTIST)}
    with (
        Session(Login(url=api.url, token="olga", user="olga")) as olga,
        Session(Login(url=api.url, token="ann", user="ann")) as ann,
    ):
        monkeypatch.setattr("skerry.cli.budgets.connect", lambda: olga)
        yield {"olga": olga, "ann": ann}


def call(*words: str) -> str:
    done = CliRunner().invoke(budget_group, words, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_budgets_are_set_listed_and_removed(sessions: dict[str, Session]) -> None:
    said = call("set", "person:Ann", "--core-hours", "300", "--contact", "help@lakes.example")
    assert "person:ann  0.0         300  0.0        no limit" in said
    assert "person:*" in call("set", "person:*", "--memory-hours", "40")
    assert "person:ann" in call("list")
    assert '"core_hours": 300' in call("--json")
    assert "has no budget of its own" in call("remove", "person:ann")
    assert "person:ann" not in call()
    with pytest.raises(NotFoundError, match="person:ann"):
        call("remove", "person:ann")


def test_what_is_wrong_is_refused_with_exit_code_2(
    sessions: dict[str, Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InvalidInputError, match="limits nothing"):
        call("set", "person:ann")
    with pytest.raises(InvalidInputError, match="not a month"):
        call("list", "--month", "May")
    monkeypatch.setattr("skerry.cli.budgets.connect", lambda: sessions["ann"])
    with pytest.raises(ForbiddenError) as refused:
        call("set", "person:ann", "--core-hours", "1")
    assert refused.value.exit_code == 2
    assert "person:ann" in call("list")
