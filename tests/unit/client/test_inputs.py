import json
from collections.abc import Iterator

import httpx
import pytest
from tests.unit.client.conftest import RunGrants

from skerry.client.inputs import Input, list_inputs, record_input
from skerry.client.login import Login
from skerry.client.session import Session
from skerry.core.errors import ConflictError

ITEM = {"collection": "s2", "id": "a", "properties": {"skerry:digest": "1e20aa"}}
LOGIN = Login(url="http://127.0.0.1:1", token="t")


@pytest.fixture
def session(run_grants: RunGrants) -> Iterator[Session]:
    with Session(LOGIN, transport=httpx.MockTransport(run_grants.answer)) as opened:
        yield opened


def test_inputs_of_a_run_are_noted_once_and_in_order(
    session: Session, run_grants: RunGrants
) -> None:
    assert list_inputs(session) == []
    for item in (ITEM, ITEM | {"id": "b"}, ITEM):
        record_input(session, item)
    assert list_inputs(session) == [Input("s2", "a", "1e20aa"), Input("s2", "b", "1e20aa")]
    folder = run_grants.root / "runs" / "r1" / "2"
    assert json.loads((folder / "inputs.json").read_text())[0] == {
        "collection": "s2",
        "item": "a",
        "digest": "1e20aa",
    }
    assert [path.name for path in folder.iterdir()] == ["inputs.json"]


def test_a_process_asks_for_its_grant_once(session: Session, run_grants: RunGrants) -> None:
    for _ in range(3):
        record_input(session, ITEM)
    assert run_grants.asked == [{"mode": "write", "purpose": "run", "run": "r1", "epoch": 2}]


@pytest.mark.usefixtures("run_grants")
def test_an_attempt_that_is_over_notes_nothing() -> None:
    refusal = {"detail": "Attempt 2 of the run r1 is superseded.", "status": 409}
    transport = httpx.MockTransport(lambda _: httpx.Response(409, json=refusal))
    with (
        Session(LOGIN, transport=transport) as session,
        pytest.raises(ConflictError, match="superseded"),
    ):
        record_input(session, ITEM)


def test_outside_of_a_run_nothing_is_noted(
    session: Session, run_grants: RunGrants, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SKERRY_RUN")
    record_input(session, ITEM)
    assert list_inputs(session) == []
    assert run_grants.asked == []
