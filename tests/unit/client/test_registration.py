from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from skerry.client.grants import Grant
from skerry.client.login import Login
from skerry.client.registration import register_folder
from skerry.client.session import Session
from skerry.core import patience
from skerry.core.errors import ConflictError, UnavailableError
from skerry.storage.object_folder import ObjectFolder

ITEM: dict[str, Any] = {
    "collection": "s2",
    "id": "scene",
    "properties": {"skerry:prefix": "imports/g/", "skerry:digest": "d1"},
}
EARLIER = {**ITEM, "properties": {"skerry:prefix": "imports/e/", "skerry:digest": "d1"}}

Answer = Callable[[httpx.Request], httpx.Response]


@pytest.fixture
def grant(tmp_path: Path) -> Grant:
    result = Grant(id="g", prefix="imports/g/", objects=ObjectFolder(tmp_path), expires="")
    result.objects.write("imports/g/bytes", b"")
    return result


def register(grant: Grant, answer: Answer, *, replace: bool = False) -> dict[str, Any]:
    login = Login(url="http://127.0.0.1:1", token="t")
    with (
        Session(login, transport=httpx.MockTransport(answer)) as session,
        register_folder(session, grant) as registration,
    ):
        return registration.register(ITEM, replace=replace)


def test_registered_bytes_stay(grant: Grant) -> None:
    assert register(grant, lambda _: httpx.Response(201, json=ITEM)) == ITEM
    assert grant.objects.exists("imports/g/bytes")


def test_the_same_digest_again_frees_the_new_bytes(grant: Grant) -> None:
    assert register(grant, lambda _: httpx.Response(200, json=EARLIER)) == EARLIER
    assert not grant.objects.exists(grant.prefix)


def test_a_refusal_frees_the_bytes(grant: Grant) -> None:
    with pytest.raises(ConflictError):
        register(grant, lambda _: httpx.Response(409, json={"detail": "Taken."}))
    assert not grant.objects.exists(grant.prefix)


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_a_failure_before_registering_frees_the_bytes(
    grant: Grant, error: type[BaseException]
) -> None:
    session = Session(Login(url="http://127.0.0.1:1", token="t"))
    with pytest.raises(error), session, register_folder(session, grant):
        raise error
    assert not grant.objects.exists(grant.prefix)


def answering_late(looked_up: httpx.Response | None) -> Answer:
    """Lose the answer to the POST; answer the question that follows, or nothing more."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "POST" or looked_up is None:
            raise httpx.ReadTimeout("lost")
        return looked_up

    return answer


def test_a_lost_answer_is_looked_up(grant: Grant) -> None:
    assert register(grant, answering_late(httpx.Response(200, json=ITEM))) == ITEM
    assert grant.objects.exists(grant.prefix)


def test_a_call_that_never_arrived_frees_the_bytes(grant: Grant) -> None:
    with pytest.raises(UnavailableError, match="did not register"):
        register(grant, answering_late(httpx.Response(404, json={})))
    assert not grant.objects.exists(grant.prefix)


def test_bytes_stay_while_nobody_can_tell_whether_an_item_holds_them(grant: Grant) -> None:
    with pytest.raises(UnavailableError):
        register(grant, answering_late(None))
    assert grant.objects.exists(grant.prefix)


def test_who_registers_waits_while_others_are_copied(
    grant: Grant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The product was written already, and would have to be written again."""
    monkeypatch.setattr(patience, "_PAUSE_S", 0.0)
    busy = {"title": "Busy", "status": 503, "detail": "Too many.", "remedy": "Wait."}
    answers = [httpx.Response(503, json=busy) for _ in range(3)] + [httpx.Response(201, json=ITEM)]
    assert register(grant, lambda _: answers.pop(0)) == ITEM
    assert grant.objects.exists("imports/g/bytes")


def test_replacing_is_one_call(grant: Grant) -> None:
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(f"{request.method} {request.url.raw_path.decode()}")
        return httpx.Response(201, json=ITEM)

    register(grant, answer, replace=True)
    assert seen == ["POST /services/api/stac/collections/s2/items?replace=true"]
