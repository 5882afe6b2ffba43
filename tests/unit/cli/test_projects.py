"""`skerry project` against a served api."""

from collections.abc import Iterator

import pytest
from click.testing import CliRunner
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
    call("ask", "lakes", "--reason", "I work on lakes")
    with pytest.raises(ForbiddenError) as refused:
        call("answer", "lakes", "person:bob", "--grant")
    assert refused.value.exit_code == 2
    people.be("ann")
    assert "person:bob asks to be member: I work on lakes" in call("show", "lakes")
    call("answer", "lakes", "person:bob", "--grant", "--last-day", "2096-06-30")
    assert "person:bob  member  2096-06-30" in call("show", "lakes")
    call("add", "lakes", "person:bob", "--role", "reader")
    with pytest.raises(ConflictError, match="last owner"):
        call("remove", "lakes", "person:ann")
    people.be("bob")
    assert "lakes    reader  2096-12-31  Lakes" in call()
    call("remove", "lakes", "person:bob")
    assert '"role": null' in call("list", "--json")
