"""`skerry project` against a served api."""

from collections.abc import Iterator

import pytest
from click.testing import CliRunner
from pydantic import ValidationError
from tests.served_api import ServedApi

from skerry.cli.projects import project_group
from skerry.client.login import Login
from skerry.client.session import Session
from skerry.core.errors import ConflictError, ForbiddenError
from skerry.core.scopes import OPERATOR, SCIENTIST
from skerry.services import projects


class People:
    """The sessions of several people; commands are those of the person who was named last."""

    def __init__(self, api: ServedApi, patch: pytest.MonkeyPatch) -> None:
        self._api, self._patch, self._open = api, patch, list[Session]()

    def be(self, name: str) -> None:
        session = Session(Login(url=self._api.url, token=name, user=name))
        self._open.append(session)
        self._patch.setattr("skerry.cli.projects.connect", lambda: session)

    def close(self) -> None:
        for session in self._open:
            session.close()


@pytest.fixture
def people(api: ServedApi, monkeypatch: pytest.MonkeyPatch) -> Iterator[People]:
    monkeypatch.setattr(projects, "knows_group", lambda _hub, _name: False)
    api.book.tokens |= {"olga": ("olga", OPERATOR)}
    api.book.tokens |= {name: (name, SCIENTIST) for name in ("ann", "bob")}
    people = People(api, monkeypatch)
    yield people
    people.close()


def call(*words: str) -> str:
    done = CliRunner().invoke(project_group, words, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_a_project_is_made_asked_for_granted_and_left(people: People) -> None:
    people.be("olga")
    call("create", "lakes", "--title", "Lakes of the north", "--owner", "person:ann")
    assert "lakes    -    -         Lakes of the north" in call("list")
    call("change", "lakes", "--last-day", "2096-12-31")
    people.be("bob")
    call("ask", "lakes", "--reason", "I work\non lakes")
    assert "lakes    asked  2096-12-31" in call("list")
    assert "You have asked to be member: asked" in call("show", "lakes")
    with pytest.raises(ForbiddenError) as refused:
        call("answer", "lakes", "person:bob", "--grant")
    assert refused.value.exit_code == 2
    people.be("ann")
    assert "person:bob  member  I work\\non lakes" in call("show", "lakes")
    call("answer", "lakes", "person:bob", "--grant", "--last-day", "2096-06-30")
    assert "person:bob  member  2096-06-30" in call("show", "lakes")
    call("add", "lakes", "person:bob", "--role", "reader")
    with pytest.raises(ConflictError, match="last owner"):
        call("remove", "lakes", "person:ann")
    people.be("bob")
    assert "lakes    reader  2096-12-31  Lakes" in call()
    call("remove", "lakes", "person:bob")
    assert '"role": null' in call("list", "--json")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("answer", "lakes", "person:bob"), "--grant or --refuse"),
        (("change", "lakes"), "Nothing is to change"),
        (("change", "lakes", "--no-end", "--last-day", "2096-01-01"), "not both"),
    ],
)
def test_commands_that_decide_nothing_are_refused(words: tuple[str, ...], said: str) -> None:
    done = CliRunner().invoke(project_group, words)
    assert done.exit_code == 2
    assert said in done.output
    assert "Usage:" in done.output


def test_an_empty_title_is_no_change_that_was_made(people: People) -> None:
    people.be("olga")
    call("create", "lakes", "--title", "Lakes of the north", "--owner", "person:ann")
    with pytest.raises(ValidationError, match="title"):
        call("change", "lakes", "--title", "")
    assert "Lakes of the north" in call("list")


def test_a_project_that_is_over_says_so(people: People) -> None:
    people.be("olga")
    call("create", "lakes", "--title", "Lakes of the north", "--owner", "person:ann")
    call("change", "lakes", "--last-day", "2026-01-31")
    assert "2026-01-31 (over)" in call("list")
