"""`skerry course` against a served api whose hub has a profile."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.served_api import serve_api

from skerry.cli.courses import course_group
from skerry.client.login import Login
from skerry.client.session import Session
from skerry.core.errors import ConflictError
from skerry.core.scopes import OPERATOR

PROFILES = '[{"name": "small", "title": "Small", "cpu": 2, "memory": "4Gi"}]'
TIME = ("--from", "2096-12-01", "--until", "2096-12-01T17:00Z")


@pytest.fixture
def operator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("SKERRY_PROFILES", PROFILES)
    with serve_api(tmp_path / "data") as api:
        api.book.tokens["olga"] = ("olga", OPERATOR)
        with Session(Login(url=api.url, token="olga", user="olga")) as session:
            monkeypatch.setattr("skerry.cli.courses.connect", lambda: session)
            yield


def call(*words: str) -> str:
    done = CliRunner().invoke(course_group, words, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def create(name: str, seats: str) -> str:
    facts = ("--project", "project:sar", "--profile", "small", "--seats", seats)
    return call("create", name, *facts, *TIME)


@pytest.mark.usefixtures("operator")
def test_seats_are_kept_listed_and_given_up() -> None:
    with pytest.raises(ConflictError, match="skerry course capacity"):
        create("sar", "5")
    assert "20 processors and 40 GiB" in call("capacity", "--cores", "20", "--memory-gib", "40")
    assert "2096-12-01T00:00:00Z  2096-12-01T17:00:00Z" in create("sar", "5")
    with pytest.raises(ConflictError, match="Together with 'sar'") as refused:
        create("lidar", "6")
    assert refused.value.exit_code == 2
    assert '"seats": 5' in call("list", "--json")
    assert "No seats are kept for sar" in call("delete", "sar")
    assert "sar" not in call()
